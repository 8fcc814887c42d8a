/* What the files of this folder share. */
#pragma once

#include <stdint.h>

#include "daemon/storage/storage_instance.h"
#include "db/storage_volumes.h"
#include "drivers/host/host.h"
#include "drivers/storage/storage_driver.h"
#include "lib/base/error.h"
#include "lib/base/map.h"
#include "lib/base/scoped.h"
#include "lib/base/thread.h"

struct db_storage_pool;
struct db_view;
struct lock;
struct operation;
struct state;
struct task;
struct worker;

struct storage_service {
	struct state *state;
	struct host host;

	struct mutex lock;
	struct map *pools GUARDED; /* Name to struct storage_opened; never removed while in use. */
	struct map *unavailable GUARDED; /* Names of pools that could not be mounted. */
	struct map *offers GUARDED;      /* Ids of operations to what storage_send.c offers. */
	struct worker *sends;            /* Volumes on their way to other members. */
	struct task *retry;              /* Tries those again. */
	struct map *used_images
		GUARDED; /* "POOL/FINGERPRINT" of what was unpacked since the start. */
};

/* The service's part for pools: storage_service.c. */

/* Makes a closed one of a row for 'member'; owned by the caller, freed with the next. */
struct storage_pool *storage_service_make(struct state *state, const struct db_storage_pool *row,
                                          const char *member);
void storage_service_unmake(struct storage_pool *pool);
DEFINE_SCOPED(struct storage_pool *, storage_service_unmake);

/* Hands an opened pool over to the service, or takes it out for its deletion. */
void storage_service_add_take(struct state *state, struct storage_pool *pool);
struct storage_pool *storage_service_remove(struct state *state, const char *name);

/* Whether the image was unpacked into the pool before, since this daemon runs; it is from now on.
 */
bool storage_service_use_image(struct state *state, const char *pool, const char *fingerprint);

/* Exchanges the config of an opened pool after its row changed. */
void storage_service_reconfigure(struct state *state, const char *name, const struct smap *config);

/*
 * A volume as drivers want it, with the strings that it borrows: storage_ref.c. Opens the pool.
 */
struct storage_ref {
	char *disk_name;
	char *lock_name; /* For LOCK_VOLUME. */
	char *project, *name;
	struct storage_volume vol;
};

int storage_ref_init(struct state *state, const char *pool, enum storage_kind kind,
                     const char *project, const char *name, struct storage_ref *ret_ref,
                     struct error **err);
int storage_ref_of_instance(struct state *state, const struct storage_instance *inst,
                            struct storage_ref *ret_ref, struct error **err);
void storage_ref_done(struct storage_ref *ref);

/* The volume's snapshot 'name', which is borrowed. */
struct storage_volume storage_ref_snapshot(const struct storage_ref *ref, const char *name);

/* Takes the volume's lock until the operation is cancelled. */
int storage_ref_lock(struct state *state, const struct storage_ref *ref,
                     struct operation *operation, struct lock **ret_lock, struct error **err);

/* Names of the snapshots that are on disk, in order of their creation; owned. */
int storage_ref_snapshots(const struct storage_ref *ref, char ***ret_names, struct error **err);

/* Removes volume and snapshots from disk. */
int storage_ref_delete(struct storage_ref *ref, struct op *op, struct error **err);

/* The unpacked image as a volume of the pool: storage_image.c. */

/* Unpacks the image's files into the volume, which is there and empty. */
int storage_image_unpack(struct state *state, const char *fingerprint, struct storage_volume *vol,
                         struct op *op, struct error **err);

/* Removes unpacked images that the pool keeps without a row, if they have become none. */
void storage_image_sweep(struct state *state, struct storage_pool *pool);

/* Makes 'vol' of the image: through an unpacked one where the pool keeps such. */
int storage_image_create_volume(struct state *state, struct operation *operation,
                                const char *fingerprint, struct storage_volume *vol,
                                struct error **err);

/* Rows: storage_rows.c. All are transactions of their own on this member's volumes. */

enum db_storage_volume_type storage_rows_type(enum storage_kind kind);

struct db_tx;

/* Which row of this member. Borrowed. */
struct storage_rows_key {
	enum storage_kind kind;
	const char *project, *pool, *name;
};

#define STORAGE_ROWS_KEY(kind, project, pool, name) \
	(&(const struct storage_rows_key){ (kind), (project), (pool), (name) })

int storage_rows_create(struct state *state, const struct storage_rows_key *key,
                        enum storage_content content, const char *description,
                        const struct smap *config, struct error **err);

/* 1 if this member has the row, 0 if not. */
int storage_rows_exists(struct state *state, const struct storage_rows_key *key,
                        struct error **err);

/* 0 as well if there is none. */
int storage_rows_delete(struct state *state, const struct storage_rows_key *key,
                        struct error **err);

/* The same as a part of the caller's transaction, which runs on 'member'. */
int storage_rows_delete_in(struct db_tx *tx, const char *member, const struct storage_rows_key *key,
                           struct error **err);
int storage_rows_rename(struct state *state, const struct storage_rows_key *key,
                        const char *new_name, struct error **err);
int storage_rows_snapshot_create(struct state *state, const struct storage_rows_key *key,
                                 const char *snapshot, const char *description, int64_t expires,
                                 struct error **err);

/* A snapshot as 'row' has it, but with a UUID of its own: of a copy. */
int storage_rows_snapshot_copy(struct state *state, const struct storage_rows_key *key,
                               const struct db_storage_snapshot *row, struct error **err);
int storage_rows_snapshot_delete(struct state *state, const struct storage_rows_key *key,
                                 const char *snapshot, struct error **err);
int storage_rows_snapshot_rename(struct state *state, const struct storage_rows_key *key,
                                 const char *snapshot, const char *new_name, struct error **err);

/* The row itself, in the caller's transaction on 'member'. */
int storage_rows_get(struct db_tx *tx, const char *member, const struct storage_rows_key *key,
                     struct db_storage_volume *ret_row, struct error **err);

/* These, too, as parts of the caller's transaction on 'member'. */
int storage_rows_create_in(struct db_tx *tx, const char *member, const struct storage_rows_key *key,
                           enum storage_content content, struct error **err);
int storage_rows_snapshot_create_in(struct db_tx *tx, const char *member,
                                    const struct storage_rows_key *key, const char *snapshot,
                                    int64_t expires, struct error **err);
int storage_rows_snapshot_delete_in(struct db_tx *tx, const char *member,
                                    const struct storage_rows_key *key, const char *snapshot,
                                    struct error **err);
int storage_rows_snapshot_rename_in(struct db_tx *tx, const char *member,
                                    const struct storage_rows_key *key, const char *snapshot,
                                    const char *new_name, struct error **err);

/* Custom volumes: storage_volume.c. */

struct storage_volume_id;
struct storage_volume_new;

/* The key of a custom volume's row. */
#define STORAGE_VOLUME_KEY(id) \
	STORAGE_ROWS_KEY(STORAGE_CUSTOM, (id)->project, (id)->pool, (id)->name)

/* The row on this member, borrowed from the view, which the caller releases in any case. */
int storage_volume_here(struct state *state, const struct storage_volume_id *id, uint32_t families,
                        struct db_view **ret_view, const struct db_storage_volume **ret_row,
                        struct error **err);
int storage_volume_ref(struct state *state, const struct storage_volume_id *id,
                       enum storage_content content, struct storage_ref *ret_ref,
                       struct error **err);

/* Removes the row of a volume that could not be made. */
void storage_volume_undo_row(struct state *state, const struct storage_volume_id *id);

/* The keys that a new volume gets: the client's, and the pool's defaults for the rest. */
int storage_volume_complete_config(const struct storage_pool *pool,
                                   const struct storage_volume_new *vol, struct smap *config,
                                   struct error **err);

/* A copy of vol->source, on whatever member that is: storage_volume_copy.c. */
int storage_volume_copy(struct state *state, struct operation *operation,
                        const struct storage_volume_new *vol, struct error **err);
void storage_volume_event(struct operation *operation, const struct storage_volume_id *id,
                          const char *action);
