/*
 * A queue and the loop: whoever publishes prints the event, appends it and goes on; the loop thread
 * hands the queue to the listeners in its order. Listeners are touched on the loop thread only.
 */
#include "daemon/core/event.h"

#include <stdatomic.h>
#include <string.h>

#include "daemon/core/access.h"
#include "daemon/core/state.h"
#include "lib/base/alloc.h"
#include "lib/base/date.h"
#include "lib/base/enum.h"
#include "lib/base/list.h"
#include "lib/base/log.h"
#include "lib/base/loop.h"
#include "lib/base/str.h"
#include "lib/base/thread.h"
#include "lib/data/jv.h"
#include "lib/data/jv_print.h"
#include "lib/net/stream.h"
#include "lib/net/websocket.h"

#define N_TYPES 3

/* More than this waiting for the loop means that something is wrong: the oldest go. */
#define QUEUE_MAX 10000
#define QUEUE_BYTES_MAX (8U << 20)

/* What a listener that does not read may leave unread here; then it is closed. */
#define LISTENER_BYTES_MAX (2U << 20)

static const char *const type_names[] = {
	[EVENT_LOGGING] = "logging",
	[EVENT_OPERATION] = "operation",
	[EVENT_LIFECYCLE] = "lifecycle",
};
ENUM_IS_COMPLETE(type_names, N_TYPES);

struct queued {
	struct list list;
	enum event_type type;
	int level;     /* Of logging, as in struct event_filter. */
	bool is_local; /* It happened here. */
	char *project; /* NULL: none. */
	char *text;
	size_t size;
};

struct listener {
	struct list list;
	struct event_hub *hub;
	struct websocket *ws;
	struct event_filter filter;
	char *project;
	struct requestor *requestor;
};

struct event_hub {
	struct mutex lock;
	struct loop *loop;
	struct list queue GUARDED;
	size_t n_queued GUARDED;
	size_t n_bytes GUARDED; /* Of their texts. */
	bool is_flush_due GUARDED;

	struct list listeners; /* Loop thread only. */
	atomic_uint n_wanting[N_TYPES];
};

const char *event_type_name(enum event_type type)
{
	return ENUM_NAME(type_names, type);
}

struct event_hub *event_hub_new(struct state *state)
{
	struct event_hub *hub = xcalloc(1, sizeof(*hub));

	mutex_init(&hub->lock);
	hub->loop = state->loop;
	mutex_lock(&hub->lock);
	list_init(&hub->queue);
	mutex_unlock(&hub->lock);
	list_init(&hub->listeners);
	return hub;
}

static void queued_free(struct queued *q)
{
	free(q->project);
	free(q->text);
	free(q);
}

static void count(struct event_hub *hub, unsigned int types, int change)
{
	for (unsigned int t = 0; t < N_TYPES; t++) {
		if (types & BIT(t))
			atomic_fetch_add(&hub->n_wanting[t], (unsigned int)change);
	}
}

static bool wants(const struct listener *l, const struct queued *q)
{
	const struct event_filter *f = &l->filter;

	if (!(f->types & BIT(q->type)))
		return false;

	if (f->is_peer)
		return q->is_local;

	if (q->type == EVENT_LOGGING)
		return q->level >= f->min_level && access_is_admin(l->requestor);

	if (!q->project)
		return access_is_admin(l->requestor);

	if (l->project && !str_equals(l->project, q->project))
		return false;

	return access_may_enter(l->requestor, q->project);
}

static void deliver(struct event_hub *hub, const struct queued *q)
{
	struct listener *l;

	LIST_FOREACH (l, &hub->listeners, list) {
		if (wants(l, q))
			websocket_send(l->ws, WEBSOCKET_TEXT, q->text, q->size);
	}
}

static void take_out(struct event_hub *hub, struct queued *q) REQUIRES(hub->lock)
{
	list_remove(&q->list);
	hub->n_queued--;
	hub->n_bytes -= q->size;
}

static void flush(void *arg)
{
	struct event_hub *hub = arg;

	for (;;) {
		struct queued *q;

		mutex_lock(&hub->lock);
		q = LIST_FIRST(&hub->queue, struct queued, list);
		if (q) {
			take_out(hub, q);
		} else {
			hub->is_flush_due = false;
		}
		mutex_unlock(&hub->lock);

		if (!q)
			return;

		deliver(hub, q);
		queued_free(q);
	}
}

static void enqueue(struct event_hub *hub, struct queued *q_take)
{
	bool is_flush_new;

	mutex_lock(&hub->lock);
	list_add_last(&hub->queue, &q_take->list);
	hub->n_queued++;
	hub->n_bytes += q_take->size;
	struct queued *q;
	LIST_FOREACH (q, &hub->queue, list) {
		if (q == q_take || (hub->n_queued <= QUEUE_MAX && hub->n_bytes <= QUEUE_BYTES_MAX))
			break;
		take_out(hub, q);
		queued_free(q);
	}
	is_flush_new = !hub->is_flush_due;
	hub->is_flush_due = true;
	mutex_unlock(&hub->lock);

	if (is_flush_new)
		loop_call(hub->loop, flush, hub);
}

/* LXD's names, of which "warn" comes from older members. */
static int level_of(struct json_object *metadata)
{
	const char *level = jv_text(metadata, "level");

	if (str_equals(level, "debug") || str_equals(level, "trace"))
		return 0;
	if (str_equals(level, "info"))
		return 1;
	if (str_equals(level, "warning") || str_equals(level, "warn"))
		return 2;

	return 3;
}

static struct queued *queued_new(enum event_type type, struct json_object *event)
{
	struct queued *q = xcalloc(1, sizeof(*q));
	const char *project = jv_text(event, "project");

	q->type = type;
	q->level = type == EVENT_LOGGING ? level_of(jv_member(event, "metadata")) : 0;
	q->project = str_is_empty(project) ? NULL : xstrdup(project);
	q->text = jv_print_text(event, &q->size);
	return q;
}

void event_publish(struct state *state, enum event_type type, const char *project,
                   struct json_object *metadata_take)
{
	if (!event_has_listeners(state, type)) {
		jv_unref(metadata_take);
		return;
	}

	scoped(jv_unrefp) struct json_object *event = jv_object();
	scoped_free char *member = state_member_name(state);

	jv_set_string(event, "type", event_type_name(type));
	jv_set_date(event, "timestamp", date_now());
	jv_set_take(event, "metadata", metadata_take);
	jv_set_string(event, "location", member);
	if (project)
		jv_set_string(event, "project", project);

	struct queued *q = queued_new(type, event);

	q->is_local = true;
	enqueue(state->events, q);
}

int event_publish_remote(struct state *state, struct json_object *event, struct error **err)
{
	int type = ENUM_VALUE(type_names, str_or_empty(jv_text(event, "type")));
	const char *location = jv_text(event, "location");
	scoped_free char *member = state_member_name(state);

	if (type < 0)
		return error_set(err, 400, "Invalid event type");

	if (str_is_empty(location) || str_equals(location, member))
		return error_set(err, 400, "Invalid event location");

	if (event_has_listeners(state, (enum event_type)type))
		enqueue(state->events, queued_new((enum event_type)type, event));

	return 0;
}

static void listener_closed(struct websocket *ws, unsigned code, void *arg)
{
	struct listener *l = arg;

	(void)code;
	list_remove(&l->list);
	count(l->hub, l->filter.types, -1);
	websocket_unref(ws);
	access_unref(l->requestor);
	free(l->project);
	free(l);
}

/* On the loop thread, so that no event comes before the listener is in the list. */
int event_listen(struct state *state, struct stream *stream_take, const struct event_filter *filter,
                 struct error **err)
{
	struct listener *l = xcalloc(1, sizeof(*l));
	const struct websocket_config config = {
		.role = WEBSOCKET_SERVER,
		.message_max = 4096,
		.queue_max = LISTENER_BYTES_MAX,
		.on_close = listener_closed,
		.arg = l,
	};

	(void)err;
	assert(loop_is_current(state->loop));
	l->hub = state->events;
	l->filter = *filter;
	l->project = filter->project ? xstrdup(filter->project) : NULL;
	l->requestor = access_ref(filter->requestor);
	count(l->hub, filter->types, 1);
	list_add_last(&l->hub->listeners, &l->list);
	l->ws = websocket_new_take(state->loop, stream_take, &config);
	return 0;
}

bool event_has_listeners(struct state *state, enum event_type type)
{
	return state->events && atomic_load(&state->events->n_wanting[type]) > 0;
}

struct closing {
	struct event_hub *hub;
	const char *fingerprint;
};

static void close_listeners(void *arg)
{
	struct closing *c = arg;
	struct listener *l;

	LIST_FOREACH (l, &c->hub->listeners, list) {
		if (!c->fingerprint || str_equals(l->requestor->fingerprint, c->fingerprint))
			websocket_close(l->ws, 1001, "");
	}
}

void event_close_listeners(struct state *state, const char *fingerprint)
{
	struct closing c = { .hub = state->events, .fingerprint = fingerprint };

	loop_call_wait(state->loop, close_listeners, &c);
}

static void let_go(void *arg)
{
	struct event_hub *hub = arg;
	struct listener *l;

	flush(hub);
	LIST_FOREACH (l, &hub->listeners, list) {
		websocket_abort(l->ws);
	}
}

static void nothing(void *arg)
{
	(void)arg;
}

void event_hub_free(struct event_hub *hub)
{
	if (!hub)
		return;

	/* Aborted websockets report their end in a later turn of the loop. */
	loop_call_wait(hub->loop, let_go, hub);
	for (int i = 0; i < 100 && !list_is_empty(&hub->listeners); i++)
		loop_call_wait(hub->loop, nothing, NULL);
	mutex_done(&hub->lock);
	free(hub);
}
