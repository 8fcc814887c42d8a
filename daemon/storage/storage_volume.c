#include "daemon/storage/storage_volume.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/core/lifecycle.h"
#include "daemon/core/locks.h"
#include "daemon/core/operation.h"
#include "daemon/core/state.h"
#include "daemon/storage/storage_private.h"
#include "daemon/storage/storage_service.h"
#include "daemon/storage/storage_usage.h"
#include "daemon/storage/storage_volume_users.h"
#include "db/cache.h"
#include "drivers/storage/storage_conf.h"
#include "drivers/storage/unpack.h"
#include "lib/base/alloc.h"
#include "lib/base/fd.h"
#include "lib/base/smap.h"
#include "lib/base/str.h"

int storage_volume_find(const struct db_view *view, const struct storage_volume_id *id,
                        const char *member, const struct db_storage_volume **ret_row,
                        struct error **err)
{
	const struct db_storage_volumes *rows = db_cache_volumes(view);
	const struct db_storage_volume *found = NULL;

	for (size_t i = 0; i < rows->n; i++) {
		const struct db_storage_volume *row = &rows->rows[i];

		if (row->type != DB_VOLUME_CUSTOM || strcmp(row->pool, id->pool) != 0 ||
		    strcmp(row->project, id->project) != 0 || strcmp(row->name, id->name) != 0 ||
		    (member && *row->member && strcmp(row->member, member) != 0))
			continue;
		if (found)
			return error_set(err, 400,
			                 "Storage volume found on more than one cluster member");
		found = row;
	}
	if (!found)
		return error_set(err, 404, "Storage volume not found");
	*ret_row = found;
	return 0;
}

/* The row on this member; the view is kept by the caller as long as it is used. */
int storage_volume_here(struct state *state, const struct storage_volume_id *id, uint32_t families,
                        struct db_view **ret_view, const struct db_storage_volume **ret_row,
                        struct error **err)
{
	scoped_free char *member = state_member_name(state);

	int r = db_cache_view(state->cache, families, ret_view, err);
	return r < 0 ? r : storage_volume_find(*ret_view, id, member, ret_row, err);
}

int storage_volume_ref(struct state *state, const struct storage_volume_id *id,
                       enum storage_content content, struct storage_ref *ret_ref,
                       struct error **err)
{
	int r = storage_ref_init(state, id->pool, STORAGE_CUSTOM, id->project, id->name, ret_ref,
	                         err);

	if (r == 0)
		ret_ref->vol.content = content;
	return r;
}

void storage_volume_event(struct operation *operation, const struct storage_volume_id *id,
                          const char *action)
{
	scoped_free char *url = lifecycle_url(
		id->project, (const char *const[]){ "storage-pools", id->pool, "volumes", "custom",
	                                            id->name, NULL });

	if (operation)
		lifecycle_send_op(operation, action, id->project, url, NULL);
}

const char *storage_volume_content_name(enum storage_content content)
{
	return storage_layout_content_name(content);
}

bool storage_volume_parse_content(const char *word, struct storage_volume_new *vol)
{
	return storage_layout_parse_content(word, &vol->content);
}

int storage_volume_check_new(struct state *state, const struct storage_volume_new *vol,
                             struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	scoped_free char *member = state_member_name(state);
	const struct db_storage_volume *row = NULL;

	if (storage_layout_check_name("volume name", str_or_empty(vol->id.name), err) < 0)
		return (*err)->code;
	int r = db_cache_view(state->cache, DB_POOLS | DB_VOLUMES, &view, err);
	if (r < 0)
		return r;
	if (!db_cache_pool(view, vol->id.pool))
		return error_set(err, 404, "Storage pool not found");

	scoped(error_freep) struct error *missing = NULL;
	if (storage_volume_find(view, &vol->id, member, &row, &missing) == 0 && !vol->refresh)
		return error_set(err, 409, "Volume by that name already exists");
	return 0;
}

int storage_volume_complete_config(const struct storage_pool *pool,
                                   const struct storage_volume_new *vol, struct smap *config,
                                   struct error **err)
{
	if (vol->config)
		smap_copy(config, vol->config);
	int r = storage_conf_check_volume(pool->driver, STORAGE_CUSTOM, vol->content, vol->id.name,
	                                  config, err);
	if (r == 0)
		storage_conf_fill_volume(pool->driver, STORAGE_CUSTOM, vol->content, pool->config,
		                         config);
	return r;
}

static int create_row(struct state *state, const struct storage_volume_new *vol,
                      const struct smap *config, struct error **err)
{
	return storage_rows_create(state, STORAGE_VOLUME_KEY(&vol->id), vol->content,
	                           vol->description, config, err);
}

void storage_volume_undo_row(struct state *state, const struct storage_volume_id *id)
{
	scoped(error_freep) struct error *ignored = NULL;

	storage_rows_delete(state, STORAGE_VOLUME_KEY(id), &ignored);
}

static int create_empty(struct state *state, struct operation *operation,
                        const struct storage_volume_new *vol, struct error **err)
{
	scoped(storage_ref_done) struct storage_ref ref = { 0 };
	scoped(smap_done) struct smap config = { 0 };
	struct op op = storage_service_op(operation);

	int r = storage_volume_ref(state, &vol->id, vol->content, &ref, err);
	if (r == 0)
		r = storage_volume_complete_config(ref.vol.pool, vol, &config, err);
	if (r == 0)
		r = create_row(state, vol, &config, err);
	if (r < 0)
		return r;

	ref.vol.size = storage_conf_size(&config, NULL);
	r = storage_driver_volume_create(&ref.vol, &op, err);
	if (r < 0)
		storage_volume_undo_row(state, &vol->id);
	return r;
}

int storage_volume_create(struct state *state, struct operation *operation,
                          const struct storage_volume_new *vol, struct error **err)
{
	int r = storage_volume_check_new(state, vol, err);
	if (r == 0)
		r = vol->source.name ? storage_volume_copy(state, operation, vol, err)
		                     : create_empty(state, operation, vol, err);
	if (r == 0)
		storage_volume_event(operation, &vol->id, "storage-volume-created");
	return r;
}

static int fill_iso(struct storage_volume *vol, int fd, struct error **err)
{
	scoped_free char *path = storage_driver_image_path(vol);

	if (lseek(fd, 0, SEEK_SET) < 0)
		return error_set_errno(err, -errno, "Failed reading the upload");
	scoped_fd int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0400);
	if (file < 0)
		return error_set_errno(err, -errno, "Failed creating \"%s\"", path);
	int64_t n = fd_copy(fd, file, UINT64_MAX);
	return n < 0 ? error_set_errno(err, (int)n, "Failed storing the upload") : 0;
}

static int fill_tar(struct storage_volume *vol, int fd, struct op *op, struct error **err)
{
	scoped_free char *path = storage_driver_volume_path(vol);
	struct storage_space space;

	int r = storage_driver_pool_space(vol->pool, &space, err);
	if (r < 0)
		return r;
	const struct unpack unpack = {
		.fd = fd,
		.path = path,
		.form = UNPACK_TREE,
		.max_bytes = space.total_bytes - space.used_bytes,
		.what = "archive",
	};
	return unpack_archive(vol->pool->host, &unpack, op, err);
}

static int import(struct state *state, struct operation *operation,
                  const struct storage_volume_id *id, enum storage_content content, int fd,
                  struct error **err)
{
	const struct storage_volume_new vol = { .id = *id, .content = content };
	scoped(storage_ref_done) struct storage_ref ref = { 0 };
	struct op op = storage_service_op(operation);

	int r = storage_volume_check_new(state, &vol, err);
	if (r == 0)
		r = create_empty(state, operation, &vol, err);
	if (r < 0)
		return r;
	r = storage_volume_ref(state, id, content, &ref, err);
	if (r == 0)
		r = content == STORAGE_ISO ? fill_iso(&ref.vol, fd, err)
		                           : fill_tar(&ref.vol, fd, &op, err);
	if (r < 0) {
		scoped(error_freep) struct error *ignored = NULL;

		storage_driver_volume_delete(&ref.vol, NULL, &ignored);
		storage_volume_undo_row(state, id);
		return r;
	}
	storage_volume_event(operation, id, "storage-volume-created");
	return 0;
}

int storage_volume_import_iso(struct state *state, struct operation *operation,
                              const struct storage_volume_id *id, int fd, struct error **err)
{
	return import(state, operation, id, STORAGE_ISO, fd, err);
}

int storage_volume_import_tar(struct state *state, struct operation *operation,
                              const struct storage_volume_id *id, int fd, struct error **err)
{
	return import(state, operation, id, STORAGE_FILESYSTEM, fd, err);
}

int storage_volume_check_delete(struct state *state, const struct storage_volume_id *id,
                                struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	const struct db_storage_volume *row = NULL;

	int r = storage_volume_here(state, id, STORAGE_FAMILIES, &view, &row, err);
	if (r < 0)
		return r;
	if (storage_usage_is_in_use(view, row, true))
		return error_set(err, 400, "The storage volume is still in use");
	return 0;
}

int storage_volume_delete(struct state *state, struct operation *operation,
                          const struct storage_volume_id *id, struct error **err)
{
	scoped(storage_ref_done) struct storage_ref ref = { 0 };
	scoped(locks_releasep) struct lock *lock = NULL;

	int r = storage_volume_ref(state, id, STORAGE_FILESYSTEM, &ref, err);
	if (r == 0)
		r = storage_ref_lock(state, &ref, operation, &lock, err);
	if (r == 0)
		r = storage_volume_check_delete(state, id, err);
	if (r == 0)
		r = storage_ref_delete(&ref, NULL, err);
	if (r == 0)
		r = storage_rows_delete(state, STORAGE_VOLUME_KEY(id), err);
	if (r == 0)
		storage_volume_event(operation, id, "storage-volume-deleted");
	return r;
}

int storage_volume_rename(struct state *state, struct operation *operation,
                          const struct storage_volume_id *id, const char *new_name,
                          struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	scoped(storage_ref_done) struct storage_ref ref = { 0 };
	scoped(locks_releasep) struct lock *lock = NULL;
	const struct storage_volume_new wanted = { .id = { id->project, id->pool, new_name } };
	const struct db_storage_volume *row = NULL;

	int r = storage_volume_check_new(state, &wanted, err);
	if (r == 0)
		r = storage_volume_ref(state, id, STORAGE_FILESYSTEM, &ref, err);
	if (r == 0)
		r = storage_ref_lock(state, &ref, operation, &lock, err);
	if (r == 0)
		r = storage_volume_here(state, id, STORAGE_FAMILIES, &view, &row, err);
	if (r == 0)
		r = storage_volume_users_check(view, row, err);
	if (r < 0)
		return r;

	scoped_free char *disk_name =
		storage_layout_disk_name(STORAGE_CUSTOM, id->project, new_name);
	r = storage_driver_volume_rename(&ref.vol, disk_name, err);
	if (r < 0)
		return r;
	r = storage_volume_users_follow(state, id, &wanted.id, true, err);
	if (r < 0) {
		scoped(error_freep) struct error *ignored = NULL;
		scoped_free char *old_name = TAKE_PTR(ref.disk_name);

		ref.vol.name = disk_name;
		storage_driver_volume_rename(&ref.vol, old_name, &ignored);
		return r;
	}
	storage_volume_event(operation, &wanted.id, "storage-volume-renamed");
	return 0;
}

int storage_volume_space(struct state *state, const struct storage_volume_id *id,
                         struct storage_space *ret_space, struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	scoped(storage_ref_done) struct storage_ref ref = { 0 };
	const struct db_storage_volume *row = NULL;

	int r = storage_volume_here(state, id, DB_VOLUMES, &view, &row, err);
	if (r < 0)
		return r;
	assert(row);
	r = storage_volume_ref(state, id, (enum storage_content)row->content, &ref, err);
	if (r == 0)
		r = storage_driver_volume_space(&ref.vol, ret_space, err);
	if (r == -ENOTSUP && !*err) {
		*ret_space = (struct storage_space){ 0 };
		return 0;
	}
	return r;
}
