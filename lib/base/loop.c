/*
 * Timers and watches are written to from any thread: what is wanted is stored under the lock, and a
 * call that applies it is queued. Their memory goes in two steps. Freeing only marks them and
 * queues the close, which therefore comes after every call that was queued for them before.
 */
#include "lib/base/loop.h"

#include <stdlib.h>

#include <uv.h>

#include "lib/base/alloc.h"
#include "lib/base/list.h"
#include "lib/base/thread.h"

#define STACK_SIZE ((size_t)1024 * 1024) /* TLS handshakes run on the loop. */

struct call {
	struct list link;
	void (*fn)(void *arg);
	void *arg;
};

struct loop {
	struct mutex lock;
	uv_loop_t uv;
	uv_async_t wake;
	pthread_t thread;
	struct list calls GUARDED;
	bool is_stopping GUARDED;
};

struct loop_timer {
	struct loop *loop;
	uv_timer_t uv;
	void (*fn)(void *arg);
	void *arg;
	uint64_t delay_ms GUARDED;
	uint64_t repeat_ms GUARDED;
	bool is_wanted GUARDED;  /* To be started, not stopped, */
	bool is_changed GUARDED; /* when this is applied next. */
	bool is_freed GUARDED;
	bool is_initialised; /* Loop thread only. */
};

struct loop_watch {
	struct loop *loop;
	uv_poll_t uv;
	int fd;
	void (*fn)(unsigned events, void *arg);
	void *arg;
	unsigned events GUARDED;
	bool is_freed GUARDED;

	/* Loop thread only. */
	unsigned n_users;
	bool is_initialised;
	bool is_closed; /* The fd is no longer used. */
};

static struct call *take_call(struct loop *l)
{
	mutex_lock(&l->lock);
	struct call *call = LIST_FIRST(&l->calls, struct call, link);
	if (call)
		list_remove(&call->link);
	mutex_unlock(&l->lock);
	return call;
}

/* Runs what was called up to now; what is called meanwhile waits for the next round. */
static void run_calls(struct loop *l)
{
	struct list calls;
	struct call *call;

	list_init(&calls);
	while ((call = take_call(l)))
		list_add_last(&calls, &call->link);

	LIST_FOREACH (call, &calls, link) {
		call->fn(call->arg);
		free(call);
	}
}

static bool is_over(struct loop *l)
{
	mutex_lock(&l->lock);
	bool is_stopping = l->is_stopping && list_is_empty(&l->calls);
	mutex_unlock(&l->lock);
	return is_stopping;
}

static void on_wake(uv_async_t *wake)
{
	struct loop *l = wake->data;

	run_calls(l);
	if (is_over(l))
		uv_stop(&l->uv);
}

static void free_timer(uv_handle_t *handle)
{
	free(handle->data);
}

/* The last of libuv and the queue to let go of a watch frees it. */
static void drop_watch(struct loop_watch *w)
{
	if (--w->n_users == 0)
		free(w);
}

static void on_watch_closed(uv_handle_t *handle)
{
	drop_watch(handle->data);
}

static void on_timer(uv_timer_t *uv)
{
	struct loop_timer *t = uv->data;

	mutex_lock(&t->loop->lock);
	bool is_freed = t->is_freed;
	mutex_unlock(&t->loop->lock);
	if (!is_freed)
		t->fn(t->arg);
}

static void on_poll(uv_poll_t *uv, int status, int uv_events)
{
	struct loop_watch *w = uv->data;
	unsigned events = 0;

	mutex_lock(&w->loop->lock);
	bool is_freed = w->is_freed;
	unsigned wanted = w->events;
	mutex_unlock(&w->loop->lock);
	if (is_freed)
		return;

	if (status < 0)
		events = wanted | LOOP_GONE;
	if (uv_events & UV_READABLE)
		events |= LOOP_READABLE;
	if (uv_events & UV_WRITABLE)
		events |= LOOP_WRITABLE;
	if (uv_events & UV_DISCONNECT)
		events |= LOOP_GONE;
	w->fn(events, w->arg);
}

static void free_left_watch(uv_handle_t *handle)
{
	free(handle->data);
}

/* What is left when the loop ends. Memory of handles made through loop_uv() is their maker's. */
static void close_left(uv_handle_t *handle, void *arg)
{
	if (uv_is_closing(handle))
		return;

	uv_close_cb on_close = NULL;
	if (handle->type == UV_TIMER && ((uv_timer_t *)handle)->timer_cb == on_timer)
		on_close = free_timer;
	if (handle->type == UV_POLL && ((uv_poll_t *)handle)->poll_cb == on_poll)
		on_close = free_left_watch;
	uv_close(handle, on_close);
}

static void *run_loop(void *arg)
{
	struct loop *l = arg;

	uv_run(&l->uv, UV_RUN_DEFAULT);
	uv_walk(&l->uv, close_left, NULL);
	uv_run(&l->uv, UV_RUN_DEFAULT);
	return NULL;
}

struct loop *loop_new(const char *name)
{
	struct loop *l = xcalloc(1, sizeof(*l));

	mutex_init(&l->lock);
	mutex_lock(&l->lock);
	list_init(&l->calls);
	mutex_unlock(&l->lock);

	if (uv_loop_init(&l->uv) < 0) {
		free(l);
		return NULL;
	}
	l->wake.data = l;
	l->uv.data = l;
	if (uv_async_init(&l->uv, &l->wake, on_wake) == 0) {
		if (thread_start(&l->thread, name, STACK_SIZE, run_loop, l) == 0)
			return l;

		uv_close((uv_handle_t *)&l->wake, NULL);
		uv_run(&l->uv, UV_RUN_DEFAULT);
	}
	uv_loop_close(&l->uv);
	free(l);
	return NULL;
}

static void nothing(void *arg)
{
}

void loop_free(struct loop *l)
{
	if (!l)
		return;

	assert(!loop_is_current(l));
	mutex_lock(&l->lock);
	l->is_stopping = true;
	mutex_unlock(&l->lock);
	uv_async_send(&l->wake);
	pthread_join(l->thread, NULL);

	for (struct call *call; (call = take_call(l));)
		free(call);
	uv_loop_close(&l->uv);
	mutex_done(&l->lock);
	free(l);
}

bool loop_is_current(const struct loop *l)
{
	return pthread_equal(l->thread, pthread_self());
}

struct uv_loop_s *loop_uv(struct loop *l)
{
	return &l->uv;
}

void loop_call(struct loop *l, void (*fn)(void *arg), void *arg)
{
	struct call *call = xmalloc(sizeof(*call));

	*call = (struct call){ .fn = fn, .arg = arg };
	mutex_lock(&l->lock);
	list_add_last(&l->calls, &call->link);
	mutex_unlock(&l->lock);
	uv_async_send(&l->wake);
}

struct waiting_call {
	struct mutex lock;
	struct cond is_done;
	void (*fn)(void *arg);
	void *arg;
	bool has_run GUARDED;
};

static void run_waiting_call(void *arg)
{
	struct waiting_call *call = arg;

	call->fn(call->arg);

	/* The waiter owns the struct: it is gone once the lock is. */
	mutex_lock(&call->lock);
	call->has_run = true;
	cond_signal(&call->is_done);
	mutex_unlock(&call->lock);
}

void loop_call_wait(struct loop *l, void (*fn)(void *arg), void *arg)
{
	if (loop_is_current(l)) {
		fn(arg);
		return;
	}

	struct waiting_call call = {
		.lock = MUTEX_INIT, .is_done = COND_INIT, .fn = fn, .arg = arg
	};
	loop_call(l, run_waiting_call, &call);
	mutex_lock(&call.lock);
	while (!call.has_run)
		cond_wait(&call.is_done, &call.lock);
	mutex_unlock(&call.lock);
}

static void apply_timer(void *arg)
{
	struct loop_timer *t = arg;

	mutex_lock(&t->loop->lock);
	bool is_due = t->is_changed && !t->is_freed, is_wanted = t->is_wanted;
	uint64_t delay_ms = t->delay_ms, repeat_ms = t->repeat_ms;
	t->is_changed = false;
	mutex_unlock(&t->loop->lock);
	if (!is_due)
		return;

	if (!t->is_initialised) {
		uv_timer_init(&t->loop->uv, &t->uv);
		t->uv.data = t;
		t->is_initialised = true;
	}
	if (is_wanted) {
		uv_update_time(&t->loop->uv);
		uv_timer_start(&t->uv, on_timer, delay_ms, repeat_ms);
	} else {
		uv_timer_stop(&t->uv);
	}
}

static void change_timer(struct loop_timer *t, bool is_wanted, uint64_t delay_ms,
                         uint64_t repeat_ms)
{
	mutex_lock(&t->loop->lock);
	t->is_wanted = is_wanted;
	t->delay_ms = delay_ms;
	t->repeat_ms = repeat_ms;
	t->is_changed = true;
	mutex_unlock(&t->loop->lock);

	if (loop_is_current(t->loop))
		apply_timer(t);
	else
		loop_call(t->loop, apply_timer, t);
}

struct loop_timer *loop_timer_new(struct loop *l, uint64_t delay_ms, uint64_t repeat_ms,
                                  void (*fn)(void *arg), void *arg)
{
	struct loop_timer *t = xcalloc(1, sizeof(*t));

	t->loop = l;
	t->fn = fn;
	t->arg = arg;
	change_timer(t, true, delay_ms, repeat_ms);
	return t;
}

void loop_timer_set(struct loop_timer *t, uint64_t delay_ms, uint64_t repeat_ms)
{
	change_timer(t, true, delay_ms, repeat_ms);
}

void loop_timer_stop(struct loop_timer *t)
{
	change_timer(t, false, 0, 0);
}

static void close_timer(void *arg)
{
	struct loop_timer *t = arg;

	if (t->is_initialised)
		uv_close((uv_handle_t *)&t->uv, free_timer);
	else
		free(t);
}

void loop_timer_free(struct loop_timer *t)
{
	if (!t)
		return;

	struct loop *l = t->loop;
	mutex_lock(&l->lock);
	t->is_freed = true;
	mutex_unlock(&l->lock);
	loop_call(l, close_timer, t);
}

static void report_unwatchable(void *arg)
{
	struct loop_watch *w = arg;

	mutex_lock(&w->loop->lock);
	bool is_freed = w->is_freed;
	unsigned events = w->events;
	mutex_unlock(&w->loop->lock);
	if (!is_freed)
		w->fn(events | LOOP_GONE, w->arg);
}

static void apply_watch(void *arg)
{
	struct loop_watch *w = arg;
	int uv_events = 0;

	mutex_lock(&w->loop->lock);
	bool is_freed = w->is_freed;
	unsigned events = w->events;
	mutex_unlock(&w->loop->lock);
	if (is_freed || w->is_closed)
		return;

	if (!w->is_initialised) {
		if (uv_poll_init(&w->loop->uv, &w->uv, w->fd) < 0) {
			w->is_closed = true;
			loop_call(w->loop, report_unwatchable, w);
			return;
		}
		w->uv.data = w;
		w->is_initialised = true;
	}
	if (events & LOOP_READABLE)
		uv_events |= UV_READABLE;
	if (events & LOOP_WRITABLE)
		uv_events |= UV_WRITABLE;
	if (events & LOOP_GONE)
		uv_events |= UV_DISCONNECT;
	if (uv_events)
		uv_poll_start(&w->uv, uv_events, on_poll);
	else
		uv_poll_stop(&w->uv);
}

static void change_watch(struct loop_watch *w, unsigned events)
{
	mutex_lock(&w->loop->lock);
	w->events = events;
	mutex_unlock(&w->loop->lock);

	if (loop_is_current(w->loop))
		apply_watch(w);
	else
		loop_call(w->loop, apply_watch, w);
}

struct loop_watch *loop_watch_new(struct loop *l, int fd, unsigned events,
                                  void (*fn)(unsigned events, void *arg), void *arg)
{
	struct loop_watch *w = xcalloc(1, sizeof(*w));

	w->loop = l;
	w->fd = fd;
	w->fn = fn;
	w->arg = arg;
	w->n_users = 1;
	change_watch(w, events);
	return w;
}

void loop_watch_set(struct loop_watch *w, unsigned events)
{
	change_watch(w, events);
}

/*
 * Lets go of the fd. This is a uv_close() and not only a uv_poll_stop(), since a later close would
 * also end whatever else had got the same number by then.
 */
static void release_watch(struct loop_watch *w)
{
	if (w->is_initialised && !w->is_closed) {
		w->n_users++;
		uv_close((uv_handle_t *)&w->uv, on_watch_closed);
	}
	w->is_closed = true;
}

static void close_watch(void *arg)
{
	struct loop_watch *w = arg;

	release_watch(w);
	drop_watch(w);
}

void loop_watch_free(struct loop_watch *w)
{
	if (!w)
		return;

	struct loop *l = w->loop;
	mutex_lock(&l->lock);
	w->is_freed = true;
	mutex_unlock(&l->lock);

	if (loop_is_current(l))
		release_watch(w);
	loop_call(l, close_watch, w);
}

void loop_watch_free_wait(struct loop_watch *w)
{
	if (!w)
		return;

	struct loop *l = w->loop;
	loop_watch_free(w);
	if (!loop_is_current(l))
		loop_call_wait(l, nothing, NULL);
}
