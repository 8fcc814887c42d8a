#include "daemon/storage/storage_volume_snapshot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/lifecycle.h"
#include "daemon/core/locks.h"
#include "daemon/core/operation.h"
#include "daemon/core/request.h"
#include "daemon/core/state.h"
#include "daemon/storage/storage_private.h"
#include "daemon/storage/storage_service.h"
#include "db/cache.h"
#include "lib/base/alloc.h"
#include "lib/base/date.h"
#include "lib/base/failpoint.h"
#include "lib/base/parse.h"
#include "lib/base/smap.h"
#include "lib/base/str.h"
#include "lib/base/strbuf.h"
#include "lib/base/strv.h"
#include "lib/base/template.h"
#include "lib/data/jv.h"

#define DEFAULT_PATTERN "snap%d"

struct json_object *storage_volume_snapshot_etag(const struct db_storage_snapshot *row)
{
	struct json_object *o = jv_object();

	jv_set_string(o, "description", row->description);
	jv_set_date(o, "expires_at", row->expires);
	return o;
}

static void send_event(struct operation *operation, const struct storage_volume_id *id,
                       const char *snapshot, const char *action)
{
	scoped_free char *url = lifecycle_url(
		id->project, (const char *const[]){ "storage-pools", id->pool, "volumes", "custom",
	                                            id->name, "snapshots", snapshot, NULL });

	if (operation)
		lifecycle_send_op(operation, action, id->project, url, NULL);
}

struct reading {
	const struct storage_volume_id *id;
	const char *member;
	struct db_storage_volume row;
	struct db_storage_snapshots rows;
};

static void reading_done(struct reading *r)
{
	db_storage_volume_done(&r->row);
	db_storage_volume_snapshot_list_done(&r->rows);
}

static int read_snapshots(struct db_tx *tx, void *arg, struct error **err)
{
	struct reading *reading = arg;

	/* The transaction may run several times. */
	reading_done(reading);
	*reading = (struct reading){ .id = reading->id, .member = reading->member };
	int r = storage_rows_get(tx, reading->member, STORAGE_VOLUME_KEY(reading->id),
	                         &reading->row, err);
	return r < 0 ? r
	             : db_storage_volume_snapshot_list(tx, reading->row.id, &reading->rows, err);
}

/* To be released with reading_done() in any case. */
static int load(struct state *state, const struct storage_volume_id *id, struct reading *reading,
                struct error **err)
{
	scoped_free char *member = state_member_name(state);

	*reading = (struct reading){ .id = id, .member = member };
	int r = db_read(state->db, read_snapshots, reading, err);
	reading->member = NULL;
	return r;
}

/* Rows and not files decide which names are in use. */
static const struct db_storage_snapshot *find(const struct reading *reading, const char *name)
{
	for (size_t i = 0; i < reading->rows.n; i++)
		if (strcmp(reading->rows.rows[i].name, name) == 0)
			return &reading->rows.rows[i];
	return NULL;
}

int storage_volume_snapshot_rows(struct state *state, const struct storage_volume_id *id,
                                 struct db_storage_snapshots *ret_rows, struct error **err)
{
	scoped(reading_done) struct reading reading = { 0 };

	int r = load(state, id, &reading, err);
	if (r < 0)
		return r;
	*ret_rows = reading.rows;
	reading.rows = (struct db_storage_snapshots){ 0 };
	return 0;
}

static int find_row(struct state *state, const struct storage_volume_id *id, const char *name,
                    struct reading *reading, const struct db_storage_snapshot **ret_row,
                    struct error **err)
{
	int r = load(state, id, reading, err);
	if (r < 0)
		return r;
	*ret_row = find(reading, name);
	return *ret_row ? 0 : error_set(err, 404, "Storage volume snapshot not found");
}

int storage_volume_snapshot_uuid_of(struct state *state, const struct storage_volume_id *id,
                                    const char *snapshot, char **ret_uuid, struct error **err)
{
	scoped(reading_done) struct reading reading = { 0 };
	const struct db_storage_snapshot *row = NULL;

	int r = find_row(state, id, snapshot, &reading, &row, err);
	if (r == 0)
		*ret_uuid = xstrdup(smap_get_or(&row->config, "volatile.uuid", ""));
	return r;
}

int storage_volume_snapshot_name_of(struct state *state, const struct storage_volume_id *id,
                                    const char *uuid, char **ret_name, struct error **err)
{
	scoped(db_storage_volume_snapshot_list_done) struct db_storage_snapshots rows = { 0 };

	int r = storage_volume_snapshot_rows(state, id, &rows, err);
	if (r < 0)
		return r;
	*ret_name = NULL;
	for (size_t i = 0; i < rows.n && !*ret_name; i++)
		if (str_equals(smap_get(&rows.rows[i].config, "volatile.uuid"), uuid))
			*ret_name = xstrdup(rows.rows[i].name);
	return 0;
}

static const char *pattern_value(const char *name, void *arg)
{
	return strcmp(name, "creation_date") == 0 ? arg : NULL;
}

/* "snap%d" counts on from the highest number in use. */
static char *fill_number(const char *pattern, char **names)
{
	const char *mark = strstr(pattern, "%d");
	scoped_free char *prefix = xasprintf("%.*s", (int)(mark - pattern), pattern);
	const char *suffix = mark + 2;
	uint32_t next = 0, number;

	STRV_FOREACH (name, names) {
		const char *rest = str_after(name, prefix);

		if (!rest || !str_ends(rest, suffix))
			continue;
		scoped_free char *digits =
			xasprintf("%.*s", (int)(strlen(rest) - strlen(suffix)), rest);
		if (parse_uint32(digits, &number) == 0 && number >= next && number < UINT32_MAX)
			next = number + 1;
	}
	return xasprintf("%s%u%s", prefix, next, suffix);
}

int storage_volume_snapshot_name(struct state *state, const struct storage_volume_id *id,
                                 char **ret_name, struct error **err)
{
	scoped(reading_done) struct reading reading = { 0 };
	scoped(strv_freep) char **names = NULL;
	scoped(strbuf_done) struct strbuf pattern = { 0 };
	char now[DATE_SIZE];
	const struct template_scope scope = { .value = pattern_value, .arg = now };

	date_format(date_now(), now);
	int r = load(state, id, &reading, err);
	if (r == 0)
		r = template_render(
			smap_get_or(&reading.row.config, "snapshots.pattern", DEFAULT_PATTERN),
			&scope, &pattern, err);
	if (r < 0)
		return r;

	for (size_t i = 0; i < reading.rows.n; i++)
		strv_add(&names, reading.rows.rows[i].name);
	const char *text = strbuf_text(&pattern);
	if (strstr(text, "%d"))
		*ret_name = fill_number(text, names);
	else if (strv_contains(names, text)) {
		scoped_free char *numbered = xasprintf("%s-%%d", text);

		*ret_name = fill_number(numbered, names);
	} else {
		*ret_name = xstrdup(text);
	}
	return 0;
}

int storage_volume_snapshot_check(struct state *state, const struct storage_volume_id *id,
                                  const char *name, struct error **err)
{
	scoped(reading_done) struct reading reading = { 0 };

	if (storage_layout_check_name("snapshot name", name, err) < 0)
		return (*err)->code;
	int r = load(state, id, &reading, err);
	if (r == 0 && find(&reading, name))
		return error_set(err, 409, "Snapshot \"%s\" already in use", name);
	return r;
}

/* What the functions that change something have in common. */
static int begin(struct state *state, struct operation *operation,
                 const struct storage_volume_id *id, struct storage_ref *ref, struct lock **lock,
                 struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	const struct db_storage_volume *row;

	int r = storage_volume_here(state, id, DB_VOLUMES, &view, &row, err);
	if (r == 0)
		r = storage_volume_ref(state, id, (enum storage_content)row->content, ref, err);
	return r < 0 ? r : storage_ref_lock(state, ref, operation, lock, err);
}

int storage_volume_snapshot_check_known(struct state *state, const struct storage_volume_id *id,
                                        const char *snapshot, struct error **err)
{
	scoped(reading_done) struct reading reading = { 0 };
	const struct db_storage_snapshot *row = NULL;

	return find_row(state, id, snapshot, &reading, &row, err);
}

/* Unless the row is there after all, as it may be when a commit's outcome was not known. */
static void drop_files(struct state *state, const struct storage_volume_id *id,
                       struct storage_volume *vol, const char *snapshot)
{
	scoped(reading_done) struct reading reading = { 0 };
	scoped(error_freep) struct error *ignored = NULL;

	if (load(state, id, &reading, &ignored) == 0 && !find(&reading, snapshot))
		(void)storage_driver_volume_delete(vol, NULL, &ignored);
}

int storage_volume_snapshot_create(struct state *state, struct operation *operation,
                                   const struct storage_volume_id *id,
                                   const struct storage_volume_snapshot_new *snap,
                                   struct error **err)
{
	scoped(storage_ref_done) struct storage_ref ref = { 0 };
	scoped(locks_releasep) struct lock *lock = NULL;
	scoped(reading_done) struct reading reading = { 0 };
	struct op op = storage_service_op(operation);
	int64_t expires = snap->has_expiry ? snap->expires : DATE_NONE;

	int r = begin(state, operation, id, &ref, &lock, err);
	if (r == 0)
		r = load(state, id, &reading, err);
	if (r < 0)
		return r;
	const char *expiry = smap_get_or(&reading.row.config, "snapshots.expiry", "");
	if (!snap->has_expiry && *expiry && parse_expiry(expiry, date_now(), &expires) < 0)
		return error_set(err, 400, "Invalid snapshots.expiry \"%s\"", expiry);
	if (find(&reading, snap->name))
		return error_set(err, 409, "Snapshot \"%s\" already in use", snap->name);

	/* The row says that the files are complete: what is there without one was cut off. */
	struct storage_volume vol = storage_ref_snapshot(&ref, snap->name);
	if (storage_driver_volume_exists(&vol))
		r = storage_driver_volume_delete(&vol, NULL, err);
	if (r == 0)
		r = storage_driver_snapshot_create(&vol, &op, err);
	if (r == 0)
		r = FAILPOINT("volume.snapshot", NULL,
		              "When a volume's snapshot has its files and no row yet", err);
	if (r < 0)
		return r;
	r = storage_rows_snapshot_create(state, STORAGE_VOLUME_KEY(id), snap->name,
	                                 snap->description, expires, err);
	if (r < 0) {
		drop_files(state, id, &vol, snap->name);
		return r;
	}
	send_event(operation, id, snap->name, "storage-volume-snapshot-created");
	return 0;
}

struct update {
	const struct storage_volume_id *id;
	const char *member, *snapshot;
	const struct storage_volume_snapshot_change *change;
};

static int write_update(struct db_tx *tx, void *arg, struct error **err)
{
	const struct update *u = arg;
	scoped(db_storage_volume_done) struct db_storage_volume vol = { 0 };
	scoped(db_storage_volume_snapshot_done) struct db_storage_snapshot row = { 0 };

	int r = storage_rows_get(tx, u->member, STORAGE_VOLUME_KEY(u->id), &vol, err);
	if (r == 0)
		r = db_storage_volume_snapshot_get(tx, vol.id, u->snapshot, &row, err);
	if (r < 0)
		return r;
	scoped(jv_unrefp) struct json_object *etag = storage_volume_snapshot_etag(&row);
	if (u->change->req && request_check_etag(u->change->req, etag, err) < 0)
		return (*err)->code;
	const struct storage_volume_snapshot_change *c = u->change;
	return db_storage_volume_snapshot_update(tx, row.id,
	                                         c->description ? c->description : row.description,
	                                         c->expires ? *c->expires : row.expires, err);
}

int storage_volume_snapshot_update(struct state *state, struct operation *operation,
                                   const struct storage_volume_id *id, const char *snapshot,
                                   const struct storage_volume_snapshot_change *change,
                                   struct error **err)
{
	scoped_free char *member = state_member_name(state);
	struct update u = { id, member, snapshot, change };

	int r = db_write(state->db, write_update, &u, err);
	if (r == 0)
		send_event(operation, id, snapshot, "storage-volume-snapshot-updated");
	return r;
}

int storage_volume_snapshot_rename(struct state *state, struct operation *operation,
                                   const struct storage_volume_id *id, const char *snapshot,
                                   const char *new_name, struct error **err)
{
	scoped(storage_ref_done) struct storage_ref ref = { 0 };
	scoped(locks_releasep) struct lock *lock = NULL;

	int r = begin(state, operation, id, &ref, &lock, err);
	if (r == 0)
		r = storage_volume_snapshot_check_known(state, id, snapshot, err);
	if (r == 0)
		r = storage_volume_snapshot_check(state, id, new_name, err);
	if (r < 0)
		return r;
	struct storage_volume vol = storage_ref_snapshot(&ref, snapshot);
	r = storage_driver_volume_rename(&vol, new_name, err);
	if (r == 0)
		r = storage_rows_snapshot_rename(state, STORAGE_VOLUME_KEY(id), snapshot, new_name,
		                                 err);
	if (r == 0)
		send_event(operation, id, new_name, "storage-volume-snapshot-renamed");
	return r;
}

int storage_volume_snapshot_delete(struct state *state, struct operation *operation,
                                   const struct storage_volume_id *id, const char *snapshot,
                                   struct error **err)
{
	scoped(storage_ref_done) struct storage_ref ref = { 0 };
	scoped(locks_releasep) struct lock *lock = NULL;

	int r = begin(state, operation, id, &ref, &lock, err);
	if (r == 0)
		r = storage_volume_snapshot_check_known(state, id, snapshot, err);
	if (r < 0)
		return r;
	struct storage_volume vol = storage_ref_snapshot(&ref, snapshot);
	r = storage_driver_volume_delete(&vol, NULL, err);
	if (r == 0)
		r = storage_rows_snapshot_delete(state, STORAGE_VOLUME_KEY(id), snapshot, err);
	if (r == 0)
		send_event(operation, id, snapshot, "storage-volume-snapshot-deleted");
	return r;
}
