#include "db/instances.h"

#include <stdlib.h>
#include <string.h>

#include "db/config_rows.h"
#include "db/row.h"
#include "lib/base/alloc.h"
#include "lib/base/strv.h"

#define NOUN "Instance"

/* clang-format off */
static const struct db_column columns[] = {
	DB_INT64(struct db_instance, id),
	DB_TEXT(struct db_instance, project),
	DB_TEXT(struct db_instance, name),
	DB_TEXT(struct db_instance, member),
	DB_TEXT(struct db_instance, architecture),
	DB_TEXT(struct db_instance, description),
	DB_INT64(struct db_instance, type),
	DB_INT64(struct db_instance, epoch),
	DB_DATE(struct db_instance, created),
	DB_DATE(struct db_instance, last_used),
	DB_BOOL(struct db_instance, ephemeral),
	DB_BOOL(struct db_instance, stateful),
};
/* clang-format on */

#define COLUMNS                                                                 \
	"SELECT instances.id, projects.name, instances.name, members.name,"     \
	"       instances.architecture, instances.description, instances.type," \
	"       instances.epoch, instances.created, instances.last_used,"       \
	"       instances.ephemeral, instances.stateful"
#define FROM                                                    \
	"  FROM instances"                                      \
	"  JOIN projects ON projects.id = instances.project_id" \
	"  JOIN members ON members.id = instances.member_id"
#define PROFILES_OF                                                         \
	"SELECT instances_profiles.instance_id, profiles.name, profiles.id" \
	"  FROM instances_profiles"                                         \
	"  JOIN profiles ON profiles.id = instances_profiles.profile_id"

/* What belongs to instances, of all of them, of one, and of those that changed after a revision. */
#define ONE " WHERE instance_id = ?"
#define CHANGED                                          \
	" WHERE instance_id IN (SELECT instance_id"      \
	"                         FROM instance_changes" \
	"                        WHERE revision > ?)"
#define SELECT_CONFIG "SELECT instance_id, key, value FROM instances_config"
#define SELECT_DEVICES "SELECT instance_id, device, key, value FROM instances_devices"
#define ORDER_CONFIG " ORDER BY instance_id, key"
#define ORDER_DEVICES " ORDER BY instance_id, device, key"
#define ORDER_PROFILES " ORDER BY instance_id, ordinal"

struct part_sql {
	const char *config;
	const char *devices;
	const char *profiles;
};

static const struct part_sql parts_of_all = {
	.config = SELECT_CONFIG ORDER_CONFIG,
	.devices = SELECT_DEVICES ORDER_DEVICES,
	.profiles = PROFILES_OF ORDER_PROFILES,
};
static const struct part_sql parts_of_one = {
	.config = SELECT_CONFIG ONE ORDER_CONFIG,
	.devices = SELECT_DEVICES ONE ORDER_DEVICES,
	.profiles = PROFILES_OF ONE ORDER_PROFILES,
};
static const struct part_sql parts_of_changed = {
	.config = SELECT_CONFIG CHANGED ORDER_CONFIG,
	.devices = SELECT_DEVICES CHANGED ORDER_DEVICES,
	.profiles = PROFILES_OF CHANGED ORDER_PROFILES,
};

static const struct db_config_table config_table = {
	.insert_sql = "INSERT INTO instances_config (instance_id, key, value)"
		      " SELECT ?, key, value FROM json_each(?) WHERE true"
		      " ON CONFLICT (instance_id, key) DO UPDATE SET value = excluded.value",
	.delete_sql = "DELETE FROM instances_config WHERE instance_id = ?"
		      "   AND key IN (SELECT key FROM json_each(?))",
};

static const struct db_device_table device_table = {
	.insert_sql = "INSERT INTO instances_devices (instance_id, device, key, value)"
		      " SELECT ?, d.key, c.key, c.value"
		      "  FROM json_each(?) AS d, json_each(d.value) AS c",
	.delete_sql = "DELETE FROM instances_devices WHERE instance_id = ?"
		      "   AND device IN (SELECT key FROM json_each(?))",
};

void db_instance_done(struct db_instance *row)
{
	db_row_unload(columns, COUNT_OF(columns), row);
	smap_done(&row->config);
	db_device_list_done(&row->devices);
	strv_free(row->profiles);
	row->profiles = NULL;
	free(row->profile_ids);
	row->profile_ids = NULL;
}

void db_instance_list_done(struct db_instances *rows)
{
	for (size_t i = 0; i < rows->n; i++)
		db_instance_done(&rows->rows[i]);
	free(rows->rows);
	*rows = (struct db_instances){ 0 };
}

static int by_name(const void *a, const void *b)
{
	const struct db_instance *x = a;
	const struct db_instance *y = b;
	int order = strcmp(x->project, y->project);

	return order ? order : strcmp(x->name, y->name);
}

static void add_profile(void *owner, const struct db_row *row)
{
	struct db_instance *instance = owner;
	size_t n = strv_len(instance->profiles);

	instance->profile_ids =
		xreallocarray(instance->profile_ids, n + 1, sizeof(*instance->profile_ids));
	instance->profile_ids[n] = db_row_int(row, 2);
	strv_add(&instance->profiles, db_row_text(row, 1));
}

static int load_parts(struct db_tx *tx, const struct part_sql *sql, struct db_args args,
                      struct db_instances *list, struct error **err)
{
	struct db_owners owners = DB_OWNERS(list, struct db_instance, config);

	int r = db_config_merge(tx, sql->config, args, &owners, err);
	if (r < 0)
		return r;
	owners.field_offset = offsetof(struct db_instance, devices);
	r = db_config_merge_devices(tx, sql->devices, args, &owners, err);
	if (r < 0)
		return r;
	owners.field_offset = 0;
	return db_config_merge_each(tx, sql->profiles, args, &owners, add_profile, err);
}

int db_instance_list(struct db_tx *tx, const struct db_instance_filter *filter,
                     struct db_instances *ret_rows, struct error **err)
{
	static const struct db_instance_filter all;
	scoped(db_instance_list_done) struct db_instances list = { 0 };

	filter = filter ? filter : &all;
	int r = db_row_list(tx,
	                    COLUMNS FROM " WHERE (?1 IS NULL OR projects.name = ?1)"
	                                 "   AND (?2 IS NULL OR members.name = ?2)"
	                                 "   AND (?3 IS NULL OR instances.name = ?3)"
	                                 "   AND (?4 = 0 OR instances.id = ?4)"
	                                 " ORDER BY instances.id",
	                    DB_ARGS(db_text_or_null(filter->project),
	                            db_text_or_null(filter->member), db_text_or_null(filter->name),
	                            db_int(filter->id)),
	                    columns, &list, err);
	if (r < 0)
		return r;

	bool is_one = list.n == 1;
	struct db_args one = DB_ARGS(db_int(is_one ? list.rows[0].id : 0));
	r = load_parts(tx, is_one ? &parts_of_one : &parts_of_all, is_one ? one : DB_NO_ARGS, &list,
	               err);
	if (r < 0)
		return r;

	db_row_sort(&list, by_name);
	*ret_rows = list;
	list = (struct db_instances){ 0 };
	return 0;
}

static const char select_changed[] =
	COLUMNS FROM "  JOIN instance_changes"
		     "    ON instance_changes.instance_id = instances.id"
		     " WHERE instance_changes.revision > ?"
		     " ORDER BY instances.id";

static const char select_changed_ids[] = "SELECT instance_id"
					 "  FROM instance_changes"
					 " WHERE revision > ?"
					 " ORDER BY instance_id";

void db_instance_list_changed_ahead(struct db_tx *tx, int64_t revision)
{
	struct db_args args = DB_ARGS(db_int(revision));

	db_ahead(tx, select_changed_ids, args);
	db_ahead(tx, select_changed, args);
	db_ahead(tx, parts_of_changed.config, args);
	db_ahead(tx, parts_of_changed.devices, args);
	db_ahead(tx, parts_of_changed.profiles, args);
}

int db_instance_list_changed(struct db_tx *tx, int64_t revision, struct db_instances *ret_rows,
                             struct error **err)
{
	scoped(db_instance_list_done) struct db_instances list = { 0 };

	int r = db_row_list(tx, select_changed, DB_ARGS(db_int(revision)), columns, &list, err);
	if (r < 0)
		return r;
	r = load_parts(tx, &parts_of_changed, DB_ARGS(db_int(revision)), &list, err);
	if (r < 0)
		return r;

	*ret_rows = list;
	list = (struct db_instances){ 0 };
	return 0;
}

static int add_id(const struct db_row *row, void *arg, struct error **err)
{
	struct db_instance_ids *ids = arg;

	(void)err;
	ARRAY_ADD(ids, db_row_int(row, 0));
	return 0;
}

int db_instance_list_ids(struct db_tx *tx, int64_t revision, struct db_instance_ids *ret_ids,
                         struct error **err)
{
	*ret_ids = (struct db_instance_ids){ 0 };
	int r = db_each(tx, select_changed_ids, DB_ARGS(db_int(revision)), add_id, ret_ids, err);
	if (r < 0)
		ARRAY_DONE(ret_ids);
	return r;
}

static int get(struct db_tx *tx, const char *sql, struct db_args args, struct db_instance *ret_row,
               struct error **err)
{
	scoped(db_instance_done) struct db_instance row = { 0 };
	struct db_instances list = { .rows = &row, .n = 1 };

	int r = db_get(tx, sql, args, columns, COUNT_OF(columns), &row, err);
	if (r < 0)
		return db_row_end(r, NOUN, err);
	r = load_parts(tx, &parts_of_one, DB_ARGS(db_int(row.id)), &list, err);
	if (r < 0)
		return r;

	*ret_row = row;
	row = (struct db_instance){ 0 };
	return 0;
}

int db_instance_get(struct db_tx *tx, const char *project, const char *name,
                    struct db_instance *ret_row, struct error **err)
{
	return get(tx, COLUMNS FROM " WHERE projects.name = ? AND instances.name = ?",
	           DB_ARGS(db_text(project), db_text(name)), ret_row, err);
}

int db_instance_get_by_id(struct db_tx *tx, int64_t id, struct db_instance *ret_row,
                          struct error **err)
{
	return get(tx, COLUMNS FROM " WHERE instances.id = ?", DB_ARGS(db_int(id)), ret_row, err);
}

static int insert_profiles(struct db_tx *tx, int64_t id, char *const *profiles,
                           const char *profile_project, struct error **err)
{
	int64_t ordinal = 0;

	STRV_FOREACH (name, profiles) {
		int r = db_exec(
			tx,
			"INSERT INTO instances_profiles (instance_id, ordinal, profile_id)"
			" VALUES (?, ?, (SELECT profiles.id"
			"                  FROM profiles"
			"                  JOIN projects ON projects.id = profiles.project_id"
			"                 WHERE projects.name = ? AND profiles.name = ?))",
			DB_ARGS(db_int(id), db_int(ordinal++), db_text(profile_project),
		                db_text(name)),
			err);
		if (r == -EEXIST) {
			error_free(*err);
			*err = NULL;
			return error_set(err, 400, "Duplicate profile found in request");
		}
		if (r < 0)
			return db_row_end(r, "Profile", err);
	}

	return 0;
}

static int replace_profiles(struct db_tx *tx, int64_t id, char *const *now, char *const *wanted,
                            const char *profile_project, struct error **err)
{
	if (strv_equals(now, wanted))
		return 0;

	int r = db_exec(tx, "DELETE FROM instances_profiles WHERE instance_id = ?",
	                DB_ARGS(db_int(id)), err);
	return r < 0 ? r : insert_profiles(tx, id, wanted, profile_project, err);
}

/* Which of project and member an INSERT did not find. */
static int explain(struct db_tx *tx, int r, const char *project, struct error **err)
{
	int64_t has_project = 0;

	if (r != -ENOENT)
		return db_row_end(r, NOUN, err);

	error_free(*err);
	*err = NULL;
	r = db_get_int(tx, "SELECT COUNT(*) FROM projects WHERE name = ?",
	               DB_ARGS(db_text(project)), 0, &has_project, err);
	if (r < 0)
		return r;
	return error_set(err, 404, "%s not found", has_project ? "Cluster member" : "Project");
}

int db_instance_create(struct db_tx *tx, const struct db_instance *row, const char *profile_project,
                       int64_t *ret_id, struct error **err)
{
	int64_t id;

	int r = db_insert(
		tx,
		"INSERT INTO instances (project_id, member_id, name, type, architecture,"
		"                       description, epoch, created, last_used, ephemeral,"
		"                       stateful)"
		" VALUES ((SELECT id FROM projects WHERE name = ?),"
		"         (SELECT id FROM members WHERE name = ?), ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		DB_ARGS(db_text(row->project), db_text(row->member), db_text(row->name),
	                db_int(row->type), db_text(row->architecture), db_text(row->description),
	                db_int(row->epoch), db_date(row->created), db_date(row->last_used),
	                db_bool(row->ephemeral), db_bool(row->stateful)),
		&id, err);
	if (r < 0)
		return explain(tx, r, row->project, err);
	r = db_config_replace(tx, &config_table, id, NULL, &row->config, err);
	if (r == 0)
		r = db_config_replace_devices(tx, &device_table, id, NULL, &row->devices, err);
	if (r == 0)
		r = insert_profiles(tx, id, row->profiles, profile_project, err);
	if (r < 0)
		return r;

	*ret_id = id;
	return 0;
}

int db_instance_update_from(struct db_tx *tx, const struct db_instance *now,
                            const struct db_instance *row, const char *profile_project,
                            struct error **err)
{
	int r = 0;

	if (strcmp(now->architecture, row->architecture) != 0 ||
	    strcmp(now->description, row->description) != 0 || now->ephemeral != row->ephemeral ||
	    now->stateful != row->stateful)
		r = db_exec(tx,
		            "UPDATE instances"
		            "   SET architecture = ?, description = ?, ephemeral = ?, stateful = ?"
		            " WHERE id = ?",
		            DB_ARGS(db_text(row->architecture), db_text(row->description),
		                    db_bool(row->ephemeral), db_bool(row->stateful),
		                    db_int(row->id)),
		            err);
	if (r == 0)
		r = db_config_replace(tx, &config_table, row->id, &now->config, &row->config, err);
	if (r == 0)
		r = db_config_replace_devices(tx, &device_table, row->id, &now->devices,
		                              &row->devices, err);
	if (r == 0)
		r = replace_profiles(tx, row->id, now->profiles, row->profiles, profile_project,
		                     err);
	return r;
}

int db_instance_update(struct db_tx *tx, const struct db_instance *row, const char *profile_project,
                       struct error **err)
{
	scoped(db_instance_done) struct db_instance now = { 0 };

	int r = db_instance_get_by_id(tx, row->id, &now, err);
	return r < 0 ? r : db_instance_update_from(tx, &now, row, profile_project, err);
}

int db_instance_patch_config(struct db_tx *tx, int64_t id, const struct smap *changes,
                             struct error **err)
{
	int r = db_config_patch(tx, &config_table, id, changes, err);

	return r < 0 ? db_row_end(r, NOUN, err) : 0;
}

/* Runs an UPDATE of one instance. */
static int update_one(struct db_tx *tx, const char *sql, struct db_args args, struct error **err)
{
	int64_t changes;

	int r = db_exec_count(tx, sql, args, &changes, err);
	return r < 0 ? db_row_end(r, NOUN, err) : db_row_changed(changes, NOUN, err);
}

int db_instance_set_last_used(struct db_tx *tx, int64_t id, int64_t time, struct error **err)
{
	return update_one(tx, "UPDATE instances SET last_used = ? WHERE id = ?",
	                  DB_ARGS(db_date(time), db_int(id)), err);
}

int db_instance_set_stateful(struct db_tx *tx, int64_t id, bool stateful, struct error **err)
{
	return update_one(tx, "UPDATE instances SET stateful = ? WHERE id = ?",
	                  DB_ARGS(db_bool(stateful), db_int(id)), err);
}

int db_instance_rename(struct db_tx *tx, int64_t id, const char *new_name, struct error **err)
{
	return update_one(tx, "UPDATE instances SET name = ? WHERE id = ?",
	                  DB_ARGS(db_text(new_name), db_int(id)), err);
}

int db_instance_set_project(struct db_tx *tx, int64_t id, const char *project,
                            const char *profile_project, struct error **err)
{
	scoped(db_instance_done) struct db_instance now = { 0 };

	int r = db_instance_get_by_id(tx, id, &now, err);
	if (r < 0)
		return r;
	r = db_exec(tx,
	            "UPDATE instances"
	            "   SET project_id = (SELECT id FROM projects WHERE name = ?)"
	            " WHERE id = ?",
	            DB_ARGS(db_text(project), db_int(id)), err);
	if (r < 0)
		return db_row_end(r, r == -ENOENT ? "Project" : NOUN, err);

	return replace_profiles(tx, id, NULL, now.profiles, profile_project, err);
}

/* Volumes of shared pools have no member, and stay as they are. */
static int move_volumes(struct db_tx *tx, int64_t id, struct error **err)
{
	return db_exec(tx,
	               "UPDATE storage_volumes"
	               "   SET member_id = (SELECT member_id FROM instances WHERE id = ?1)"
	               " WHERE member_id IS NOT NULL"
	               "   AND (project_id, name, type)"
	               "     = (SELECT project_id, name, type FROM instances WHERE id = ?1)",
	               DB_ARGS(db_int(id)), err);
}

int db_instance_commit_move(struct db_tx *tx, int64_t id, int64_t epoch, const char *new_member,
                            struct error **err)
{
	int64_t changes;

	int r = db_exec_count(tx,
	                      "UPDATE instances"
	                      "   SET member_id = (SELECT id FROM members WHERE name = ?),"
	                      "       epoch = epoch + 1"
	                      " WHERE id = ? AND epoch = ?",
	                      DB_ARGS(db_text(new_member), db_int(id), db_int(epoch)), &changes,
	                      err);
	if (r < 0)
		return db_row_end(r, "Cluster member", err);
	if (changes == 0)
		return error_set(err, 409, "The instance was moved by somebody else");

	return move_volumes(tx, id, err);
}

int db_instance_delete(struct db_tx *tx, int64_t id, struct error **err)
{
	return update_one(tx, "DELETE FROM instances WHERE id = ?", DB_ARGS(db_int(id)), err);
}

int db_instance_count_on(struct db_tx *tx, int64_t member_id, int64_t *ret_n, struct error **err)
{
	return db_get_int(tx, "SELECT COUNT(*) FROM instances WHERE member_id = ?",
	                  DB_ARGS(db_int(member_id)), 0, ret_n, err);
}
