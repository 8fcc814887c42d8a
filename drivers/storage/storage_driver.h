/*
 * What a storage driver is.
 *
 * A driver turns a pool and its volumes into something real: a directory, a subvolume. It knows
 * nothing of projects, members, requests or the database; the caller (daemon/storage) resolves
 * those, holds the volume's lock for the whole call and keeps the rows.
 *
 * Rules for every function:
 *   - It blocks, runs on a worker thread and checks op_cancelled() between long steps.
 *   - It either completes or undoes what it did: after a failure the pool is as it was before.
 *   - Names in 'vol' were validated by the caller and are safe in a path and on a command line.
 *   - Deleting or unmounting what is not there succeeds.
 *   - A NULL member means that the generic code in storage_generic.c does it. Callers therefore
 * call the storage_generic_ functions or the storage_ wrappers at the end, never the vtable.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "drivers/storage/storage_layout.h"
#include "lib/base/error.h"

struct conf_key;
struct host;
struct smap;
struct op;

enum storage_cap {
	STORAGE_CAP_REMOTE = 1 << 0,         /* All members see the same volumes. */
	STORAGE_CAP_BLOCK_BACKED = 1 << 1,   /* Volumes are block devices, not directories. */
	STORAGE_CAP_INSTANT_CLONE = 1 << 2,  /* Copying within the pool does not copy the data. */
	STORAGE_CAP_OPTIMIZED_SEND = 1 << 3, /* Has own send and receive streams. */
	STORAGE_CAP_IMAGE_VOLUMES = 1 << 4,  /* Images are worth a volume of their own per pool. */
	STORAGE_CAP_IMAGE_COPIES = 1 << 5,   /* Copying an unpacked image beats unpacking it. */
};

/* A pool on this member. A record that the caller fills; drivers keep nothing in it but 'state'. */
struct storage_pool {
	const char *name;
	const struct storage_driver *driver;
	const struct host *host;
	char *path; /* Where it is mounted: storage_layout_pool_path(). */

	/*
	 * Global and this member's keys in one map, defaults not included. pool_create may add and
	 * change keys ("source", "size", "volatile.initial_source"); the caller stores them.
	 */
	struct smap *config;

	bool can_idmap;  /* Set by storage_pool_mount: mounts with an id map work here. */
	bool has_quotas; /* Set by storage_pool_mount: sizes are enforced. */
};

struct storage_volume {
	struct storage_pool *pool;
	enum storage_kind kind;
	enum storage_content content;
	const char *name; /* Its name on disk: storage_layout_disk_name(). */
	const char
		*snapshot; /* The volume is this snapshot of 'name'; NULL for the volume itself. */
	uint64_t size;     /* Bytes; 0 is unlimited (or the driver's default for a block volume). */
};

struct storage_space {
	uint64_t used_bytes, total_bytes;   /* A total of 0 is "not limited" for a volume. */
	uint64_t used_inodes, total_inodes; /* For pools only. */
};

/* How a volume travels to another pool or member. The sink chooses among what the source offers. */
enum storage_stream {
	STORAGE_STREAM_RSYNC, /* rsync's protocol, both ways; every pair of pools can. */
	STORAGE_STREAM_BTRFS, /* btrfs send streams, one after the other; one way. */
	STORAGE_N_STREAMS,
};

/* One volume, or one snapshot of it, as part of a transfer. Used by both sides. */
struct storage_transfer {
	enum storage_stream stream;

	/*
	 * A socket to the other side, blocking; borrowed, left open. What the driver's programs
	 * write goes over it in frames (storage_frame.h), so one socket carries any number of
	 * transfers.
	 */
	int fd;

	/*
	 * The snapshot of the same volume that both sides have and that this stream is relative to,
	 * or NULL. Only BTRFS needs it.
	 */
	const char *parent;

	/*
	 * A running instance's volume is sent in passes: everything, then what changed since, and,
	 * when the instance has stopped, what changed last. 'pass' counts from 0; the last one says
	 * so. A single transfer is pass 0 and last. A pass that failed can be asked for again.
	 * Drivers keep what they need to find differences until storage_driver_transfer_end(),
	 * which the caller calls on both sides when the last pass is confirmed, or when it gives
	 * up.
	 */
	unsigned int pass;
	bool is_last;

	bool refresh;              /* RSYNC, pass 0: the target holds an older copy already. */
	bool allow_inconsistent;   /* Files that vanish while they are read are not an error. */
	uint64_t bytes_per_second; /* Limit, or 0. */
	const char *what;          /* For op_progress. */
	uint64_t *ret_bytes;       /* Gains what went over the socket; or NULL. */
};

struct storage_driver {
	const char *name; /* "btrfs"; also the API's name for it. */
	uint32_t caps;    /* enum storage_cap bits. */
	const struct conf_key *pool_keys;
	const struct conf_key *volume_keys;

	/* Fails with a 412 if the tools or kernel module that the driver needs are missing here. */
	int (*probe)(struct error **err);

	/* The version that GET /1.0 shows: "1", "6.2". Owned by the caller. */
	char *(*version)(void);

	/*
	 * Fails with a 400 if the keys do not go together, before anything is made. May complete
	 * them. NULL: anything goes.
	 */
	int (*pool_prepare)(struct storage_pool *pool, struct error **err);

	/* Makes the pool on this member; it is not mounted afterwards. */
	int (*pool_create)(struct storage_pool *pool, struct op *op, struct error **err);
	/* Removes the pool with all that is in it; unmounts it first. */
	int (*pool_delete)(struct storage_pool *pool, struct op *op, struct error **err);

	/* Makes it reachable at 'pool->path'. Already mounted is fine: mounts outlive the daemon.
	 */
	int (*pool_mount)(struct storage_pool *pool, struct error **err);
	int (*pool_unmount)(struct storage_pool *pool, struct error **err);

	/* Applies changed keys; 'old' holds the values before. NULL: nothing to apply. */
	int (*pool_update)(struct storage_pool *pool, const struct smap *old, struct error **err);

	/* NULL: statvfs of the path. */
	int (*pool_space)(struct storage_pool *pool, struct storage_space *ret_space,
	                  struct error **err);

	/* An empty volume with its size set. */
	int (*volume_create)(struct storage_volume *vol, struct op *op, struct error **err);

	/* The volume or snapshot; a volume without its snapshots, which the caller deletes before.
	 */
	int (*volume_delete)(struct storage_volume *vol, struct op *op, struct error **err);

	/*
	 * Makes 'dst' from 'src', a volume or a snapshot, both in this pool; 'dst' is a volume or a
	 * snapshot that does not exist. NULL: files are copied.
	 */
	int (*volume_copy)(struct storage_volume *dst, const struct storage_volume *src,
	                   struct op *op, struct error **err);

	/* 'vol->name' or, for a snapshot, 'vol->snapshot' becomes 'name'; moves its snapshots too.
	 */
	int (*volume_rename)(struct storage_volume *vol, const char *name, struct error **err);

	/* Sets the size to 'vol->size'. 507 when what is there does not fit. NULL: accepted,
	 * unenforced. */
	int (*volume_resize)(struct storage_volume *vol, struct error **err);

	/* What the volume uses, and its limit. -ENOTSUP without 'err' when that is not known. */
	int (*volume_space)(struct storage_volume *vol, struct storage_space *ret_space,
	                    struct error **err);

	/* 'snap->snapshot' is made of the volume 'snap->name' as it is now; read-only. */
	int (*snapshot_create)(struct storage_volume *snap, struct op *op, struct error **err);

	/* The volume becomes what the snapshot holds. */
	int (*snapshot_restore)(struct storage_volume *vol, const char *snapshot, struct op *op,
	                        struct error **err);

	/*
	 * Own streams. A running instance may be using the volume: the driver sends a state that
	 * was frozen by a snapshot of its own, which it removes after. The first stream of a volume
	 * goes out before those of later snapshots.
	 */
	int (*volume_send)(struct storage_volume *vol, const struct storage_transfer *transfer,
	                   struct op *op, struct error **err);
	int (*volume_receive)(struct storage_volume *vol, const struct storage_transfer *transfer,
	                      struct op *op, struct error **err);

	/* Whether there is more in the volume than a stream of the driver's own would carry. */
	bool (*volume_has_nested)(const struct storage_volume *vol);

	/* Forgets what passes left behind on this side. */
	void (*transfer_end)(struct storage_volume *vol);
};

extern const struct storage_driver storage_dir_driver;
extern const struct storage_driver storage_btrfs_driver;

/* Returns the driver called 'name', or NULL. */
const struct storage_driver *storage_driver_find(const char *name);

/* All drivers, ends with NULL. */
extern const struct storage_driver *const storage_drivers[];

/* The path of the volume or snapshot; owned by the caller. */
char *storage_driver_volume_path(const struct storage_volume *vol);

/* The path of the one file of a block or ISO volume; owned by the caller. */
char *storage_driver_image_path(const struct storage_volume *vol);

/*
 * What callers use. Each does the driver's part or the generic one; pools are mounted, volumes
 * exist as their functions above say.
 */
int storage_driver_pool_create(struct storage_pool *pool, struct op *op, struct error **err);
int storage_driver_pool_delete(struct storage_pool *pool, struct op *op, struct error **err);
int storage_driver_pool_mount(struct storage_pool *pool, struct error **err);
int storage_driver_pool_unmount(struct storage_pool *pool, struct error **err);
int storage_driver_pool_update(struct storage_pool *pool, const struct smap *old,
                               struct error **err);
int storage_driver_pool_space(struct storage_pool *pool, struct storage_space *ret_space,
                              struct error **err);

int storage_driver_volume_create(struct storage_volume *vol, struct op *op, struct error **err);
int storage_driver_volume_delete(struct storage_volume *vol, struct op *op, struct error **err);
int storage_driver_volume_copy(struct storage_volume *dst, const struct storage_volume *src,
                               struct op *op, struct error **err);
/* Makes 'dst', which exists, equal to 'src'; they may be in different pools. */
int storage_driver_volume_refresh(struct storage_volume *dst, const struct storage_volume *src,
                                  struct op *op, struct error **err);
/*
 * 'fresh', which has a temporary name (storage_layout_temporary_name()), becomes 'vol' in one step;
 * what that was before is removed, but for its snapshots. After a failure 'fresh' is gone.
 */
int storage_driver_volume_replace(struct storage_volume *vol, struct storage_volume *fresh,
                                  struct error **err);
int storage_driver_volume_rename(struct storage_volume *vol, const char *name, struct error **err);
int storage_driver_volume_resize(struct storage_volume *vol, struct error **err);
int storage_driver_volume_space(struct storage_volume *vol, struct storage_space *ret_space,
                                struct error **err);
bool storage_driver_volume_exists(const struct storage_volume *vol);

int storage_driver_snapshot_create(struct storage_volume *snap, struct op *op, struct error **err);
int storage_driver_snapshot_restore(struct storage_volume *vol, const char *snapshot, struct op *op,
                                    struct error **err);

/*
 * Send and receive a volume or snapshot as 'transfer->stream' says. The sink's volume or snapshot
 * is made by pass 0, unless 'transfer->refresh', and removed again if that fails. With RSYNC the
 * sink receives volumes only: what the source sends of a snapshot goes into the volume, of which
 * the caller then makes the snapshot.
 */
int storage_driver_volume_send(struct storage_volume *vol, const struct storage_transfer *transfer,
                               struct op *op, struct error **err);
int storage_driver_volume_receive(struct storage_volume *vol,
                                  const struct storage_transfer *transfer, struct op *op,
                                  struct error **err);

void storage_driver_transfer_end(struct storage_volume *vol);

/* Whether the driver's pool can send this volume, or receive any, in that way. */
bool storage_driver_can_send(const struct storage_volume *vol, enum storage_stream stream);
bool storage_driver_can_receive(const struct storage_driver *driver, enum storage_stream stream);

/* "rsync", "btrfs". */
const char *storage_driver_stream_name(enum storage_stream stream);
bool storage_driver_parse_stream(const char *name, enum storage_stream *ret_stream);
