/* Copies of custom volumes: on this member, or from another one to it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/locks.h"
#include "daemon/core/operation.h"
#include "daemon/core/state.h"
#include "daemon/storage/storage_copy.h"
#include "daemon/storage/storage_private.h"
#include "daemon/storage/storage_send.h"
#include "daemon/storage/storage_service.h"
#include "daemon/storage/storage_volume.h"
#include "daemon/storage/storage_volume_snapshot.h"
#include "db/cache.h"
#include "drivers/storage/storage_conf.h"
#include "lib/base/alloc.h"
#include "lib/base/smap.h"
#include "lib/base/strv.h"

/* What a copy is made of: the source's content, keys and snapshots. */
struct copying {
	struct state *state;
	struct operation *operation;
	struct db_view *view;
	const struct db_storage_volume *row;
	bool is_here;      /* The source. */
	char *source_name; /* Without the snapshot. */
	const char *snapshot;
	struct db_storage_snapshots snapshots; /* Those that go along, oldest first. */
	struct storage_volume_new vol;         /* With the content of the source. */
	struct smap given;                     /* The keys of 'vol'. */
	struct smap config;                    /* The same with the pool's defaults. */
};

static void copying_done(struct copying *c)
{
	db_cache_view_unref(c->view);
	free(c->source_name);
	db_storage_volume_snapshot_list_done(&c->snapshots);
	smap_done(&c->given);
	smap_done(&c->config);
}

/* The member's, this one's, or that of the only other one. */
static int find_source(struct copying *c, const struct storage_volume_id *source,
                       struct error **err)
{
	scoped_free char *here = state_member_name(c->state);
	scoped(error_freep) struct error *elsewhere = NULL;
	const char *member = c->vol.source_member;

	int r = db_cache_view(c->state->cache, DB_VOLUMES, &c->view, err);
	if (r < 0)
		return r;
	if (member || storage_volume_find(c->view, source, here, &c->row, &elsewhere) < 0)
		r = storage_volume_find(c->view, source, member, &c->row, err);
	if (r < 0)
		return r;
	c->is_here = *c->row->member == '\0' || strcmp(c->row->member, here) == 0;
	return 0;
}

static int read_snapshots(struct db_tx *tx, void *arg, struct error **err)
{
	struct copying *c = arg;

	db_storage_volume_snapshot_list_done(&c->snapshots);
	return db_storage_volume_snapshot_list(tx, c->row->id, &c->snapshots, err);
}

static bool has_snapshot(const struct db_storage_snapshots *rows, const char *name)
{
	for (size_t i = 0; i < rows->n; i++)
		if (strcmp(rows->rows[i].name, name) == 0)
			return true;
	return false;
}

static int prepare(struct copying *c, struct error **err)
{
	const char *name = c->vol.source.name, *slash = strchr(name, '/');
	struct storage_volume_id source = c->vol.source;

	c->source_name = slash ? xasprintf("%.*s", (int)(slash - name), name) : xstrdup(name);
	c->snapshot = slash ? slash + 1 : NULL;
	source.name = c->source_name;
	int r = find_source(c, &source, err);
	if (r == 0)
		r = db_read(c->state->db, read_snapshots, c, err);
	if (r < 0)
		return r;
	if (c->snapshot && !has_snapshot(&c->snapshots, c->snapshot))
		return error_set(err, 404, "Storage volume snapshot not found");
	if (c->snapshot || c->vol.volume_only)
		db_storage_volume_snapshot_list_done(&c->snapshots);

	c->vol.source.name = c->source_name;
	c->vol.content = (enum storage_content)c->row->content;
	smap_copy(&c->given, &c->row->config);
	smap_unset_prefix(&c->given, "volatile.");
	if (c->vol.config && c->vol.config->n_entries > 0) {
		smap_copy(&c->given, c->vol.config);
		smap_unset_prefix(&c->given, "volatile.");
	}
	c->vol.config = &c->given;
	if (!c->vol.description)
		c->vol.description = c->row->description;
	return 0;
}

static int copy_rows(struct copying *c, const struct db_storage_snapshots *have, struct error **err)
{
	for (size_t i = 0; i < c->snapshots.n; i++) {
		const struct db_storage_snapshot *row = &c->snapshots.rows[i];

		if (have && has_snapshot(have, row->name))
			continue;
		int r = storage_rows_snapshot_copy(c->state, STORAGE_VOLUME_KEY(&c->vol.id), row,
		                                   err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Names of the snapshots that are not among 'have', oldest first. */
static char **missing_names(const struct copying *c, const struct db_storage_snapshots *have)
{
	char **names = NULL;

	for (size_t i = 0; i < c->snapshots.n; i++)
		if (!has_snapshot(have, c->snapshots.rows[i].name))
			strv_add(&names, c->snapshots.rows[i].name);
	return names;
}

/* The files, from wherever they are. */
static int copy_files(struct copying *c, struct storage_ref *to,
                      const struct db_storage_snapshots *have, bool exists, struct error **err)
{
	scoped(storage_ref_done) struct storage_ref from = { 0 };
	scoped(locks_releasep) struct lock *lock = NULL;
	scoped(strv_freep) char **names = missing_names(c, have);
	struct op op = storage_service_op(c->operation);

	if (!c->is_here) {
		const struct storage_send_volume send = {
			.id = c->vol.source,
			.snapshot = c->snapshot,
			.is_alone = c->vol.volume_only,
			.is_refresh = exists,
		};

		return storage_send_receive(c->state, c->operation, c->row->member, &send,
		                            &c->vol.id, to->vol.size, err);
	}

	int r = storage_volume_ref(c->state, &c->vol.source, c->vol.content, &from, err);
	if (r == 0)
		r = storage_ref_lock(c->state, &from, c->operation, &lock, err);
	if (r < 0)
		return r;
	from.vol.snapshot = c->snapshot;
	return exists ? storage_copy_refresh(&to->vol, &from.vol, (const char *const *)names, &op,
	                                     err)
	              : storage_copy_volume(&to->vol, &from.vol, (const char *const *)names, &op,
	                                    err);
}

/* What the copy has and the source has no more, or anew under the same name. */
static int delete_stale(struct copying *c, const struct db_storage_snapshots *have,
                        struct error **err)
{
	for (size_t i = 0; i < have->n; i++) {
		const struct db_storage_snapshot *row = &have->rows[i];
		bool is_same = false;

		for (size_t k = 0; k < c->snapshots.n; k++)
			is_same |= strcmp(c->snapshots.rows[k].name, row->name) == 0 &&
			           c->snapshots.rows[k].created == row->created;
		if (is_same)
			continue;
		int r = storage_volume_snapshot_delete(c->state, c->operation, &c->vol.id,
		                                       row->name, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int refresh(struct copying *c, struct storage_ref *to, struct error **err)
{
	scoped(db_storage_volume_snapshot_list_done) struct db_storage_snapshots have = { 0 };

	int r = storage_volume_snapshot_rows(c->state, &c->vol.id, &have, err);
	if (r == 0 && !c->vol.volume_only && !c->snapshot) {
		r = delete_stale(c, &have, err);
		db_storage_volume_snapshot_list_done(&have);
		if (r == 0)
			r = storage_volume_snapshot_rows(c->state, &c->vol.id, &have, err);
	}
	if (r == 0)
		r = copy_files(c, to, &have, true, err);
	return r < 0 ? r : copy_rows(c, &have, err);
}

static int create(struct copying *c, struct storage_ref *to, struct error **err)
{
	static const struct db_storage_snapshots none;

	int r = storage_rows_create(c->state, STORAGE_VOLUME_KEY(&c->vol.id), c->vol.content,
	                            c->vol.description, &c->config, err);
	if (r < 0)
		return r;
	r = copy_rows(c, NULL, err);
	if (r == 0)
		r = copy_files(c, to, &none, false, err);
	if (r < 0) {
		scoped(error_freep) struct error *ignored = NULL;

		storage_ref_delete(to, NULL, &ignored);
		storage_volume_undo_row(c->state, &c->vol.id);
	}
	return r;
}

int storage_volume_copy(struct state *state, struct operation *operation,
                        const struct storage_volume_new *vol, struct error **err)
{
	scoped(storage_ref_done) struct storage_ref to = { 0 };
	scoped(copying_done) struct copying c = { .state = state,
		                                  .operation = operation,
		                                  .vol = *vol };

	int r = prepare(&c, err);
	if (r == 0)
		r = storage_volume_ref(state, &vol->id, c.vol.content, &to, err);
	if (r == 0)
		r = storage_volume_complete_config(to.vol.pool, &c.vol, &c.config, err);
	if (r < 0)
		return r;
	to.vol.size = storage_conf_size(&c.config, NULL);
	if (vol->refresh && storage_driver_volume_exists(&to.vol))
		return refresh(&c, &to, err);
	return create(&c, &to, err);
}
