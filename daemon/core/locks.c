/*
 * All locks that are held or waited for are in one map by kind and name; an entry goes with its
 * last user. One mutex and one condition serve all of them: named locks are taken a few hundred
 * times a second at most, and waiting for one is rare.
 */
#include "daemon/core/locks.h"

#include "lib/base/alloc.h"
#include "lib/base/cancel.h"
#include "lib/base/map.h"
#include "lib/base/thread.h"

struct entry {
	char *key;
	unsigned int n_users; /* Holders and those who wait. */
	unsigned int n_shared;
	unsigned int n_waiting; /* For it alone: new sharers stay behind them. */
	bool is_taken;
};

struct locks {
	struct mutex lock;
	struct cond changed;
	struct map *entries GUARDED;
};

struct lock {
	struct locks *locks;
	struct entry *entry;
	bool is_shared;
};

struct locks *locks_new(void)
{
	struct locks *locks = xcalloc(1, sizeof(*locks));

	mutex_init(&locks->lock);
	cond_init(&locks->changed);
	mutex_lock(&locks->lock);
	locks->entries = map_new(NULL);
	mutex_unlock(&locks->lock);
	return locks;
}

void locks_free(struct locks *locks)
{
	if (!locks)
		return;

	mutex_lock(&locks->lock);
	assert(map_count(locks->entries) == 0);
	map_free(locks->entries);
	mutex_unlock(&locks->lock);
	cond_done(&locks->changed);
	mutex_done(&locks->lock);
	free(locks);
}

static struct entry *enter(struct locks *locks, enum lock_kind kind, const char *name)
	REQUIRES(locks->lock)
{
	scoped_free char *key = xasprintf("%d %s", (int)kind, name);
	struct entry *entry = map_get(locks->entries, key);

	if (!entry) {
		entry = xcalloc(1, sizeof(*entry));
		entry->key = TAKE_PTR(key);
		map_set(locks->entries, entry->key, entry);
	}

	entry->n_users++;
	return entry;
}

static void leave(struct locks *locks, struct entry *entry) REQUIRES(locks->lock)
{
	if (--entry->n_users > 0)
		return;

	map_remove(locks->entries, entry->key);
	free(entry->key);
	free(entry);
}

static bool grab(struct entry *entry, bool is_shared)
{
	if (entry->is_taken || (is_shared ? entry->n_waiting > 0 : entry->n_shared > 0))
		return false;

	if (is_shared)
		entry->n_shared++;
	else
		entry->is_taken = true;

	return true;
}

static struct lock *held(struct locks *locks, struct entry *entry, bool is_shared)
{
	struct lock *lock = xcalloc(1, sizeof(*lock));

	lock->locks = locks;
	lock->entry = entry;
	lock->is_shared = is_shared;
	return lock;
}

static void wake(void *arg)
{
	struct locks *locks = arg;

	mutex_lock(&locks->lock);
	cond_broadcast(&locks->changed);
	mutex_unlock(&locks->lock);
}

static int take(struct locks *locks, enum lock_kind kind, const char *name, bool is_shared,
                struct cancel *cancel, struct lock **ret_lock, struct error **err)
{
	mutex_lock(&locks->lock);

	struct entry *entry = enter(locks, kind, name);
	bool is_grabbed = grab(entry, is_shared);

	if (!is_grabbed) {
		mutex_unlock(&locks->lock);

		uint64_t id = cancel_on(cancel, wake, locks);

		mutex_lock(&locks->lock);
		entry->n_waiting += !is_shared;
		for (;;) {
			is_grabbed = grab(entry, is_shared);
			if (is_grabbed || cancel_code(cancel) < 0)
				break;

			thread_cond_wait_until(&locks->changed, &locks->lock,
			                       cancel ? cancel_deadline(cancel) : DEADLINE_NEVER);
		}
		entry->n_waiting -= !is_shared;
		if (!is_grabbed) {
			leave(locks, entry);
			cond_broadcast(&locks->changed);
		}
		mutex_unlock(&locks->lock);
		cancel_off(cancel, id);
	} else {
		mutex_unlock(&locks->lock);
	}

	if (!is_grabbed)
		return error_set_errno(err, -ECANCELED, "Failed waiting for \"%s\"", name);

	*ret_lock = held(locks, entry, is_shared);
	return 0;
}

int locks_take(struct locks *locks, enum lock_kind kind, const char *name, struct cancel *cancel,
               struct lock **ret_lock, struct error **err)
{
	return take(locks, kind, name, false, cancel, ret_lock, err);
}

int locks_take_shared(struct locks *locks, enum lock_kind kind, const char *name,
                      struct cancel *cancel, struct lock **ret_lock, struct error **err)
{
	return take(locks, kind, name, true, cancel, ret_lock, err);
}

struct lock *locks_try(struct locks *locks, enum lock_kind kind, const char *name)
{
	mutex_lock(&locks->lock);

	struct entry *entry = enter(locks, kind, name);
	bool is_grabbed = grab(entry, false);

	if (!is_grabbed)
		leave(locks, entry);
	mutex_unlock(&locks->lock);
	return is_grabbed ? held(locks, entry, false) : NULL;
}

void locks_release(struct lock *lock)
{
	if (!lock)
		return;

	struct locks *locks = lock->locks;

	mutex_lock(&locks->lock);
	if (lock->is_shared)
		lock->entry->n_shared--;
	else
		lock->entry->is_taken = false;
	leave(locks, lock->entry);
	cond_broadcast(&locks->changed);
	mutex_unlock(&locks->lock);
	free(lock);
}
