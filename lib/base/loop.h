/*
 * The event loop: one libuv loop on a thread of its own.
 *
 * All callbacks run on that thread and must not block. loop_call() may be used from any thread; the
 * functions for timers and watches too: they are handed over to the loop thread, in order. Freeing
 * one from the loop thread is immediate; from another thread, its callback may still be running
 * when the free returns, so let go of what it uses in a loop_call() or use loop_call_wait().
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/macro.h"
#include "lib/base/scoped.h"

struct loop;
struct loop_timer;
struct loop_watch;
struct uv_loop_s;

/* Starts the thread. Returns NULL if the system has no resources for it. */
struct loop *loop_new(const char *name) MUST_CHECK;

/*
 * Runs the calls that wait, closes all timers and watches that are left, ends the thread and frees
 * the loop. Not from the loop thread. Handles made through loop_uv() must be closed before.
 */
void loop_free(struct loop *l);
DEFINE_SCOPED(struct loop *, loop_free);

/* Whether this is the loop's thread. */
bool loop_is_current(const struct loop *l);

/* The libuv loop, borrowed; to be touched on its thread only. */
struct uv_loop_s *loop_uv(struct loop *l);

/* Runs 'fn' on the loop thread, after what was called before; never within this call. */
void loop_call(struct loop *l, void (*fn)(void *arg), void *arg);

/* The same, and waits until it ran. On the loop thread it runs at once. */
void loop_call_wait(struct loop *l, void (*fn)(void *arg), void *arg);

/* Calls 'fn' after 'delay_ms' and then each 'repeat_ms' (0: only once) until it is freed. */
struct loop_timer *loop_timer_new(struct loop *l, uint64_t delay_ms, uint64_t repeat_ms,
                                  void (*fn)(void *arg), void *arg) MUST_CHECK;

/* Starts it anew with other times. */
void loop_timer_set(struct loop_timer *t, uint64_t delay_ms, uint64_t repeat_ms);

/* Stops it; loop_timer_set() starts it again. */
void loop_timer_stop(struct loop_timer *t);
void loop_timer_free(struct loop_timer *t);

enum loop_event {
	LOOP_READABLE = 1 << 0,
	LOOP_WRITABLE = 1 << 1,
	LOOP_GONE =
		1 << 2, /* The peer closed; also reported for errors with all that is watched. */
};

/* Calls 'fn' while 'fd' (which stays the caller's, is nonblocking, and outlives it) has 'events'.
 */
struct loop_watch *loop_watch_new(struct loop *l, int fd, unsigned events,
                                  void (*fn)(unsigned events, void *arg), void *arg) MUST_CHECK;

/* Watches for other events; 0 pauses it. */
void loop_watch_set(struct loop_watch *w, unsigned events);

/* After this, on the loop thread, the fd may be closed; elsewhere use loop_watch_free_wait(). */
void loop_watch_free(struct loop_watch *w);

/* Waits until the loop has let go of the fd. */
void loop_watch_free_wait(struct loop_watch *w);
