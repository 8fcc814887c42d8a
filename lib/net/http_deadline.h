/*
 * Deadlines of connections: a few kinds, each of one length, so that a list per kind is in order.
 *
 * Setting and clearing costs no more than a list operation; one timer serves all. On the loop
 * thread.
 */
#pragma once

#include <stdint.h>

#include "lib/base/list.h"

enum http_deadline_kind {
	HTTP_DEADLINE_HANDSHAKE,
	HTTP_DEADLINE_HEAD,
	HTTP_DEADLINE_BODY,
	HTTP_DEADLINE_SEND,
	HTTP_DEADLINE_IDLE,
	HTTP_DEADLINE_LINGER,
	N_HTTP_DEADLINES,
};

struct http_deadline {
	struct list entry;
	enum http_deadline_kind kind;
	int64_t due;
};

struct loop;

struct http_deadlines {
	struct loop_timer *timer;
	int64_t timer_due;
	unsigned ms[N_HTTP_DEADLINES];
	struct list lists[N_HTTP_DEADLINES];
	void (*expired)(struct http_deadline *d);
};

/* 'expired' gets a deadline that is cleared already. 'ms' is filled in by the caller. */
void http_deadline_init(struct http_deadlines *all, struct loop *loop,
                        void (*expired)(struct http_deadline *d));
void http_deadline_done(struct http_deadlines *all);

/* From now on; moves one that is set. */
void http_deadline_set(struct http_deadlines *all, struct http_deadline *d,
                       enum http_deadline_kind kind);
void http_deadline_clear(struct http_deadline *d);
