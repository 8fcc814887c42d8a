#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/state.h"
#include "daemon/storage/storage_private.h"
#include "db/cache.h"
#include "db/storage_volumes.h"
#include "lib/base/alloc.h"
#include "lib/base/date.h"
#include "lib/base/smap.h"
#include "lib/base/uuid.h"

/* What a row stores is a number, so that cannot change. */
static_assert((int)STORAGE_FILESYSTEM == (int)DB_CONTENT_FILESYSTEM, "Contents differ");
static_assert((int)STORAGE_BLOCK == (int)DB_CONTENT_BLOCK, "Contents differ");
static_assert((int)STORAGE_ISO == (int)DB_CONTENT_ISO, "Contents differ");

/* Which row, and what is to become of it. All borrowed. */
struct change {
	const char *member;
	struct storage_rows_key key;
	enum storage_content content;
	const char *snapshot;
	const char *new_name;
	const char *description;
	const struct smap *config;
	char uuid[UUID_SIZE];
	int64_t now, expires;
	const struct db_storage_snapshot *copied;
};

enum db_storage_volume_type storage_rows_type(enum storage_kind kind)
{
	switch (kind) {
	case STORAGE_CONTAINER:
		return DB_VOLUME_CONTAINER;
	case STORAGE_VM:
		return DB_VOLUME_VM;
	case STORAGE_IMAGE:
		return DB_VOLUME_IMAGE;
	case STORAGE_CUSTOM:
	case STORAGE_KIND_COUNT:
		break;
	}
	return DB_VOLUME_CUSTOM;
}

int storage_rows_get(struct db_tx *tx, const char *member, const struct storage_rows_key *key,
                     struct db_storage_volume *ret_row, struct error **err)
{
	return db_storage_volume_get(
		tx,
		&(struct db_storage_volume_filter){ .pool = key->pool,
	                                            .project = key->project,
	                                            .type = (int)storage_rows_type(key->kind),
	                                            .name = key->name,
	                                            .member = member },
		ret_row, err);
}

static int get_row(struct db_tx *tx, const struct change *c, struct db_storage_volume *ret_row,
                   struct error **err)
{
	return storage_rows_get(tx, c->member, &c->key, ret_row, err);
}

/* What a new row gets is chosen before, since the transaction may run several times. */
static void stamp(struct change *change)
{
	uuid_make(change->uuid);
	change->now = date_now();
}

static int run(struct state *state, struct change *change, db_fn *fn, struct error **err)
{
	scoped_free char *member = state_member_name(state);

	change->member = member;
	stamp(change);
	return db_write_shared(state->db, NULL, fn, change, err);
}

static int create(struct db_tx *tx, void *arg, struct error **err)
{
	const struct change *c = arg;
	scoped(smap_done) struct smap config = { 0 };
	int64_t id;

	if (c->config)
		smap_copy(&config, c->config);
	if (c->key.kind != STORAGE_IMAGE)
		smap_set(&config, "volatile.uuid", c->uuid);
	const struct db_storage_volume row = {
		.pool = (char *)(uintptr_t)c->key.pool,
		.project = (char *)(uintptr_t)c->key.project,
		.member = (char *)(uintptr_t)c->member,
		.name = (char *)(uintptr_t)c->key.name,
		.description = (char *)(uintptr_t)(c->description ? c->description : ""),
		.type = storage_rows_type(c->key.kind),
		.content = (int64_t)c->content,
		.created = c->now,
		.config = config,
	};
	return db_storage_volume_create(tx, &row, &id, err);
}

int storage_rows_create(struct state *state, const struct storage_rows_key *key,
                        enum storage_content content, const char *description,
                        const struct smap *config, struct error **err)
{
	struct change change = {
		.key = *key,
		.content = content,
		.description = description,
		.config = config,
	};

	int r = run(state, &change, create, err);
	if (r != -EEXIST)
		return r;
	error_clear(err);
	return error_set(err, 409, "Volume by that name already exists");
}

int storage_rows_create_in(struct db_tx *tx, const char *member, const struct storage_rows_key *key,
                           enum storage_content content, struct error **err)
{
	struct change change = { .member = member, .key = *key, .content = content };

	stamp(&change);
	return create(tx, &change, err);
}

static int find(struct db_tx *tx, void *arg, struct error **err)
{
	struct db_storage_volume row = { 0 };
	int r = get_row(tx, arg, &row, err);

	db_storage_volume_done(&row);
	return r;
}

int storage_rows_exists(struct state *state, const struct storage_rows_key *key, struct error **err)
{
	scoped_free char *member = state_member_name(state);
	scoped(error_freep) struct error *failed = NULL;
	struct change change = { .member = member, .key = *key };

	int r = db_read(state->db, find, &change, &failed);
	if (r == 0)
		return 1;

	return failed->status == 404 ? 0 : error_move(err, &failed);
}

static int delete (struct db_tx *tx, void *arg, struct error **err)
{
	const struct change *c = arg;
	struct db_storage_volume row;

	int r = get_row(tx, c, &row, err);
	if (r < 0)
		return r;
	r = db_storage_volume_delete(tx, row.id, err);
	db_storage_volume_done(&row);
	return r;
}

static int forgive_missing(int r, struct error **err)
{
	if (r != -ENOENT)
		return r;
	error_clear(err);
	return 0;
}

int storage_rows_delete(struct state *state, const struct storage_rows_key *key, struct error **err)
{
	struct change change = { .key = *key };

	return forgive_missing(run(state, &change, delete, err), err);
}

int storage_rows_delete_in(struct db_tx *tx, const char *member, const struct storage_rows_key *key,
                           struct error **err)
{
	struct change change = { .member = member, .key = *key };

	return forgive_missing(delete (tx, &change, err), err);
}

static int rename_row(struct db_tx *tx, void *arg, struct error **err)
{
	const struct change *c = arg;
	struct db_storage_volume row;

	int r = get_row(tx, c, &row, err);
	if (r < 0)
		return r;
	r = db_storage_volume_rename(tx, row.id, c->new_name, err);
	db_storage_volume_done(&row);
	return r;
}

int storage_rows_rename(struct state *state, const struct storage_rows_key *key,
                        const char *new_name, struct error **err)
{
	struct change change = {
		.key = *key,
		.new_name = new_name,
	};

	return run(state, &change, rename_row, err);
}

static int create_snapshot(struct db_tx *tx, void *arg, struct error **err)
{
	const struct change *c = arg;
	scoped(smap_done) struct smap config = { 0 };
	struct db_storage_volume row;
	int64_t id;

	int r = get_row(tx, c, &row, err);
	if (r < 0)
		return r;
	smap_copy(&config, &row.config);
	smap_set(&config, "volatile.uuid", c->uuid);
	const struct db_storage_snapshot snapshot = {
		.volume_id = row.id,
		.name = (char *)(uintptr_t)c->snapshot,
		.description = c->description ? (char *)(uintptr_t)c->description : row.description,
		.created = c->now,
		.expires = c->expires,
		.config = config,
	};
	r = db_storage_volume_snapshot_create(tx, &snapshot, &id, err);
	db_storage_volume_done(&row);
	return r;
}

int storage_rows_snapshot_create(struct state *state, const struct storage_rows_key *key,
                                 const char *snapshot, const char *description, int64_t expires,
                                 struct error **err)
{
	struct change change = {
		.key = *key,
		.snapshot = snapshot,
		.description = description,
		.expires = expires,
	};

	int r = run(state, &change, create_snapshot, err);
	if (r != -EEXIST)
		return r;
	error_clear(err);
	return error_set(err, 409, "Snapshot \"%s\" already in use", snapshot);
}

static int copy_snapshot(struct db_tx *tx, void *arg, struct error **err)
{
	const struct change *c = arg;
	scoped(smap_done) struct smap config = { 0 };
	scoped(db_storage_volume_done) struct db_storage_volume row = { 0 };
	struct db_storage_snapshot snapshot = *c->copied;
	int64_t id;

	int r = get_row(tx, c, &row, err);
	if (r < 0)
		return r;
	smap_copy(&config, &c->copied->config);
	smap_set(&config, "volatile.uuid", c->uuid);
	snapshot.volume_id = row.id;
	snapshot.config = config;
	return db_storage_volume_snapshot_create(tx, &snapshot, &id, err);
}

int storage_rows_snapshot_copy(struct state *state, const struct storage_rows_key *key,
                               const struct db_storage_snapshot *row, struct error **err)
{
	struct change change = { .key = *key, .copied = row };

	return run(state, &change, copy_snapshot, err);
}

int storage_rows_snapshot_create_in(struct db_tx *tx, const char *member,
                                    const struct storage_rows_key *key, const char *snapshot,
                                    int64_t expires, struct error **err)
{
	struct change change = {
		.member = member,
		.key = *key,
		.snapshot = snapshot,
		.expires = expires,
	};

	stamp(&change);
	return create_snapshot(tx, &change, err);
}

static int get_snapshot(struct db_tx *tx, const struct change *c,
                        struct db_storage_snapshot *ret_row, struct error **err)
{
	struct db_storage_volume row;

	int r = get_row(tx, c, &row, err);
	if (r < 0)
		return r;
	r = db_storage_volume_snapshot_get(tx, row.id, c->snapshot, ret_row, err);
	db_storage_volume_done(&row);
	return r;
}

static int delete_snapshot(struct db_tx *tx, void *arg, struct error **err)
{
	const struct change *c = arg;
	struct db_storage_snapshot row;

	int r = get_snapshot(tx, c, &row, err);
	if (r < 0)
		return r;
	r = db_storage_volume_snapshot_delete(tx, row.id, err);
	db_storage_volume_snapshot_done(&row);
	return r;
}

int storage_rows_snapshot_delete(struct state *state, const struct storage_rows_key *key,
                                 const char *snapshot, struct error **err)
{
	struct change change = {
		.key = *key,
		.snapshot = snapshot,
	};

	return forgive_missing(run(state, &change, delete_snapshot, err), err);
}

static int rename_snapshot(struct db_tx *tx, void *arg, struct error **err)
{
	const struct change *c = arg;
	struct db_storage_snapshot row;

	int r = get_snapshot(tx, c, &row, err);
	if (r < 0)
		return r;
	r = db_storage_volume_snapshot_rename(tx, row.id, c->new_name, err);
	db_storage_volume_snapshot_done(&row);
	return r;
}

int storage_rows_snapshot_rename(struct state *state, const struct storage_rows_key *key,
                                 const char *snapshot, const char *new_name, struct error **err)
{
	struct change change = {
		.key = *key,
		.snapshot = snapshot,
		.new_name = new_name,
	};

	return run(state, &change, rename_snapshot, err);
}

int storage_rows_snapshot_delete_in(struct db_tx *tx, const char *member,
                                    const struct storage_rows_key *key, const char *snapshot,
                                    struct error **err)
{
	struct change change = { .member = member, .key = *key, .snapshot = snapshot };

	return forgive_missing(delete_snapshot(tx, &change, err), err);
}

int storage_rows_snapshot_rename_in(struct db_tx *tx, const char *member,
                                    const struct storage_rows_key *key, const char *snapshot,
                                    const char *new_name, struct error **err)
{
	struct change change = {
		.member = member,
		.key = *key,
		.snapshot = snapshot,
		.new_name = new_name,
	};

	return rename_snapshot(tx, &change, err);
}
