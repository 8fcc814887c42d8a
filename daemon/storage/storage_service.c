#include "daemon/storage/storage_service.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "daemon/core/dirs.h"
#include "daemon/core/locks.h"
#include "daemon/core/operation.h"
#include "daemon/core/state.h"
#include "daemon/core/warning.h"
#include "daemon/storage/storage_private.h"
#include "db/cache.h"
#include "lib/base/alloc.h"
#include "lib/base/date.h"
#include "lib/base/log.h"
#include "lib/base/smap.h"
#include "lib/base/strv.h"
#include "lib/base/task.h"
#include "lib/base/worker.h"

#define REPORT_MS 100
#define RETRY_MS 60000
#define MAX_SENDS 64
#define MAX_QUEUED_SENDS 1024

static void unmake(void *pool)
{
	storage_service_unmake(pool);
}

void storage_service_new(struct state *state)
{
	struct storage_service *s = xcalloc(1, sizeof(*s));

	s->state = state;
	s->host = (struct host){
		.ops = state->host,
		.arg = state->host_arg,
		.var_dir = state->dirs->root,
		.run_dir = state->dirs->run,
		.log_dir = state->dirs->logs,
		.helper_program = "/proc/self/exe",
	};
	mutex_init(&s->lock);
	mutex_lock(&s->lock);
	s->pools = map_new(unmake);
	s->unavailable = map_new(NULL);
	s->used_images = map_new(NULL);
	s->offers = map_new(NULL);
	mutex_unlock(&s->lock);
	s->sends = worker_new("volume", MAX_SENDS, MAX_QUEUED_SENDS);
	state->storage = s;
}

void storage_service_free(struct storage_service *s)
{
	if (!s)
		return;
	task_free(s->retry);
	worker_free(s->sends);
	mutex_lock(&s->lock);
	map_free(s->offers);
	map_free(s->pools);
	map_free(s->unavailable);
	map_free(s->used_images);
	mutex_unlock(&s->lock);
	mutex_done(&s->lock);
	free(s);
}

struct storage_pool *storage_service_make(struct state *state, const struct db_storage_pool *row,
                                          const char *member)
{
	struct storage_pool *pool = xcalloc(1, sizeof(*pool));

	pool->name = xstrdup(row->name);
	pool->driver = storage_driver_find(row->driver);
	pool->host = &state->storage->host;
	pool->path = storage_layout_pool_path(state->dirs->root, row->name);
	pool->config = xcalloc(1, sizeof(*pool->config));
	db_storage_pool_config_on(row, member, pool->config);
	return pool;
}

static void free_config(struct smap *config)
{
	if (!config)
		return;
	smap_done(config);
	free(config);
}

void storage_service_unmake(struct storage_pool *pool)
{
	if (!pool)
		return;
	free_config(pool->config);
	free((char *)(uintptr_t)pool->name);
	free(pool->path);
	free(pool);
}

static struct storage_pool *find(struct storage_service *s, const char *name)
{
	mutex_lock(&s->lock);
	struct storage_pool *pool = map_get(s->pools, name);
	mutex_unlock(&s->lock);
	return pool;
}

void storage_service_add_take(struct state *state, struct storage_pool *pool)
{
	struct storage_service *s = state->storage;

	mutex_lock(&s->lock);
	map_set(s->pools, pool->name, pool);
	map_remove(s->unavailable, pool->name);
	mutex_unlock(&s->lock);
}

struct storage_pool *storage_service_remove(struct state *state, const char *name)
{
	struct storage_service *s = state->storage;

	mutex_lock(&s->lock);
	struct storage_pool *pool = map_take(s->pools, name);
	map_remove(s->unavailable, name);
	mutex_unlock(&s->lock);
	return pool;
}

void storage_service_reconfigure(struct state *state, const char *name, const struct smap *config)
{
	struct storage_pool *pool = find(state->storage, name);

	/* The caller holds the pool's lock exclusively, and whoever reads the config holds it too.
	 */
	if (pool)
		smap_copy(pool->config, config);
}

static char *pool_url(const char *name)
{
	return xasprintf("/1.0/storage-pools/%s", name);
}

static void note_failure(struct state *state, const char *name, const struct error *err)
{
	struct storage_service *s = state->storage;
	scoped_free char *url = pool_url(name);

	mutex_lock(&s->lock);
	bool is_new = map_add(s->unavailable, name, s);
	mutex_unlock(&s->lock);
	if (!is_new)
		return;
	log_error("Storage pool \"%s\" is unavailable: %s", name, err->msg);
	warning_raise(state, WARNING_STORAGE_POOL_UNAVAILABLE, NULL, url, err->msg);
}

bool storage_service_use_image(struct state *state, const char *pool, const char *fingerprint)
{
	struct storage_service *s = state->storage;
	scoped_free char *key = xasprintf("%s/%s", pool, fingerprint);

	mutex_lock(&s->lock);
	bool is_first = map_add(s->used_images, key, s);
	mutex_unlock(&s->lock);
	return !is_first;
}

static void note_success(struct state *state, const char *name)
{
	struct storage_service *s = state->storage;
	scoped_free char *url = pool_url(name);

	mutex_lock(&s->lock);
	bool was_unavailable = map_remove(s->unavailable, name);
	mutex_unlock(&s->lock);
	if (was_unavailable)
		warning_resolve(state, WARNING_STORAGE_POOL_UNAVAILABLE, url);
}

/* Opens a pool of which the caller holds the lock. */
static int open_locked(struct state *state, const struct db_storage_pool *row, const char *member,
                       struct storage_pool **ret_pool, struct error **err)
{
	struct storage_pool *opened = find(state->storage, row->name);
	if (opened) {
		*ret_pool = opened;
		return 0;
	}

	scoped(storage_service_unmakep) struct storage_pool *pool =
		storage_service_make(state, row, member);
	if (!pool->driver)
		return error_set(err, 501, "Storage driver \"%s\" is not supported", row->driver);

	int r = storage_driver_pool_mount(pool, err);
	if (r < 0) {
		note_failure(state, row->name, *err);
		/* A disk that is gone is nobody's fault, and may come back. */
		(*err)->status = 503;
		(*err)->code = -EAGAIN;
		return -EAGAIN;
	}
	note_success(state, row->name);
	storage_image_sweep(state, pool);
	*ret_pool = pool;
	storage_service_add_take(state, TAKE_PTR(pool));
	return 0;
}

static int open_pool(struct state *state, const char *name, struct storage_pool **ret_pool,
                     struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	scoped(locks_releasep) struct lock *lock = NULL;
	scoped_free char *member = state_member_name(state);

	int r = locks_take(state->locks, LOCK_POOL, name, NULL, &lock, err);
	if (r == 0)
		r = db_cache_view(state->cache, DB_POOLS, &view, err);
	if (r < 0)
		return r;

	const struct db_storage_pool *row = db_cache_pool(view, name);
	if (!row)
		return error_set(err, 404, "Storage pool not found");
	if (!db_storage_pool_is_created_on(row, member))
		return error_set(err, 400, "Storage pool \"%s\" is not available on this member",
		                 name);
	return open_locked(state, row, member, ret_pool, err);
}

int storage_service_pool(struct state *state, const char *name, struct storage_pool **ret_pool,
                         struct error **err)
{
	struct storage_pool *pool = find(state->storage, name);
	if (pool) {
		*ret_pool = pool;
		return 0;
	}

	return open_pool(state, name, ret_pool, err);
}

bool storage_service_is_ready(struct state *state)
{
	struct storage_service *s = state->storage;

	mutex_lock(&s->lock);
	bool is_ready = map_count(s->unavailable) == 0;
	mutex_unlock(&s->lock);
	return is_ready;
}

static int retry(void *arg)
{
	struct state *state = arg;
	scoped(error_freep) struct error *ignored = NULL;

	if (storage_service_is_ready(state))
		return 0;
	return storage_service_start(state, &ignored) > 0 ? -EAGAIN : 0;
}

static void start_retries(struct state *state)
{
	static const struct task_spec spec = {
		.name = "storage-retry",
		.interval_ms = RETRY_MS,
		.run = retry,
	};
	struct task_spec own = spec;

	own.arg = state;
	if (!state->storage->retry)
		state->storage->retry = task_new(state->loop, state->jobs, &own);
}

int storage_service_start(struct state *state, struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	scoped_free char *member = state_member_name(state);
	int n_failed = 0;

	int r = db_cache_view(state->cache, DB_POOLS, &view, err);
	if (r < 0)
		return r;

	const struct db_storage_pools *rows = db_cache_pools(view);
	for (size_t i = 0; i < rows->n; i++) {
		scoped(error_freep) struct error *failure = NULL;
		struct storage_pool *pool;

		if (!db_storage_pool_is_created_on(&rows->rows[i], member))
			continue;
		if (storage_service_pool(state, rows->rows[i].name, &pool, &failure) < 0)
			n_failed++;
	}
	/* Only then: a daemon whose disks are there has no reason to wake up. */
	if (n_failed > 0 && state->loop)
		start_retries(state);
	return n_failed;
}

/* "12.34MB" as clients show it. */
static void format_size(double bytes, char *buf, size_t size)
{
	static const char *const units[] = { "B", "kB", "MB", "GB", "TB" };
	size_t unit = 0;

	while (bytes >= 1000 && unit + 1 < sizeof(units) / sizeof(units[0])) {
		bytes /= 1000;
		unit++;
	}
	snprintf(buf, size, "%.2f%s", bytes, units[unit]);
}

static void report(void *arg, const struct op_progress *p)
{
	/* Copies of small files report faster than anybody reads. */
	static _Thread_local int64_t next_at;
	int64_t now = date_monotonic();
	char done[32], speed[32];
	scoped_free char *text = NULL;

	if (now < next_at)
		return;
	next_at = now + REPORT_MS;
	format_size((double)p->bytes, done, sizeof(done));
	format_size((double)p->bytes_per_second, speed, sizeof(speed));
	const char *what = p->what ? p->what : "";
	const char *colon = p->what ? ": " : "";
	if (p->total_bytes > 0)
		text = xasprintf("%s%s%u%% (%s/s)", what, colon,
		                 (unsigned int)(p->bytes * 100 / p->total_bytes), speed);
	else if (p->bytes_per_second > 0)
		text = xasprintf("%s%s%s (%s/s)", what, colon, done, speed);
	else
		text = xasprintf("%s%s%s", what, colon, done);
	operation_progress(arg, p->stage, text);
}

struct op storage_service_op(struct operation *operation)
{
	if (!operation)
		return (struct op){ 0 };
	return (struct op){
		.cancel = operation_cancel_token(operation),
		.progress = report,
		.arg = operation,
	};
}
