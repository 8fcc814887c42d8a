#include "lib/net/http_deadline.h"

#include "lib/base/date.h"
#include "lib/base/loop.h"

/* The timer is only ever made earlier here; on_timer() makes it later. */
static void arm(struct http_deadlines *all, int64_t due)
{
	if (due >= all->timer_due)
		return;

	int64_t left = due - date_monotonic();
	all->timer_due = due;
	loop_timer_set(all->timer, left > 0 ? (uint64_t)left : 0, 0);
}

static void on_timer(void *arg)
{
	struct http_deadlines *all = arg;
	int64_t now = date_monotonic(), next = INT64_MAX;

	all->timer_due = INT64_MAX;
	for (unsigned kind = 0; kind < N_HTTP_DEADLINES; kind++) {
		struct http_deadline *d;

		while ((d = LIST_FIRST(&all->lists[kind], struct http_deadline, entry)) &&
		       d->due <= now) {
			list_remove(&d->entry);
			all->expired(d);
		}
		if (d && d->due < next)
			next = d->due;
	}
	arm(all, next);
}

void http_deadline_init(struct http_deadlines *all, struct loop *loop,
                        void (*expired)(struct http_deadline *d))
{
	for (unsigned kind = 0; kind < N_HTTP_DEADLINES; kind++)
		list_init(&all->lists[kind]);
	all->expired = expired;
	all->timer_due = INT64_MAX;
	all->timer = loop_timer_new(loop, 0, 0, on_timer, all);
	loop_timer_stop(all->timer);
}

void http_deadline_done(struct http_deadlines *all)
{
	loop_timer_free(all->timer);
}

void http_deadline_set(struct http_deadlines *all, struct http_deadline *d,
                       enum http_deadline_kind kind)
{
	list_remove(&d->entry);
	d->kind = kind;
	d->due = date_monotonic() + all->ms[kind];
	list_add_last(&all->lists[kind], &d->entry);
	arm(all, d->due);
}

void http_deadline_clear(struct http_deadline *d)
{
	list_remove(&d->entry);
}
