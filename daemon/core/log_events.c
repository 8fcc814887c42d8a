#include "daemon/core/log_events.h"

#include <stddef.h>

#include "daemon/core/event.h"
#include "lib/base/log.h"
#include "lib/data/jv.h"

static void sink(const struct log_message *m, void *arg)
{
	struct state *state = arg;

	if (!event_has_listeners(state, EVENT_LOGGING))
		return;

	struct json_object *metadata = jv_object();
	struct json_object *context = jv_object();

	for (size_t i = 0; i < m->n_pairs; i++)
		jv_set_string(context, m->pairs[i].key, m->pairs[i].value);
	jv_set_string(metadata, "message", m->text);
	jv_set_string(metadata, "level", log_level_name(m->level));
	jv_set_take(metadata, "context", context);
	event_publish(state, EVENT_LOGGING, NULL, metadata);
}

void log_events_start(struct state *state)
{
	/* What the log leaves out is not made for listeners alone. */
	log_set_sink(log_is_on(LOG_LEVEL_DEBUG) ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO, sink, state);
}

void log_events_stop(void)
{
	log_set_sink(LOG_LEVEL_ERROR, NULL, NULL);
}
