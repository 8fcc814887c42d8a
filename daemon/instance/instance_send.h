/*
 * The source's end of a volume on its way: POST /internal/volumes/send, upgraded to a stream.
 *
 * The target asks for one pass and gets what storage_transfer_send() writes. It may ask again; the
 * instance need not be stopped before the last pass.
 */
#pragma once

#include <stdint.h>

#include "lib/base/error.h"

struct operation;
struct state;
struct storage_instance;
struct stream;

struct instance_send {
	char *project;
	char *instance;
	char *snapshot; /* Its state instead, or NULL. */
	unsigned pass;
	int is_last;
	int is_refresh;
	int is_alone; /* Without its snapshots. */
	unsigned long long bandwidth;
	_Atomic uint64_t *live; /* The target's end: what has come so far, or NULL. */
};

/* Sends on a thread of the service; the stream is closed at the end, and may be NULL: the client
 * has gone. Takes both. */
void instance_send_start(struct state *state, struct instance_send *send_take,
                         struct stream *stream_take);

/*
 * The target's end: connects to the member 'source' and receives one pass into 'sink', the volume
 * of that instance or of a copy. No rows are written. 'ret_bytes' came over the wire; 'op' may be
 * NULL.
 */
int instance_send_receive(struct state *state, struct operation *op, const char *source,
                          const struct instance_send *send, const struct storage_instance *sink,
                          unsigned long long *ret_bytes, struct error **err);

void instance_send_free(struct instance_send *send);
