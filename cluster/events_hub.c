/*
 * All state is touched on the loop's thread only; so there is no lock. Connecting blocks, so it
 * runs on a worker, which hands the outcome to the loop.
 */
#include "cluster/events_hub.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cluster/cluster_private.h"
#include "cluster/connect.h"
#include "cluster/heartbeat.h"
#include "lib/base/alloc.h"
#include "lib/base/array.h"
#include "lib/base/cancel.h"
#include "lib/base/log.h"
#include "lib/base/loop.h"
#include "lib/net/stream.h"
#include "lib/net/websocket.h"

#define EVENTS_PATH "/1.0/events?type=operation%2Clifecycle&all-projects=true"
#define CONNECT_TIMEOUT_MS 3000
#define FIRST_PAUSE_MS 50
#define MAX_PAUSE_MS 5000

/* A member that is listened to. */
struct source {
	struct events_hub *hub;
	int64_t id;
	char *name;
	char *address;
	struct websocket *ws;     /* NULL while there is no connection. */
	struct loop_timer *timer; /* The next try, or NULL. */
	uint64_t pause_ms;
	bool is_connecting; /* A worker has it: it is freed when that is back. */
	bool is_dropped;    /* Not in the hub's list any more. */
};

struct events_hub {
	struct cluster *cluster;
	struct loop *loop;
	struct cancel *cancel; /* Fires when the hub stops. */
	atomic_bool is_started;
	atomic_uint n_alive; /* Sources that are not freed yet. */
	ARRAY_OF(struct source *) sources;
};

struct attempt {
	struct source *source;
	struct stream *stream; /* NULL if it failed. */
};

static void connect_source(struct source *source);

static void free_source(struct source *source)
{
	loop_timer_free(source->timer);
	atomic_fetch_sub(&source->hub->n_alive, 1);
	free(source->name);
	free(source->address);
	free(source);
}

/* Takes a source out of use; what still refers to it frees it. */
static void drop_source(struct source *source)
{
	source->is_dropped = true;
	if (source->timer)
		loop_timer_stop(source->timer);
	if (source->ws)
		websocket_abort(source->ws);
	else if (!source->is_connecting)
		free_source(source);
}

static void timer_fired(void *arg)
{
	connect_source(arg);
}

static void try_again_later(struct source *source)
{
	if (!source->timer)
		source->timer =
			loop_timer_new(source->hub->loop, source->pause_ms, 0, timer_fired, source);
	else
		loop_timer_set(source->timer, source->pause_ms, 0);
	source->pause_ms =
		source->pause_ms * 2 > MAX_PAUSE_MS ? MAX_PAUSE_MS : source->pause_ms * 2;
}

static void on_message(struct websocket *ws, enum websocket_type type, const void *data,
                       size_t size, void *arg)
{
	struct source *source = arg;

	if (type == WEBSOCKET_TEXT && !source->is_dropped)
		HOOK(source->hub->cluster, event, source->name, data, size);
}

static void on_close(struct websocket *ws, unsigned code, void *arg)
{
	struct source *source = arg;

	websocket_unref(source->ws);
	source->ws = NULL;
	if (source->is_dropped) {
		free_source(source);
		return;
	}

	log_debug("Events of member \"%s\" ended (%u)", source->name, code);
	heartbeat_suspect(source->hub->cluster, source->address);
	source->pause_ms = FIRST_PAUSE_MS;
	try_again_later(source);
}

/* On the loop: the worker is back. */
static void connected(void *arg)
{
	struct attempt *attempt = arg;
	struct source *source = attempt->source;
	struct stream *stream = attempt->stream;

	free(attempt);
	source->is_connecting = false;
	if (source->is_dropped) {
		stream_free(stream);
		free_source(source);
		return;
	}
	if (!stream) {
		try_again_later(source);
		return;
	}

	const struct websocket_config config = { .role = WEBSOCKET_CLIENT,
		                                 .on_message = on_message,
		                                 .on_close = on_close,
		                                 .arg = source };
	source->pause_ms = FIRST_PAUSE_MS;
	source->ws = websocket_new_take(source->hub->loop, stream, &config);
}

/* On a worker. */
static void run_attempt(void *arg)
{
	struct attempt *attempt = arg;
	const struct source *source = attempt->source;
	struct events_hub *hub = source->hub;
	scoped(error_freep) struct error *err = NULL;

	if (connect_upgrade(hub->cluster, source->address,
	                    &(struct connect_upgrade){ .path = EVENTS_PATH,
	                                               .protocol = "websocket",
	                                               .timeout_ms = CONNECT_TIMEOUT_MS,
	                                               .cancel = hub->cancel },
	                    &attempt->stream, &err) < 0)
		log_debug("Failed listening to member \"%s\": %s", source->name, err->msg);
	loop_call(hub->loop, connected, attempt);
}

static void connect_source(struct source *source)
{
	if (source->is_connecting || source->ws || source->is_dropped)
		return;

	struct attempt *attempt = xcalloc(1, sizeof(*attempt));
	attempt->source = source;
	source->is_connecting = true;
	if (worker_submit(source->hub->cluster->calls, run_attempt, attempt) < 0) {
		free(attempt);
		source->is_connecting = false;
		try_again_later(source);
	}
}

/* --- The list --- */

static const struct member *wanted(const struct member_list *list, int64_t own_id,
                                   const struct source *source)
{
	const struct member *m = member_list_by_id(list, source->id);
	bool is_same = m && m->id != own_id && strcmp(m->address, source->address) == 0 &&
	               strcmp(m->name, source->name) == 0;

	return is_same && m->is_online && m->state != MEMBER_PENDING ? m : NULL;
}

static bool has_source(const struct events_hub *hub, int64_t id)
{
	for (size_t i = 0; i < hub->sources.n_items; i++) {
		if (hub->sources.items[i]->id == id)
			return true;
	}

	return false;
}

static void add_source(struct events_hub *hub, const struct member *m)
{
	struct source *source = xcalloc(1, sizeof(*source));

	source->hub = hub;
	source->id = m->id;
	source->name = xstrdup(m->name);
	source->address = xstrdup(m->address);
	source->pause_ms = FIRST_PAUSE_MS;
	atomic_fetch_add(&hub->n_alive, 1);
	ARRAY_ADD(&hub->sources, source);
	connect_source(source);
}

static void update(void *arg)
{
	struct events_hub *hub = arg;
	bool is_on = atomic_load(&hub->is_started) && cluster_is_enabled(hub->cluster);
	int64_t own_id = cluster_member_id(hub->cluster);
	scoped(member_list_unrefp) struct member_list *list = cluster_members(hub->cluster);

	for (size_t i = hub->sources.n_items; i-- > 0;) {
		struct source *source = hub->sources.items[i];

		if (is_on && wanted(list, own_id, source))
			continue;
		ARRAY_REMOVE(&hub->sources, i);
		drop_source(source);
	}
	for (size_t i = 0; is_on && i < list->n_members; i++) {
		const struct member *m = &list->members[i];

		if (m->id != own_id && m->is_online && m->state != MEMBER_PENDING &&
		    !has_source(hub, m->id))
			add_source(hub, m);
	}
}

struct events_hub *events_hub_new(struct cluster *cluster, struct loop *loop)
{
	struct events_hub *hub = xcalloc(1, sizeof(*hub));

	hub->cluster = cluster;
	hub->loop = loop;
	hub->cancel = cancel_new(NULL);

	return hub;
}

void events_hub_start(struct events_hub *hub)
{
	atomic_store(&hub->is_started, true);
	loop_call(hub->loop, update, hub);
}

void events_hub_update(struct events_hub *hub)
{
	if (atomic_load(&hub->is_started))
		loop_call(hub->loop, update, hub);
}

void events_hub_stop(struct events_hub *hub)
{
	atomic_store(&hub->is_started, false);
	cancel_fire(hub->cancel);
	loop_call_wait(hub->loop, update, hub);
}

static void nothing(void *arg)
{
}

void events_hub_free(struct events_hub *hub)
{
	if (!hub)
		return;

	events_hub_stop(hub);
	/* Workers and websockets let go of their sources, each by a call of the loop. */
	while (atomic_load(&hub->n_alive) > 0) {
		const struct timespec pause = { .tv_nsec = 1000000 };

		loop_call_wait(hub->loop, nothing, NULL);
		nanosleep(&pause, NULL);
	}
	ARRAY_DONE(&hub->sources);
	cancel_unref(hub->cancel);
	free(hub);
}
