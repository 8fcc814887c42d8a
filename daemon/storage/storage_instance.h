/*
 * The volumes of instances: root disks and their snapshots.
 *
 * Rows: the functions that create, copy, rename and delete keep the volume's row and those of its
 * snapshots ("storage_volumes") in step with what is on disk, in a transaction of their own, unless
 * 'files_only' is set: then rows are left alone, since they go with the instance's in the caller's
 * transaction (..._row()). Evacuation needs that, and each commit that is saved is a sync of a
 * majority's disks.
 *
 * Locks: the caller holds the instance's lock. Each function takes the volume's itself.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "drivers/host/rootfs.h"
#include "drivers/storage/storage_driver.h"
#include "lib/base/error.h"
#include "lib/linux/idmap.h"

struct db_tx;
struct smap;
struct operation;
struct state;

struct storage_instance {
	const char *project;
	const char *name;
	bool is_vm;
	const char *pool; /* The root disk device's "pool". */
	const char *size; /* The root disk device's "size", or NULL; falls back on "volume.size". */
	bool files_only;
};

/* An empty volume: no rootfs. Fails with a 409 if there is one. */
int storage_instance_create_empty(struct state *state, struct operation *operation,
                                  const struct storage_instance *inst, struct error **err);

/*
 * A volume with the image's files: rootfs/, metadata.yaml and templates/ are there afterwards. The
 * image's files must be on this member (image_ensure_local). Where the pool can clone, the image
 * becomes a volume of the pool first, once however many ask at the same time.
 */
int storage_instance_create_from_image(struct state *state, struct operation *operation,
                                       const struct storage_instance *inst, const char *fingerprint,
                                       struct error **err);

/*
 * A copy of 'src' (or of its snapshot 'src_snapshot', if not NULL), on this member; pools may
 * differ. 'snapshots' are the names of those to copy too, oldest first; NULL for none.
 */
int storage_instance_copy(struct state *state, struct operation *operation,
                          const struct storage_instance *dst, const struct storage_instance *src,
                          const char *src_snapshot, const char *const *snapshots,
                          struct error **err);

/*
 * Makes 'dst', which exists and is stopped, equal to 'src' again. 'snapshots' are those that 'dst'
 * lacks and gets.
 */
int storage_instance_refresh(struct state *state, struct operation *operation,
                             const struct storage_instance *dst, const struct storage_instance *src,
                             const char *const *snapshots, struct error **err);

/*
 * Rows for a volume whose files came here with 'files_only': its own and those of 'snapshots',
 * which may be NULL.
 */
int storage_instance_adopt(struct state *state, const struct storage_instance *inst,
                           const char *const *snapshots, struct error **err);

/* The rows of 'snapshots' alone, which came to a volume that was there. */
int storage_instance_adopt_snapshots(struct state *state, const struct storage_instance *inst,
                                     const char *const *snapshots, struct error **err);

/* Renames the volume, its snapshots, rows, mount point and links. The instance is stopped. */
int storage_instance_rename(struct state *state, struct operation *operation,
                            const struct storage_instance *inst, const char *new_name,
                            struct error **err);

/* Removes the volume and all its snapshots. What is not there is no error. */
int storage_instance_delete(struct state *state, struct operation *operation,
                            const struct storage_instance *inst, struct error **err);

/*
 * Removes the row that a delete with 'files_only' left, if there is one, in the caller's
 * transaction: instance and volume are gone with one commit. 'member' is this one.
 */
int storage_instance_delete_row(struct db_tx *tx, const char *member,
                                const struct storage_instance *inst, struct error **err);

/* What storage_instance_mount() hands out. */
struct storage_mounted {
	char *path;        /* Of the volume: metadata.yaml, templates/, backup.yaml are here. */
	char *rootfs_path; /* path/rootfs */

	enum rootfs_shift shift;
	struct idmap disk_map; /* The map that the files on disk have now; empty for none. */
};

void storage_mounted_done(struct storage_mounted *mounted);

/* Reads "volatile.last_state.idmap" and its like; NULL is the empty map. 400. */
int storage_instance_parse_map(const char *text, struct idmap *ret_map, struct error **err);

/*
 * Makes the volume usable by a container with 'idmap' (empty: privileged; NULL: the caller only
 * looks at files, nothing is shifted), and keeps it so until as many calls of
 * storage_instance_unmount. 'disk_map' is what "volatile.last_state.idmap" says is on disk now
 * (NULL or empty: ids of the image). If the pool cannot be mounted with id maps and the two differ,
 * every file is changed here, which takes a while; the caller then stores 'ret_mounted->disk_map'
 * as JSON in "volatile.last_state.idmap".
 */
int storage_instance_mount(struct state *state, struct operation *operation,
                           const struct storage_instance *inst, const struct idmap *disk_map,
                           const struct idmap *idmap, struct storage_mounted *ret_mounted,
                           struct error **err);
int storage_instance_unmount(struct state *state, const struct storage_instance *inst,
                             struct error **err);

/* The path of the volume or, if 'snapshot' is not NULL, of a snapshot. Owned by the caller. */
char *storage_instance_path(struct state *state, const struct storage_instance *inst,
                            const char *snapshot);

/* Writes 'text' as backup.yaml into the volume, 0400, all or nothing. */
int storage_instance_write_backup(struct state *state, const struct storage_instance *inst,
                                  const char *text, struct error **err);

/*
 * Snapshots: their files alone. Names were checked and have no row; what is there under the name of
 * a new one was left by a crash and goes.
 */
int storage_instance_snapshot_create(struct state *state, struct operation *operation,
                                     const struct storage_instance *inst, const char *snapshot,
                                     struct error **err);
int storage_instance_snapshot_delete(struct state *state, struct operation *operation,
                                     const struct storage_instance *inst, const char *snapshot,
                                     struct error **err);
int storage_instance_snapshot_rename(struct state *state, struct operation *operation,
                                     const struct storage_instance *inst, const char *snapshot,
                                     const char *new_name, struct error **err);

/*
 * The rows to that, in the caller's transaction on 'member'. 'expires' is a date (lib/base/date.h),
 * DATE_NONE for never.
 */
int storage_instance_snapshot_create_row(struct db_tx *tx, const char *member,
                                         const struct storage_instance *inst, const char *snapshot,
                                         int64_t expires, struct error **err);
int storage_instance_snapshot_delete_row(struct db_tx *tx, const char *member,
                                         const struct storage_instance *inst, const char *snapshot,
                                         struct error **err);
int storage_instance_snapshot_rename_row(struct db_tx *tx, const char *member,
                                         const struct storage_instance *inst, const char *snapshot,
                                         const char *new_name, struct error **err);

/* The volume becomes what the snapshot holds; no row changes. */
int storage_instance_snapshot_restore(struct state *state, struct operation *operation,
                                      const struct storage_instance *inst, const char *snapshot,
                                      struct error **err);

/* Sets the size of the root disk to 'inst->size'; live. */
int storage_instance_resize(struct state *state, const struct storage_instance *inst,
                            struct error **err);

/* Used and total bytes of the root disk. -ENOTSUP without 'err' if the pool cannot tell. */
int storage_instance_space(struct state *state, const struct storage_instance *inst,
                           struct storage_space *ret_space, struct error **err);

/*
 * Bytes that a copy of the root disk has to carry: what the pool knows, else the files are looked
 * at until 'deadline'. -ETIMEDOUT then, or another negative errno; nobody is told why.
 */
int storage_instance_size(struct state *state, const struct storage_instance *inst,
                          int64_t deadline, uint64_t *ret_bytes);

/* Whether the volume has files on this member. */
bool storage_instance_exists(struct state *state, const struct storage_instance *inst);
