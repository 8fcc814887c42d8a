/*
 * Moving bytes between two streams on the loop, without a thread.
 *
 * Both ways at once, with half-close: when one side ends its direction, the other side's is shut
 * down after the last byte. A pump ends when both directions have ended or either side fails.
 */
#pragma once

#include "lib/base/error.h"
#include "lib/net/stream.h"

/* Called on the loop thread once, after both streams are closed. 'status' is 0 or a negative errno.
 */
typedef void stream_pump_done_fn(int status, void *arg);

/* From any thread. Takes both streams. 'done' may be NULL. */
void stream_pump_take(struct loop *loop, struct stream *a, struct stream *b,
                      stream_pump_done_fn *done, void *arg);

/* Ends all pumps of a loop that is about to stop, with -ECANCELED. Not from the loop's thread. */
void stream_pump_end_all(struct loop *loop);

/*
 * A plain descriptor whose other end is pumped from and to 's' (taken): for dqlite, which knows
 * descriptors only. A stream that is a plain socket without surplus is handed out as it is. Returns
 * the descriptor or a negative errno (the stream is closed then).
 */
int stream_pump_to_fd(struct loop *loop, struct stream *s);
