/*
 * Making an instance's volume fit for its id map.
 *
 * Volumes of dir and btrfs pools are reachable as long as their pool is, so nothing is mounted or
 * counted per volume here; what takes work is the ids. A pool that can be mounted with a map keeps
 * the ids of the image on disk for good. On any other the files are changed to the container's map
 * before it starts and stay so until it gets another.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/core/operation.h"
#include "daemon/storage/storage_private.h"
#include "daemon/storage/storage_service.h"
#include "drivers/host/idmap_json.h"
#include "lib/base/alloc.h"
#include "lib/base/path.h"
#include "lib/linux/idmap_shift.h"

static const struct idmap no_map;

void storage_mounted_done(struct storage_mounted *mounted)
{
	free(mounted->path);
	free(mounted->rootfs_path);
	idmap_done(&mounted->disk_map);
	*mounted = (struct storage_mounted){ 0 };
}

int storage_instance_parse_map(const char *text, struct idmap *ret_map, struct error **err)
{
	return idmap_json_parse(text, ret_map, err);
}

/* Changes every file from the map 'from' to the map 'to'; not cancellable, see idmap_shift.h. */
static int shift(int rootfs, const struct idmap *from, const struct idmap *to, const char *name,
                 struct error **err)
{
	if (idmap_is_equal(from, to))
		return 0;

	int r = idmap_shift_tree(rootfs, from, IDMAP_SHIFT_FROM_HOST, NULL);
	if (r == 0)
		r = idmap_shift_tree(rootfs, to, IDMAP_SHIFT_TO_HOST, NULL);
	return r < 0 ? error_set_errno(err, r, "Failed shifting the owners of \"%s\"", name) : 0;
}

/* The volume's directory belongs to root inside, who alone may pass through it. */
static int open_to_root(int dir, const struct idmap *idmap, const char *path, struct error **err)
{
	uid_t root = 0;
	struct stat st;

	if (idmap->n_entries > 0 && !idmap_uid_to_host(idmap, 0, &root))
		return error_set(err, 400, "The id map has no root");
	if (fstat(dir, &st) < 0)
		return error_set_errno(err, -errno, "Failed reading \"%s\"", path);
	if (st.st_uid == root && st.st_gid == 0 && (st.st_mode & 07777) == 0100)
		return 0;
	if (fchown(dir, root, 0) < 0 || fchmod(dir, 0100) < 0)
		return error_set_errno(err, -errno, "Failed setting owner of \"%s\"", path);
	return 0;
}

static int fit(const struct storage_ref *ref, const char *path, const struct idmap *disk_map,
               const struct idmap *idmap, struct storage_mounted *mounted, struct error **err)
{
	scoped_fd int dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return error_set_errno(err, -errno, "Failed opening \"%s\"", path);
	scoped_fd int rootfs = path_open_beneath(dir, "rootfs", O_RDONLY | O_DIRECTORY, 0);
	if (rootfs < 0)
		return error_set_errno(err, rootfs, "Failed opening the root filesystem of \"%s\"",
		                       ref->vol.name);

	bool is_privileged = idmap->n_entries == 0;
	bool on_disk = !is_privileged && !ref->vol.pool->can_idmap;
	const struct idmap *wanted = on_disk ? idmap : &no_map;
	int r = shift(rootfs, disk_map, wanted, ref->vol.name, err);
	if (r == 0)
		r = open_to_root(dir, idmap, path, err);
	if (r < 0)
		return r;

	mounted->shift = is_privileged ? ROOTFS_SHIFT_NONE
	                 : on_disk     ? ROOTFS_SHIFT_ON_DISK
	                               : ROOTFS_SHIFT_IDMAPPED;
	idmap_copy(wanted, &mounted->disk_map);
	return 0;
}

int storage_instance_mount(struct state *state, struct operation *operation,
                           const struct storage_instance *inst, const struct idmap *disk_map,
                           const struct idmap *idmap, struct storage_mounted *ret_mounted,
                           struct error **err)
{
	scoped(storage_mounted_done) struct storage_mounted mounted = { 0 };
	scoped(storage_ref_done) struct storage_ref ref = { 0 };

	int r = storage_ref_of_instance(state, inst, &ref, err);
	if (r < 0)
		return r;
	if (!storage_driver_volume_exists(&ref.vol))
		return error_set(err, 404, "Storage volume not found");

	mounted.path = storage_driver_volume_path(&ref.vol);
	mounted.rootfs_path = xasprintf("%s/rootfs", mounted.path);
	if (!disk_map)
		disk_map = &no_map;
	if (idmap)
		r = fit(&ref, mounted.path, disk_map, idmap, &mounted, err);
	else
		idmap_copy(disk_map, &mounted.disk_map);
	if (r < 0)
		return r;

	*ret_mounted = mounted;
	mounted = (struct storage_mounted){ 0 };
	return 0;
}

int storage_instance_unmount(struct state *state, const struct storage_instance *inst,
                             struct error **err)
{
	return 0;
}
