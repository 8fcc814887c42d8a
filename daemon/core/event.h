/*
 * Events: publish and subscribe.
 *
 * Three types go to those who listen on /1.0/events: "operation", "lifecycle" and "logging". Each
 * member publishes what happens on it, stamped with its name; what comes from the others through
 * the cluster's hub is published here once more with their name on it and never sent back.
 *
 * Publishing never blocks: an event is printed once, put in a queue and written by the loop thread.
 * A listener that does not read is dropped when its queue is full.
 */
#pragma once

#include <stdbool.h>

#include "lib/base/error.h"

struct event_hub;
struct json_object;
struct requestor;
struct state;
struct stream;

enum event_type { EVENT_LOGGING, EVENT_OPERATION, EVENT_LIFECYCLE };

/* The API's name of a type, borrowed. */
const char *event_type_name(enum event_type type);

struct event_hub *event_hub_new(struct state *state) MUST_CHECK;
void event_hub_free(struct event_hub *hub);

/* Publishes one of this member's own. 'project' may be NULL: for those who hear all. */
void event_publish(struct state *state, enum event_type type, const char *project,
                   struct json_object *metadata_take);

/*
 * Publishes what another member sent: the whole event, location included. Refused (400) without
 * one, or when it names this member.
 */
int event_publish_remote(struct state *state, struct json_object *event, struct error **err);

/* Which events a listener wants. */
struct event_filter {
	unsigned int types;  /* Bits 1 << enum event_type. */
	const char *project; /* NULL: all that 'requestor' may see. */
	const struct requestor *requestor;
	bool is_peer;  /* Another member: only what happened here. */
	int min_level; /* Lowest level of logging: 0 debug, 1 info, 2 warning, 3 error. */
};

/* Listens for as long as the websocket on 'stream' lives. */
int event_listen(struct state *state, struct stream *stream_take, const struct event_filter *filter,
                 struct error **err);

/* Whether anybody listens: expensive events need not be made for nobody. */
bool event_has_listeners(struct state *state, enum event_type type);

/* Closes all listeners, or those of one certificate that is no longer trusted. */
void event_close_listeners(struct state *state, const char *fingerprint);
