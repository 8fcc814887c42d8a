#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/core/locks.h"
#include "daemon/core/operation.h"
#include "daemon/core/state.h"
#include "daemon/storage/storage_private.h"
#include "daemon/storage/storage_service.h"
#include "lib/base/alloc.h"
#include "lib/base/array.h"
#include "lib/base/parse.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"

int storage_ref_init(struct state *state, const char *pool, enum storage_kind kind,
                     const char *project, const char *name, struct storage_ref *ret_ref,
                     struct error **err)
{
	struct storage_pool *opened;

	int r = storage_service_pool(state, pool, &opened, err);
	if (r < 0)
		return r;

	*ret_ref = (struct storage_ref){
		.disk_name = storage_layout_disk_name(kind, project, name),
		.lock_name = xasprintf("%s/%s/%s/%s", pool, storage_layout_kind_name(kind), project,
		                       name),
		.project = xstrdup(project),
		.name = xstrdup(name),
	};
	ret_ref->vol = (struct storage_volume){
		.pool = opened,
		.kind = kind,
		.name = ret_ref->disk_name,
	};
	return 0;
}

int storage_ref_of_instance(struct state *state, const struct storage_instance *inst,
                            struct storage_ref *ret_ref, struct error **err)
{
	int64_t size = 0;

	if (!str_is_empty(inst->size) && (parse_size(inst->size, &size) < 0 || size < 0))
		return error_set(err, 400, "Invalid size \"%s\"", inst->size);
	int r = storage_ref_init(state, inst->pool, inst->is_vm ? STORAGE_VM : STORAGE_CONTAINER,
	                         inst->project, inst->name, ret_ref, err);
	if (r == 0)
		ret_ref->vol.size = (uint64_t)size;
	return r;
}

void storage_ref_done(struct storage_ref *ref)
{
	free(ref->disk_name);
	free(ref->lock_name);
	free(ref->project);
	free(ref->name);
	*ref = (struct storage_ref){ 0 };
}

struct storage_volume storage_ref_snapshot(const struct storage_ref *ref, const char *name)
{
	struct storage_volume snap = ref->vol;

	snap.snapshot = name;
	return snap;
}

int storage_ref_lock(struct state *state, const struct storage_ref *ref,
                     struct operation *operation, struct lock **ret_lock, struct error **err)
{
	return locks_take(state->locks, LOCK_VOLUME, ref->lock_name,
	                  operation ? operation_cancel_token(operation) : NULL, ret_lock, err);
}

struct named {
	char *name;
	struct timespec made;
};

static int by_age(const void *a, const void *b)
{
	const struct named *x = a, *y = b;

	if (x->made.tv_sec != y->made.tv_sec)
		return x->made.tv_sec < y->made.tv_sec ? -1 : 1;
	if (x->made.tv_nsec != y->made.tv_nsec)
		return x->made.tv_nsec < y->made.tv_nsec ? -1 : 1;
	return strcmp(x->name, y->name);
}

/* When the entry was made: its mtime is that of the volume it was made of. */
static struct timespec birth_of(int dir, const char *name)
{
	struct statx stx;

	if (statx(dir, name, AT_SYMLINK_NOFOLLOW, STATX_BTIME | STATX_CTIME, &stx) < 0)
		return (struct timespec){ 0 };
	const struct statx_timestamp *t =
		stx.stx_mask & STATX_BTIME ? &stx.stx_btime : &stx.stx_ctime;
	return (struct timespec){ .tv_sec = t->tv_sec, .tv_nsec = t->tv_nsec };
}

int storage_ref_snapshots(const struct storage_ref *ref, char ***ret_names, struct error **err)
{
	scoped_free char *path =
		storage_layout_snapshots_path(ref->vol.pool->path, ref->vol.kind, ref->vol.name);
	ARRAY_OF(struct named) found = { 0 };
	struct dirent *entry;
	char **names = NULL;

	DIR *dir = opendir(path);
	if (!dir && errno != ENOENT)
		return error_set_errno(err, -errno, "Failed reading \"%s\"", path);
	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			ARRAY_ADD(&found, (struct named){ xstrdup(entry->d_name),
			                                  birth_of(dirfd(dir), entry->d_name) });
	if (dir)
		closedir(dir);

	ARRAY_SORT(&found, by_age);
	for (size_t i = 0; i < found.n_items; i++)
		strv_add_take(&names, found.items[i].name);
	ARRAY_DONE(&found);
	*ret_names = names;
	return 0;
}

int storage_ref_delete(struct storage_ref *ref, struct op *op, struct error **err)
{
	scoped(strv_freep) char **names = NULL;

	if (ref->vol.kind != STORAGE_IMAGE) {
		int r = storage_ref_snapshots(ref, &names, err);
		if (r < 0)
			return r;
	}
	STRV_FOREACH (name, names) {
		struct storage_volume snap = storage_ref_snapshot(ref, name);
		int r = storage_driver_volume_delete(&snap, op, err);

		if (r < 0)
			return error_wrap(err, "Failed deleting snapshot \"%s\"", name);
	}
	return storage_driver_volume_delete(&ref->vol, op, err);
}
