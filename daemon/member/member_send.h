/*
 * The source's end of a volume on its way: POST /internal/volumes/send, upgraded to a stream.
 *
 * The target asks for one pass and gets what storage_transfer_send() writes. It may ask again; the
 * instance need not be stopped before the last pass.
 */
#pragma once

#include "lib/base/error.h"

struct state;
struct stream;

struct member_send {
	char *project;
	char *instance;
	unsigned pass;
	int is_last;
	int is_refresh;
	unsigned long long bandwidth;
};

/* Sends on a thread for phases; the stream is closed at the end, and may be NULL: the client has
 * gone. Takes both. */
void member_send_start(struct state *state, struct member_send *send_take,
                       struct stream *stream_take);

/* The target's end: connects to 'source' and receives one pass. 'ret_bytes' came over the wire. */
int member_send_receive(struct state *state, const char *source, const struct member_send *send,
                        unsigned long long *ret_bytes, struct error **err);

void member_send_free(struct member_send *send);
