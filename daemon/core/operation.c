#include "daemon/core/operation.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/cluster.h"
#include "daemon/core/access.h"
#include "daemon/core/event.h"
#include "daemon/core/request.h"
#include "daemon/core/state.h"
#include "lib/base/alloc.h"
#include "lib/base/cancel.h"
#include "lib/base/date.h"
#include "lib/base/list.h"
#include "lib/base/log.h"
#include "lib/base/loop.h"
#include "lib/base/map.h"
#include "lib/base/random.h"
#include "lib/base/refs.h"
#include "lib/base/str.h"
#include "lib/base/thread.h"
#include "lib/base/uuid.h"
#include "lib/base/worker.h"
#include "lib/data/jv.h"
#include "lib/data/jv_print.h"
#include "lib/net/digest.h"
#include "lib/net/stream.h"

/* How long an operation is to be seen after its end, and how often listeners hear of progress. */
#define LINGER_MS 5000
#define PROGRESS_MS 100

/* More at a time are a client that has lost its mind. */
#define MAX_OPERATIONS 20000

struct secret {
	struct list list;
	char *name;
	char *value;
	bool is_spent;
};

struct end_hook {
	struct list list;
	uint64_t id;
	operation_ended *fn;
	void *arg;
};

struct operation {
	struct mutex lock;
	struct cond ended;
	struct refs refs;
	struct state *state;
	struct cancel *cancel;
	struct requestor *requestor;
	char id[UUID_SIZE];
	char key[UUID_SIZE]; /* In the table: the id, until another of that id takes its place. */
	char *project;
	char *description;
	char *conflict;
	enum operation_class class;
	bool may_cancel;
	bool has_flat_secrets;
	bool is_hidden;
	bool is_inline; /* Runs on the thread of a request. */
	operation_run *run;
	operation_connect *connect;
	operation_free_arg *free_arg;
	void *arg;
	int64_t created;

	enum operation_status status GUARDED;
	int64_t updated GUARDED;
	struct json_object *resources GUARDED;
	struct json_object *metadata GUARDED;
	struct error *err GUARDED;
	struct list secrets GUARDED;
	struct list hooks GUARDED;
	uint64_t last_hook_id GUARDED;
	int64_t last_sent GUARDED; /* Monotonic, in milliseconds. */
	bool is_send_due GUARDED;
	bool is_closed GUARDED; /* 'arg' is gone, or about to be. */
	unsigned int n_connecting GUARDED;

	struct loop_timer *timer; /* Loop thread only. */
};

struct operations {
	struct mutex lock;
	struct cond changed;
	struct state *state;
	struct map *all GUARDED;     /* By id; each holds a reference. */
	struct map *running GUARDED; /* By conflict text; borrowed. */
	size_t n_active GUARDED;
};

/* clang-format off */
static const struct {
	enum operation_status status;
	const char *name;
} status_names[] = {
	{ OPERATION_PENDING,    "Pending" },
	{ OPERATION_RUNNING,    "Running" },
	{ OPERATION_CANCELLING, "Cancelling" },
	{ OPERATION_SUCCESS,    "Success" },
	{ OPERATION_FAILURE,    "Failure" },
	{ OPERATION_CANCELLED,  "Cancelled" },
};
/* clang-format on */

static const char *name_of(enum operation_status status)
{
	for (size_t i = 0; i < COUNT_OF(status_names); i++) {
		if (status_names[i].status == status)
			return status_names[i].name;
	}

	return "Unknown";
}

static bool is_final(enum operation_status status)
{
	return status >= OPERATION_SUCCESS;
}

/*
 * The id says who has the operation: the last eight digits are the member's id, hidden under the
 * first eight so that ids look like any others.
 */
static void make_id(struct state *state, char ret[UUID_SIZE])
{
	uint32_t member = state->cluster ? (uint32_t)cluster_member_id(state->cluster) : 1;
	char tail[9];

	uuid_make(ret);
	snprintf(tail, sizeof(tail), "%08x", (uint32_t)strtoul(ret, NULL, 16) ^ member);
	memcpy(ret + 28, tail, 8);
}

int64_t operation_member_id(const char *id)
{
	if (!uuid_is_valid(id))
		return 0;

	return (int64_t)((uint32_t)strtoul(id, NULL, 16) ^ (uint32_t)strtoul(id + 28, NULL, 16));
}

void operation_make_shared_id(char *ret_id)
{
	uuid_make(ret_id);
	memcpy(ret_id + 28, ret_id, 8);
}

static void hook_free(struct end_hook *hook)
{
	list_remove(&hook->list);
	free(hook);
}

static void operation_free(struct operation *op) NO_LOCK_CHECK
{
	struct secret *secret;
	struct end_hook *hook;

	LIST_FOREACH (secret, &op->secrets, list) {
		free(secret->name);
		free(secret->value);
		free(secret);
	}
	LIST_FOREACH (hook, &op->hooks, list) {
		hook_free(hook);
	}

	if (op->free_arg)
		op->free_arg(op->arg);
	jv_unref(op->resources);
	jv_unref(op->metadata);
	error_free(op->err);
	cancel_unref(op->cancel);
	access_unref(op->requestor);
	free(op->project);
	free(op->description);
	free(op->conflict);
	cond_done(&op->ended);
	mutex_done(&op->lock);
	free(op);
}

struct operation *operation_ref(struct operation *op)
{
	refs_get(&op->refs);
	return op;
}

void operation_unref(struct operation *op)
{
	if (op && refs_put(&op->refs))
		operation_free(op);
}

/* Counts it among those that are under way. */
static int admit(struct state *state, const struct operation_spec *spec, struct error **err)
{
	struct operations *table = state->operations;

	if (atomic_load(&state->is_shutting_down))
		return error_set(err, 503, "The daemon is shutting down");

	mutex_lock(&table->lock);

	bool is_taken = spec->conflict && map_has(table->running, spec->conflict);
	bool is_full = table->n_active >= MAX_OPERATIONS;

	if (!is_taken && !is_full) {
		table->n_active++;
		if (spec->conflict)
			map_set(table->running, spec->conflict, table);
	}
	mutex_unlock(&table->lock);

	if (is_taken)
		return error_set(err, 409, "Operation \"%s\" is already in progress",
		                 spec->description);
	if (is_full)
		return error_set(err, 503, "Too many operations");
	return 0;
}

int operation_new(struct state *state, const struct operation_spec *spec, struct operation **ret_op,
                  struct error **err)
{
	assert(spec->description && (spec->run || spec->connect));
	assert((spec->class == OPERATION_WEBSOCKET) == (spec->connect != NULL));
	int r = admit(state, spec, err);
	if (r < 0) {
		if (spec->free_arg)
			spec->free_arg(spec->arg);
		return r;
	}

	struct operation *op = xcalloc(1, sizeof(*op));

	mutex_init(&op->lock);
	cond_init(&op->ended);
	refs_init(&op->refs);
	if (spec->id)
		snprintf(op->id, sizeof(op->id), "%s", spec->id);
	else
		make_id(state, op->id);
	memcpy(op->key, op->id, sizeof(op->key));
	op->state = state;
	op->cancel = cancel_new(NULL);
	op->requestor = spec->requestor ? access_ref(spec->requestor) : NULL;
	op->project = spec->project ? xstrdup(spec->project) : NULL;
	op->description = xstrdup(spec->description);
	op->conflict = spec->conflict ? xstrdup(spec->conflict) : NULL;
	op->class = spec->class;
	op->may_cancel = !spec->may_not_cancel;
	op->has_flat_secrets = spec->has_flat_secrets;
	op->is_hidden = spec->is_hidden;
	op->run = spec->run;
	op->connect = spec->connect;
	op->free_arg = spec->free_arg;
	op->arg = spec->arg;
	op->created = date_now();

	mutex_lock(&op->lock);
	op->status = OPERATION_PENDING;
	op->updated = op->created;
	op->resources = jv_object();
	op->metadata = jv_object();
	list_init(&op->secrets);
	list_init(&op->hooks);
	if (spec->entity_url)
		jv_set_string(op->metadata, "entity_url", spec->entity_url);
	mutex_unlock(&op->lock);

	*ret_op = op;
	return 0;
}

int operation_new_for(struct request *req, const struct operation_spec *spec,
                      struct operation **ret_op, struct error **err)
{
	struct operation_spec copy = *spec;

	copy.requestor = req->requestor;
	return operation_new(req->state, &copy, ret_op, err);
}

void operation_add_resource(struct operation *op, const char *kind, const char *url)
{
	mutex_lock(&op->lock);

	struct json_object *urls = jv_member(op->resources, kind);

	if (!urls) {
		urls = jv_array();
		jv_set_take(op->resources, kind, urls);
	}
	jv_add_string(urls, url);
	mutex_unlock(&op->lock);
}

static struct json_object *to_json(const struct operation *op, bool with_secrets) REQUIRES(op->lock)
{
	struct json_object *o = jv_object();
	struct json_object *metadata = jv_copy(op->metadata);
	struct json_object *who = access_json(op->requestor);
	struct secret *secret;
	scoped_free char *member = state_member_name(op->state);

	if (with_secrets && !list_is_empty(&op->secrets)) {
		struct json_object *fds = op->has_flat_secrets ? jv_ref(metadata) : jv_object();

		LIST_FOREACH (secret, &op->secrets, list) {
			jv_set_string(fds, secret->name, secret->value);
		}
		if (op->has_flat_secrets)
			jv_unref(fds);
		else
			jv_set_take(metadata, "fds", fds);
	}

	jv_set_string(o, "id", op->id);
	jv_set_string(o, "class", op->class == OPERATION_TASK ? "task" : "websocket");
	jv_set_string(o, "description", op->description);
	jv_set_date(o, "created_at", op->created);
	jv_set_date(o, "updated_at", op->updated);
	jv_set_string(o, "status", name_of(op->status));
	jv_set_int(o, "status_code", op->status);
	jv_set_take(o, "resources", jv_copy(op->resources));
	jv_set_take(o, "metadata", metadata);
	jv_set_bool(o, "may_cancel", op->may_cancel);
	jv_set_string(o, "err", op->err ? op->err->msg : "");
	jv_set_int(o, "err_code", op->err ? op->err->status : 0);
	jv_set_int(o, "child_count", 0);
	jv_set_string(o, "location", member);
	if (who)
		jv_set_take(o, "requestor", who);

	return o;
}

struct json_object *operation_json(const struct operation *op, bool with_secrets)
{
	struct operation *self = (struct operation *)op;

	mutex_lock(&self->lock);

	struct json_object *o = to_json(self, with_secrets);

	mutex_unlock(&self->lock);
	return o;
}

struct json_object *operation_view_json(struct state *state, const struct operation_view *view)
{
	struct json_object *o = jv_object();
	scoped_free char *member = state_member_name(state);
	bool has_failed = view->error && *view->error;

	jv_set_string(o, "id", view->id);
	jv_set_string(o, "class", "task");
	jv_set_string(o, "description", view->description);
	jv_set_date(o, "created_at", view->created);
	jv_set_date(o, "updated_at", view->updated);
	jv_set_string(o, "status", name_of(view->status));
	jv_set_int(o, "status_code", view->status);
	jv_set_take(o, "resources", jv_object());
	jv_set_take(o, "metadata", jv_copy(view->metadata));
	jv_set_bool(o, "may_cancel", view->may_cancel);
	jv_set_string(o, "err", has_failed ? view->error : "");
	jv_set_int(o, "err_code", has_failed ? 500 : 0);
	jv_set_int(o, "child_count", 0);
	jv_set_string(o, "location", member);
	return o;
}

/*
 * Publishing under the lock keeps the order of states; it neither blocks nor calls back: the event
 * is put in a queue.
 */
static void publish(struct operation *op) REQUIRES(op->lock)
{
	op->last_sent = date_monotonic();
	if (!op->is_hidden && event_has_listeners(op->state, EVENT_OPERATION))
		event_publish(op->state, EVENT_OPERATION, op->project, to_json(op, false));
}

static void send_late(void *arg)
{
	struct operation *op = arg;

	loop_timer_free(op->timer);
	op->timer = NULL;
	mutex_lock(&op->lock);
	op->is_send_due = false;
	if (!is_final(op->status))
		publish(op);
	mutex_unlock(&op->lock);
	operation_unref(op);
}

static void arm(void *arg)
{
	struct operation *op = arg;

	op->timer = loop_timer_new(op->state->loop, PROGRESS_MS, 0, send_late, op);
}

static void progressed(struct operation *op) REQUIRES(op->lock)
{
	op->updated = date_now();
	if (op->status != OPERATION_RUNNING || op->is_send_due || op->is_hidden)
		return;

	if (date_monotonic() - op->last_sent >= PROGRESS_MS) {
		publish(op);
	} else {
		op->is_send_due = true;
		loop_call(op->state->loop, arm, operation_ref(op));
	}
}

void operation_set_metadata(struct operation *op, struct json_object *object)
{
	mutex_lock(&op->lock);
	JV_FOREACH (object, key, value) {
		jv_set_take(op->metadata, key, jv_copy(value));
	}
	progressed(op);
	mutex_unlock(&op->lock);
}

void operation_set_metadata_key(struct operation *op, const char *key,
                                struct json_object *value_take)
{
	mutex_lock(&op->lock);
	jv_set_take(op->metadata, key, value_take);
	progressed(op);
	mutex_unlock(&op->lock);
}

void operation_progress(struct operation *op, const char *stage, const char *text)
{
	scoped_free char *key = xasprintf("%s_progress", stage);

	operation_set_metadata_key(op, key, jv_of_string(text));
}

const char *operation_add_secret(struct operation *op, const char *name)
{
	struct secret *secret = xcalloc(1, sizeof(*secret));

	secret->name = xstrdup(name);
	secret->value = random_hex(32);
	mutex_lock(&op->lock);
	list_add_last(&op->secrets, &secret->list);
	mutex_unlock(&op->lock);
	return secret->value;
}

/* The table's reference was the one that kept it. */
static void forget(void *arg)
{
	struct operation *op = arg;
	struct operations *table = op->state->operations;

	loop_timer_free(op->timer);
	op->timer = NULL;
	mutex_lock(&table->lock);
	map_remove(table->all, op->key);
	mutex_unlock(&table->lock);
}

static void linger(void *arg)
{
	struct operation *op = arg;

	/* A late send of progress that is still armed has its reference; it is replaced. */
	if (op->timer) {
		loop_timer_free(op->timer);
		operation_unref(op);
	}
	op->timer = loop_timer_new(op->state->loop, LINGER_MS, 0, forget, op);
}

static void publish_now(struct operation *op)
{
	mutex_lock(&op->lock);
	publish(op);
	mutex_unlock(&op->lock);
}

/* Puts it into the table, where others see it, in place of an ended one of the same id. */
static void enlist(struct operation *op)
{
	struct operations *table = op->state->operations;

	mutex_lock(&table->lock);

	struct operation *before = map_take(table->all, op->id);

	if (before) {
		uuid_make(before->key);
		before->is_hidden = true;
		map_set(table->all, before->key, before);
	}
	map_set(table->all, op->id, operation_ref(op));
	mutex_unlock(&table->lock);
}

static void call_hooks(struct operation *op)
{
	for (;;) {
		mutex_lock(&op->lock);

		struct end_hook *hook = LIST_FIRST(&op->hooks, struct end_hook, list);

		if (hook)
			list_remove(&hook->list);
		mutex_unlock(&op->lock);

		if (!hook)
			return;

		hook->fn(op, hook->arg);
		free(hook);
	}
}

static void leave(struct operation *op)
{
	struct operations *table = op->state->operations;

	mutex_lock(&table->lock);
	if (op->conflict)
		map_remove(table->running, op->conflict);
	table->n_active--;
	cond_broadcast(&table->changed);
	mutex_unlock(&table->lock);
}

static void end(struct operation *op, int r, struct error *err_take)
{
	enum operation_status status = OPERATION_SUCCESS;

	if (r < 0)
		status = r == -ECANCELED && cancel_code(op->cancel) < 0 ? OPERATION_CANCELLED
		                                                        : OPERATION_FAILURE;
	if (r < 0 && !err_take)
		error_set_errno(&err_take, r, "Failed");

	mutex_lock(&op->lock);
	op->status = status;
	op->updated = date_now();
	op->err = err_take;
	op->is_hidden |= r == OPERATION_MOVED;
	publish(op);
	cond_broadcast(&op->ended);
	mutex_unlock(&op->lock);

	leave(op);
	call_hooks(op);
	if (r < 0)
		log_debug("Failed operation \"%s\": %s", op->description, err_take->msg);
	loop_call(op->state->loop, linger, op);
}

/* Frees what the operation worked on, early: a lingering operation holds no images or sockets. */
static void free_arg(struct operation *op)
{
	mutex_lock(&op->lock);
	op->is_closed = true;
	while (op->n_connecting > 0)
		cond_wait(&op->ended, &op->lock);
	mutex_unlock(&op->lock);

	if (op->free_arg)
		op->free_arg(op->arg);
	op->free_arg = NULL;
	op->arg = NULL;
}

static void finish(struct operation *op, int r, struct error *err_take)
{
	free_arg(op);
	end(op, r, err_take);
	operation_unref(op);
}

static void run_job(void *arg)
{
	struct operation *op = arg;
	scoped(error_freep) struct error *err = NULL;

	int r = cancel_code(op->cancel) < 0 ? error_set_errno(&err, -ECANCELED, "Cancelled")
	                                    : op->run(op, op->arg, &err);

	/* The reference is operation_finish()'s then, which may have been called already. */
	if (r != OPERATION_GOES_ON)
		finish(op, r, TAKE_PTR(err));
}

static void begin(struct operation *op)
{
	mutex_lock(&op->lock);
	op->status = OPERATION_RUNNING;
	op->updated = date_now();
	publish(op);
	mutex_unlock(&op->lock);
}

int operation_start(struct operation *op, struct error **err)
{
	enlist(op);
	publish_now(op);
	begin(op);
	operation_ref(op);
	if (!op->run)
		return 0;

	int r = worker_submit(op->state->jobs, run_job, op);
	if (r < 0) {
		scoped(error_freep) struct error *failed = NULL;

		operation_unref(op);
		error_set(&failed, 503, "Too many operations");
		free_arg(op);
		end(op, r, TAKE_PTR(failed));
		return error_set(err, 503, "Too many operations");
	}

	return 0;
}

int operation_run_here(struct operation *op, struct error **err)
{
	scoped(error_freep) struct error *mine = NULL;

	publish_now(op);
	begin(op);

	int r = op->run(op, op->arg, &mine);

	assert(r != OPERATION_GOES_ON);
	free_arg(op);
	if (r < 0 && !mine)
		error_set_errno(&mine, r, "Failed");
	if (r < 0)
		error_set(err, mine->status, "%s", mine->msg);

	enlist(op);
	end(op, r, TAKE_PTR(mine));
	return r;
}

void operation_finish(struct operation *op, int r, struct error *err_take)
{
	finish(op, r, err_take);
}

struct cancel *operation_cancel_token(struct operation *op)
{
	return op->cancel;
}

bool operation_is_cancelled(const struct operation *op)
{
	return cancel_code(op->cancel) < 0;
}

int operation_cancel(struct operation *op, struct error **err)
{
	mutex_lock(&op->lock);

	bool is_running = op->status == OPERATION_RUNNING || op->status == OPERATION_PENDING;
	bool is_allowed = is_running && op->may_cancel;

	if (is_allowed) {
		op->status = OPERATION_CANCELLING;
		op->updated = date_now();
		publish(op);
	}
	mutex_unlock(&op->lock);

	if (!is_running)
		return error_set(err, 400, "Only running operations can be cancelled");
	if (!is_allowed)
		return error_set(err, 400, "This operation cannot be cancelled");

	cancel_fire(op->cancel);
	return 0;
}

int operation_spend_secret(struct operation *op, const char *secret, const char **ret_name,
                           struct error **err)
{
	struct secret *s;
	const char *name = NULL;

	mutex_lock(&op->lock);
	LIST_FOREACH (s, &op->secrets, list) {
		if (digest_equal_secret(s->value, secret) && !s->is_spent &&
		    !is_final(op->status)) {
			s->is_spent = true;
			name = s->name;
		}
	}
	mutex_unlock(&op->lock);

	if (!name)
		return error_set(err, 403, "Forbidden");

	*ret_name = name;
	return 0;
}

bool operation_has_secret(struct operation *op, const char *secret)
{
	struct secret *s;
	bool has = false;

	mutex_lock(&op->lock);
	LIST_FOREACH (s, &op->secrets, list) {
		has |= digest_equal_secret(s->value, secret);
	}
	has |= digest_equal_secret(jv_text(op->metadata, "secret"), secret);
	mutex_unlock(&op->lock);
	return has;
}

void operation_connect_stream(struct operation *op, const char *name, struct stream *stream_take)
{
	mutex_lock(&op->lock);

	bool is_open = op->connect && !op->is_closed;

	op->n_connecting += is_open;
	mutex_unlock(&op->lock);

	if (!is_open) {
		stream_free(stream_take);
		return;
	}

	op->connect(op, name, stream_take, op->arg);
	mutex_lock(&op->lock);
	op->n_connecting--;
	cond_broadcast(&op->ended);
	mutex_unlock(&op->lock);
}

uint64_t operation_on_end(struct operation *op, operation_ended *fn, void *arg)
{
	struct end_hook *hook = xcalloc(1, sizeof(*hook));
	uint64_t id = 0;

	hook->fn = fn;
	hook->arg = arg;
	mutex_lock(&op->lock);
	if (!is_final(op->status)) {
		id = hook->id = ++op->last_hook_id;
		list_add_last(&op->hooks, &hook->list);
		hook = NULL;
	}
	mutex_unlock(&op->lock);

	if (hook) {
		free(hook);
		fn(op, arg);
	}
	return id;
}

bool operation_on_end_cancel(struct operation *op, uint64_t id)
{
	struct end_hook *hook, *found = NULL;

	mutex_lock(&op->lock);
	LIST_FOREACH (hook, &op->hooks, list) {
		if (hook->id == id)
			found = hook;
	}
	if (found)
		hook_free(found);
	mutex_unlock(&op->lock);
	return found;
}

void operation_wait(struct operation *op)
{
	mutex_lock(&op->lock);
	while (!is_final(op->status))
		cond_wait(&op->ended, &op->lock);
	mutex_unlock(&op->lock);
}

const char *operation_id(const struct operation *op)
{
	return op->id;
}

const char *operation_project(const struct operation *op)
{
	return op->project;
}

struct state *operation_state(const struct operation *op)
{
	return op->state;
}

enum operation_status operation_status(const struct operation *op)
{
	struct mutex *lock = (struct mutex *)&op->lock;

	mutex_lock(lock);

	enum operation_status status = op->status;

	mutex_unlock(lock);
	return status;
}

enum operation_class operation_class(const struct operation *op)
{
	return op->class;
}

const struct requestor *operation_requestor(const struct operation *op)
{
	return op->requestor ? op->requestor : access_daemon();
}

char *operation_url(const struct operation *op)
{
	return xasprintf("/1.0/operations/%s", op->id);
}

struct error *operation_error(const struct operation *op)
{
	struct mutex *lock = (struct mutex *)&op->lock;
	struct error *copy = NULL;

	mutex_lock(lock);
	if (op->err)
		error_set(&copy, op->err->status, "%s", op->err->msg);
	mutex_unlock(lock);
	return copy;
}

static void unref_value(void *value)
{
	operation_unref(value);
}

struct operations *operation_table_new(struct state *state)
{
	struct operations *table = xcalloc(1, sizeof(*table));

	mutex_init(&table->lock);
	cond_init(&table->changed);
	table->state = state;
	mutex_lock(&table->lock);
	table->all = map_new(unref_value);
	table->running = map_new(NULL);
	mutex_unlock(&table->lock);
	return table;
}

void operation_table_free(struct operations *table)
{
	if (!table)
		return;

	mutex_lock(&table->lock);
	map_free(table->all);
	map_free(table->running);
	mutex_unlock(&table->lock);
	cond_done(&table->changed);
	mutex_done(&table->lock);
	free(table);
}

int operation_find(struct state *state, const char *id, struct operation **ret_op,
                   struct error **err)
{
	struct operations *table = state->operations;

	mutex_lock(&table->lock);

	struct operation *op = map_get(table->all, id);

	if (op)
		operation_ref(op);
	mutex_unlock(&table->lock);

	if (!op || op->is_hidden) {
		operation_unref(op);
		return error_set(err, 404, "Operation not found");
	}

	*ret_op = op;
	return 0;
}

static struct operation **snapshot(struct operations *table, size_t *ret_n)
{
	mutex_lock(&table->lock);

	struct operation **ops = xcalloc(map_count(table->all) + 1, sizeof(*ops));
	size_t n = 0;

	MAP_FOREACH (entry, table->all) {
		ops[n++] = operation_ref(entry->value);
	}
	mutex_unlock(&table->lock);
	*ret_n = n;
	return ops;
}

void operation_each(struct state *state, operation_visit *fn, void *arg)
{
	size_t n;
	scoped_free struct operation **ops = snapshot(state->operations, &n);
	bool go_on = true;

	for (size_t i = 0; i < n; i++) {
		if (go_on && !ops[i]->is_hidden)
			go_on = fn(ops[i], arg);
		operation_unref(ops[i]);
	}
}

static bool end_stream(struct operation *op, void *arg)
{
	scoped(error_freep) struct error *ignored = NULL;

	if (op->class == OPERATION_WEBSOCKET && op->requestor && op->requestor->fingerprint &&
	    strcmp(op->requestor->fingerprint, arg) == 0)
		(void)operation_cancel(op, &ignored);
	return true;
}

void operation_end_streams(struct state *state, const char *fingerprint)
{
	operation_each(state, end_stream, (void *)(uintptr_t)fingerprint);
}

size_t operation_count(struct state *state)
{
	struct operations *table = state->operations;

	mutex_lock(&table->lock);

	size_t n = table->n_active;

	mutex_unlock(&table->lock);
	return n;
}

void operation_drain(struct state *state, uint64_t timeout)
{
	struct operations *table = state->operations;
	int64_t deadline = date_deadline((int64_t)(timeout / 1000000));
	size_t n;
	scoped_free struct operation **ops = snapshot(table, &n);

	for (size_t i = 0; i < n; i++) {
		cancel_fire(ops[i]->cancel);
		operation_unref(ops[i]);
	}

	mutex_lock(&table->lock);
	while (table->n_active > 0) {
		if (!thread_cond_wait_until(&table->changed, &table->lock, deadline))
			break;
	}
	mutex_unlock(&table->lock);
}
