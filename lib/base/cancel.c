#include "lib/base/cancel.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/base/alloc.h"
#include "lib/base/list.h"
#include "lib/base/refs.h"
#include "lib/base/thread.h"

struct callback {
	struct list link;
	uint64_t id;
	void (*fn)(void *arg);
	void *arg;
};

struct cancel {
	struct mutex lock;
	struct refs refs;
	struct cond changed;
	struct cancel *parent;
	uint64_t parent_id;
	struct list callbacks GUARDED;
	uint64_t last_id GUARDED;
	uint64_t running_id GUARDED; /* The callback that runs just now, or 0. */
	pthread_t runner GUARDED;    /* The thread that it runs on. */
	int64_t deadline GUARDED;
	int event GUARDED; /* An eventfd, or -1. */
	bool is_fired GUARDED;
};

/* The child may be on its way out: it then waits in cancel_off() until this is over. */
static void fire_child(void *arg)
{
	struct cancel *child = arg;

	if (!refs_get_if_used(&child->refs))
		return;

	cancel_fire(child);
	cancel_unref(child);
}

struct cancel *cancel_new(struct cancel *parent)
{
	struct cancel *c = xcalloc(1, sizeof(*c));

	mutex_init(&c->lock);
	refs_init(&c->refs);
	cond_init(&c->changed);
	mutex_lock(&c->lock);
	list_init(&c->callbacks);
	c->deadline = DEADLINE_NEVER;
	c->event = -1;
	mutex_unlock(&c->lock);

	if (parent) {
		c->parent = cancel_ref(parent);
		cancel_set_deadline(c, cancel_deadline(parent));
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): the caller's reference keeps it. */
		c->parent_id = cancel_on(parent, fire_child, c);
	}
	return c;
}

struct cancel *cancel_ref(struct cancel *c)
{
	if (c)
		refs_get(&c->refs);
	return c;
}

static void destroy(struct cancel *c) NO_LOCK_CHECK
{
	struct callback *cb;

	cancel_off(c->parent, c->parent_id);
	cancel_unref(c->parent);
	LIST_FOREACH (cb, &c->callbacks, link)
		free(cb);
	if (c->event >= 0)
		close(c->event);
	cond_done(&c->changed);
	mutex_done(&c->lock);
	free(c);
}

void cancel_unref(struct cancel *c)
{
	if (c && refs_put(&c->refs))
		destroy(c);
}

/* Runs the callbacks one by one, each without the lock. */
static void run_callbacks(struct cancel *c) REQUIRES(c->lock) NO_LOCK_CHECK
{
	struct callback *cb;

	while ((cb = LIST_FIRST(&c->callbacks, struct callback, link))) {
		list_remove(&cb->link);
		c->running_id = cb->id;
		c->runner = pthread_self();
		mutex_unlock(&c->lock);

		cb->fn(cb->arg);
		free(cb);

		mutex_lock(&c->lock);
		c->running_id = 0;
		cond_broadcast(&c->changed);
	}
}

void cancel_fire(struct cancel *c)
{
	if (!c)
		return;

	/* A callback may drop the last reference of the others. */
	cancel_ref(c);
	mutex_lock(&c->lock);
	if (!c->is_fired) {
		c->is_fired = true;
		if (c->event >= 0)
			eventfd_write(c->event, 1);
		cond_broadcast(&c->changed);
		run_callbacks(c);
	}
	mutex_unlock(&c->lock);
	cancel_unref(c);
}

void cancel_set_deadline(struct cancel *c, int64_t deadline)
{
	if (!c)
		return;

	mutex_lock(&c->lock);
	c->deadline = deadline;
	cond_broadcast(&c->changed);
	mutex_unlock(&c->lock);
}

int64_t cancel_deadline(struct cancel *c)
{
	if (!c)
		return DEADLINE_NEVER;

	mutex_lock(&c->lock);
	int64_t deadline = c->deadline;
	mutex_unlock(&c->lock);
	return deadline;
}

static int code_locked(const struct cancel *c) REQUIRES(c->lock)
{
	if (c->is_fired)
		return -ECANCELED;

	return c->deadline != DEADLINE_NEVER && date_left(c->deadline) == 0 ? -ETIMEDOUT : 0;
}

int cancel_code(struct cancel *c)
{
	if (!c)
		return 0;

	mutex_lock(&c->lock);
	int code = code_locked(c);
	mutex_unlock(&c->lock);
	return code;
}

int cancel_wait(struct cancel *c, int64_t deadline)
{
	struct mutex lock = MUTEX_INIT;
	struct cond never = COND_INIT;

	if (!c) {
		mutex_lock(&lock);
		while (date_left(deadline) != 0)
			thread_cond_wait_until(&never, &lock, deadline);
		mutex_unlock(&lock);
		return 0;
	}

	mutex_lock(&c->lock);
	while (code_locked(c) == 0 && date_left(deadline) != 0)
		thread_cond_wait_until(&c->changed, &c->lock, MIN_OF(deadline, c->deadline));
	int code = code_locked(c);
	mutex_unlock(&c->lock);
	return code;
}

int cancel_fd(struct cancel *c)
{
	if (!c)
		return -1;

	mutex_lock(&c->lock);
	if (c->event < 0)
		c->event = eventfd(c->is_fired, EFD_CLOEXEC | EFD_NONBLOCK);
	int fd = c->event;
	mutex_unlock(&c->lock);
	return fd;
}

uint64_t cancel_on(struct cancel *c, void (*fn)(void *arg), void *arg)
{
	if (!c)
		return 0;

	mutex_lock(&c->lock);
	uint64_t id = ++c->last_id;
	bool is_late = c->is_fired;
	if (!is_late) {
		struct callback *cb = xmalloc(sizeof(*cb));

		*cb = (struct callback){ .id = id, .fn = fn, .arg = arg };
		list_add_last(&c->callbacks, &cb->link);
	}
	mutex_unlock(&c->lock);

	if (is_late)
		fn(arg);
	return id;
}

void cancel_off(struct cancel *c, uint64_t id)
{
	struct callback *cb;

	if (!c || !id)
		return;

	mutex_lock(&c->lock);
	LIST_FOREACH (cb, &c->callbacks, link) {
		if (cb->id == id) {
			list_remove(&cb->link);
			free(cb);
		}
	}
	while (c->running_id == id && !pthread_equal(c->runner, pthread_self()))
		cond_wait(&c->changed, &c->lock);
	mutex_unlock(&c->lock);
}
