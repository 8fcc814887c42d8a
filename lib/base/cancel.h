/*
 * Cancellation and deadlines that travel with a request or an operation.
 *
 * Whoever waits or works long asks cancel_code() between its steps, waits with cancel_wait(), polls
 * cancel_fd(), or registers a callback. Everything takes NULL for "cannot be cancelled".
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/date.h"
#include "lib/base/macro.h"
#include "lib/base/scoped.h"

struct cancel;

/* A new one; if 'parent' is not NULL, it is cancelled with its parent, which it keeps alive. */
struct cancel *cancel_new(struct cancel *parent) MUST_CHECK;
struct cancel *cancel_ref(struct cancel *c);
void cancel_unref(struct cancel *c);
DEFINE_SCOPED(struct cancel *, cancel_unref);

/* Cancels; the first call counts. Callbacks run on the calling thread before it returns. */
void cancel_fire(struct cancel *c);

/* After this (date_deadline()) it counts as cancelled; wakes waiters, but calls no callbacks. */
void cancel_set_deadline(struct cancel *c, int64_t deadline);
int64_t cancel_deadline(struct cancel *c);

/* 0, -ECANCELED, or -ETIMEDOUT when the deadline is over. */
int cancel_code(struct cancel *c);

/* Waits until it is cancelled or 'deadline' is over; returns as cancel_code(). */
int cancel_wait(struct cancel *c, int64_t deadline);

/* An fd that becomes readable when it is cancelled (not at the deadline); borrowed. -1 for NULL. */
int cancel_fd(struct cancel *c);

/* Calls 'fn' when it is cancelled, at once if it was. Returns an id for cancel_off(); 0 for NULL.
 */
uint64_t cancel_on(struct cancel *c, void (*fn)(void *arg), void *arg);

/* Forgets a callback. When it returns, the callback neither runs (unless it is the caller) nor
 * will. */
void cancel_off(struct cancel *c, uint64_t id);
