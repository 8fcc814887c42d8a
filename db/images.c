#include "db/images.h"

#include <stdlib.h>
#include <string.h>

#include "db/config_rows.h"
#include "db/row.h"
#include "lib/base/array.h"
#include "lib/base/strv.h"

#define NOUN "Image"
#define NOUN_ALIAS "Image alias"

/* clang-format off */
static const struct db_column columns[] = {
	DB_INT64(struct db_image, id),
	DB_TEXT(struct db_image, project),
	DB_TEXT(struct db_image, fingerprint),
	DB_TEXT(struct db_image, filename),
	DB_TEXT(struct db_image, architecture),
	DB_INT64(struct db_image, type),
	DB_INT64(struct db_image, size),
	DB_BOOL(struct db_image, public),
	DB_BOOL(struct db_image, auto_update),
	DB_BOOL(struct db_image, cached),
	DB_DATE(struct db_image, created),
	DB_DATE(struct db_image, expires),
	DB_DATE(struct db_image, uploaded),
	DB_DATE(struct db_image, last_used),
	DB_TEXT(struct db_image, source_server),
	DB_TEXT(struct db_image, source_protocol),
	DB_TEXT(struct db_image, source_certificate),
	DB_TEXT(struct db_image, source_alias),
	DB_TEXT(struct db_image, source_type),
};

static const struct db_column alias_columns[] = {
	DB_INT64(struct db_image_alias, id),
	DB_TEXT(struct db_image_alias, project),
	DB_TEXT(struct db_image_alias, name),
	DB_TEXT(struct db_image_alias, description),
	DB_TEXT(struct db_image_alias, fingerprint),
	DB_INT64(struct db_image_alias, type),
};
/* clang-format on */

#define SELECT_IMAGES                                                                    \
	"SELECT images.id, projects.name, images.fingerprint, images.filename,"          \
	"       images.architecture, images.type, images.size, images.public,"           \
	"       images.auto_update, images.cached, images.created, images.expires,"      \
	"       images.uploaded, images.last_used, images.source_server,"                \
	"       images.source_protocol, images.source_certificate, images.source_alias," \
	"       images.source_type"                                                      \
	"  FROM images"                                                                  \
	"  JOIN projects ON projects.id = images.project_id"
#define SELECT_ALIASES                                                      \
	"SELECT image_aliases.id, projects.name, image_aliases.name,"       \
	"       image_aliases.description, images.fingerprint, images.type" \
	"  FROM image_aliases"                                              \
	"  JOIN projects ON projects.id = image_aliases.project_id"         \
	"  JOIN images ON images.id = image_aliases.image_id"
#define SELECT_PROPERTIES "SELECT image_id, key, value FROM images_properties"
#define SELECT_PROFILES                                  \
	"SELECT images_profiles.image_id, profiles.name" \
	"  FROM images_profiles"                         \
	"  JOIN profiles ON profiles.id = images_profiles.profile_id"
#define SELECT_MEMBERS                                                             \
	"SELECT images.id, members.name"                                           \
	"  FROM images"                                                            \
	"  JOIN images_members ON images_members.fingerprint = images.fingerprint" \
	"  JOIN members ON members.id = images_members.member_id"

struct part_sql {
	const char *properties;
	const char *profiles;
	const char *members;
	const char *aliases;
};

static const struct part_sql parts_of_all = {
	.properties = SELECT_PROPERTIES " ORDER BY image_id, key",
	.profiles = SELECT_PROFILES " ORDER BY image_id, profiles.name",
	.members = SELECT_MEMBERS " ORDER BY images.id, members.name",
	.aliases = SELECT_ALIASES " ORDER BY image_aliases.image_id, image_aliases.name",
};
static const struct part_sql parts_of_one = {
	.properties = SELECT_PROPERTIES " WHERE image_id = ? ORDER BY key",
	.profiles = SELECT_PROFILES " WHERE images_profiles.image_id = ? ORDER BY profiles.name",
	.members = SELECT_MEMBERS " WHERE images.id = ? ORDER BY members.name",
	.aliases = SELECT_ALIASES " WHERE image_aliases.image_id = ? ORDER BY image_aliases.name",
};

static const struct db_config_table property_table = {
	.insert_sql = "INSERT INTO images_properties (image_id, key, value)"
		      " SELECT ?, key, value FROM json_each(?) WHERE true"
		      " ON CONFLICT (image_id, key) DO UPDATE SET value = excluded.value",
	.delete_sql = "DELETE FROM images_properties WHERE image_id = ?"
		      "   AND key IN (SELECT key FROM json_each(?))",
};

void db_image_alias_done(struct db_image_alias *row)
{
	db_row_unload(alias_columns, COUNT_OF(alias_columns), row);
}

void db_image_alias_list_done(struct db_image_aliases *rows)
{
	for (size_t i = 0; i < rows->n; i++)
		db_image_alias_done(&rows->rows[i]);
	free(rows->rows);
	*rows = (struct db_image_aliases){ 0 };
}

void db_image_done(struct db_image *row)
{
	db_row_unload(columns, COUNT_OF(columns), row);
	smap_done(&row->properties);
	strv_free(row->profiles);
	strv_free(row->members);
	row->profiles = NULL;
	row->members = NULL;
	db_image_alias_list_done(&row->aliases);
}

void db_image_list_done(struct db_images *rows)
{
	for (size_t i = 0; i < rows->n; i++)
		db_image_done(&rows->rows[i]);
	free(rows->rows);
	*rows = (struct db_images){ 0 };
}

static int by_fingerprint(const void *a, const void *b)
{
	const struct db_image *x = a;
	const struct db_image *y = b;
	int order = strcmp(x->project, y->project);

	return order ? order : strcmp(x->fingerprint, y->fingerprint);
}

static int alias_by_name(const void *a, const void *b)
{
	const struct db_image_alias *x = a;
	const struct db_image_alias *y = b;
	int order = strcmp(x->project, y->project);

	return order ? order : strcmp(x->name, y->name);
}

/* Gives each alias to its image. There are few: images and aliases are matched one by one. */
static void spread_aliases(struct db_images *list, struct db_image_aliases *aliases)
{
	for (size_t i = 0; i < list->n; i++) {
		struct db_image *image = &list->rows[i];
		size_t capacity = 0;

		for (size_t j = 0; j < aliases->n; j++) {
			struct db_image_alias *alias = &aliases->rows[j];

			if (!alias->name || strcmp(alias->fingerprint, image->fingerprint) != 0 ||
			    strcmp(alias->project, image->project) != 0)
				continue;
			image->aliases.rows = array_grow(image->aliases.rows, image->aliases.n,
			                                 &capacity, sizeof(*alias));
			image->aliases.rows[image->aliases.n++] = *alias;
			*alias = (struct db_image_alias){ 0 };
		}
		db_row_sort(&image->aliases, alias_by_name);
	}
}

static int load_parts(struct db_tx *tx, const struct part_sql *sql, struct db_args args,
                      struct db_images *list, struct error **err)
{
	scoped(db_image_alias_list_done) struct db_image_aliases aliases = { 0 };
	struct db_owners owners = DB_OWNERS(list, struct db_image, properties);

	int r = db_config_merge(tx, sql->properties, args, &owners, err);
	if (r < 0)
		return r;
	owners.field_offset = offsetof(struct db_image, profiles);
	r = db_config_merge_names(tx, sql->profiles, args, &owners, err);
	if (r < 0)
		return r;
	owners.field_offset = offsetof(struct db_image, members);
	r = db_config_merge_names(tx, sql->members, args, &owners, err);
	if (r < 0)
		return r;
	r = db_row_list(tx, sql->aliases, args, alias_columns, &aliases, err);
	if (r < 0)
		return r;

	spread_aliases(list, &aliases);
	return 0;
}

static int list(struct db_tx *tx, const char *sql, struct db_args args, struct db_images *ret_rows,
                struct error **err)
{
	scoped(db_image_list_done) struct db_images found = { 0 };

	int r = db_row_list(tx, sql, args, columns, &found, err);
	if (r < 0)
		return r;

	bool is_one = found.n == 1;
	struct db_args one = DB_ARGS(db_int(is_one ? found.rows[0].id : 0));
	r = load_parts(tx, is_one ? &parts_of_one : &parts_of_all, is_one ? one : DB_NO_ARGS,
	               &found, err);
	if (r < 0)
		return r;

	db_row_sort(&found, by_fingerprint);
	*ret_rows = found;
	found = (struct db_images){ 0 };
	return 0;
}

int db_image_list(struct db_tx *tx, const char *project, struct db_images *ret_rows,
                  struct error **err)
{
	return list(tx,
	            SELECT_IMAGES " WHERE ?1 IS NULL OR projects.name = ?1"
	                          " ORDER BY images.id",
	            DB_ARGS(db_text_or_null(project)), ret_rows, err);
}

/* The only image of a list. */
static int take_one(struct db_images *found, struct db_image *ret_row, struct error **err)
{
	if (found->n == 0)
		return error_set(err, 404, NOUN " not found");
	if (found->n > 1)
		return error_set(err, 400, "More than one image matches");

	*ret_row = found->rows[0];
	found->rows[0] = (struct db_image){ 0 };
	return 0;
}

int db_image_get(struct db_tx *tx, const char *project, const char *fingerprint,
                 struct db_image *ret_row, struct error **err)
{
	scoped(db_image_list_done) struct db_images found = { 0 };

	int r = list(tx,
	             SELECT_IMAGES " WHERE projects.name = ? AND images.fingerprint = ?"
	                           " ORDER BY images.id",
	             DB_ARGS(db_text(project), db_text(fingerprint)), &found, err);
	return r < 0 ? r : take_one(&found, ret_row, err);
}

int db_image_find(struct db_tx *tx, const char *project, const char *prefix,
                  struct db_image *ret_row, struct error **err)
{
	scoped(db_image_list_done) struct db_images found = { 0 };

	/* Two are enough to know that there is more than one. */
	int r = list(tx,
	             SELECT_IMAGES " WHERE projects.name = ?1"
	                           "   AND substr(images.fingerprint, 1, length(?2)) = ?2"
	                           " ORDER BY images.id"
	                           " LIMIT 2",
	             DB_ARGS(db_text(project), db_text(prefix)), &found, err);
	return r < 0 ? r : take_one(&found, ret_row, err);
}

static int replace_profiles(struct db_tx *tx, int64_t id, char *const *profiles,
                            const char *profile_project, struct error **err)
{
	int r = db_exec(tx, "DELETE FROM images_profiles WHERE image_id = ?", DB_ARGS(db_int(id)),
	                err);
	if (r < 0)
		return r;

	STRV_FOREACH (name, profiles) {
		r = db_exec(tx,
		            "INSERT INTO images_profiles (image_id, profile_id)"
		            " VALUES (?, (SELECT profiles.id"
		            "               FROM profiles"
		            "               JOIN projects ON projects.id = profiles.project_id"
		            "              WHERE projects.name = ? AND profiles.name = ?))"
		            " ON CONFLICT (image_id, profile_id) DO NOTHING",
		            DB_ARGS(db_int(id), db_text(profile_project), db_text(name)), err);
		if (r < 0)
			return db_row_end(r, "Profile", err);
	}

	return 0;
}

int db_image_create(struct db_tx *tx, const struct db_image *row, const char *profile_project,
                    int64_t *ret_id, struct error **err)
{
	int64_t id;

	int r = db_insert(
		tx,
		"INSERT INTO images (project_id, fingerprint, filename, architecture, type,"
		"                    size, public, auto_update, cached, created, expires,"
		"                    uploaded, last_used, source_server, source_protocol,"
		"                    source_certificate, source_alias, source_type)"
		" VALUES ((SELECT id FROM projects WHERE name = ?),"
		"         ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		DB_ARGS(db_text(row->project), db_text(row->fingerprint), db_text(row->filename),
	                db_text(row->architecture), db_int(row->type), db_int(row->size),
	                db_bool(row->public), db_bool(row->auto_update), db_bool(row->cached),
	                db_date(row->created), db_date(row->expires), db_date(row->uploaded),
	                db_date(row->last_used), db_text(row->source_server),
	                db_text(row->source_protocol), db_text(row->source_certificate),
	                db_text(row->source_alias), db_text(row->source_type)),
		&id, err);
	if (r == -EEXIST) {
		error_free(*err);
		*err = NULL;
		return error_set(err, 409, "Image with same fingerprint already exists");
	}
	if (r < 0)
		return db_row_end(r, "Project", err);
	r = db_config_replace(tx, &property_table, id, NULL, &row->properties, err);
	if (r == 0)
		r = replace_profiles(tx, id, row->profiles, profile_project, err);
	STRV_FOREACH (member, row->members) {
		if (r == 0)
			r = db_image_add_member(tx, row->fingerprint, member, err);
	}
	if (r < 0)
		return r;

	*ret_id = id;
	return 0;
}

static int update_one(struct db_tx *tx, const char *noun, const char *sql, struct db_args args,
                      struct error **err)
{
	int64_t changes;

	int r = db_exec_count(tx, sql, args, &changes, err);
	return r < 0 ? db_row_end(r, noun, err) : db_row_changed(changes, noun, err);
}

int db_image_update(struct db_tx *tx, const struct db_image *row, const char *profile_project,
                    struct error **err)
{
	scoped(smap_done) struct smap now = { 0 };

	int r = update_one(tx, NOUN,
	                   "UPDATE images"
	                   "   SET public = ?, auto_update = ?, cached = ?, expires = ?"
	                   " WHERE id = ?",
	                   DB_ARGS(db_bool(row->public), db_bool(row->auto_update),
	                           db_bool(row->cached), db_date(row->expires), db_int(row->id)),
	                   err);
	if (r == 0)
		r = db_config_read(tx, parts_of_one.properties, row->id, &now, err);
	if (r == 0)
		r = db_config_replace(tx, &property_table, row->id, &now, &row->properties, err);
	if (r == 0)
		r = replace_profiles(tx, row->id, row->profiles, profile_project, err);
	return r;
}

int db_image_set_last_used(struct db_tx *tx, int64_t id, int64_t time, struct error **err)
{
	return update_one(tx, NOUN, "UPDATE images SET last_used = ? WHERE id = ?",
	                  DB_ARGS(db_date(time), db_int(id)), err);
}

int db_image_delete(struct db_tx *tx, int64_t id, struct error **err)
{
	return update_one(tx, NOUN, "DELETE FROM images WHERE id = ?", DB_ARGS(db_int(id)), err);
}

int db_image_add_member(struct db_tx *tx, const char *fingerprint, const char *member,
                        struct error **err)
{
	int r = db_exec(tx,
	                "INSERT INTO images_members (fingerprint, member_id)"
	                " VALUES (?, (SELECT id FROM members WHERE name = ?))"
	                " ON CONFLICT (fingerprint, member_id) DO NOTHING",
	                DB_ARGS(db_text(fingerprint), db_text(member)), err);

	return db_row_end(r, "Cluster member", err);
}

int db_image_remove_member(struct db_tx *tx, const char *fingerprint, const char *member,
                           struct error **err)
{
	return db_exec(tx,
	               "DELETE FROM images_members"
	               " WHERE fingerprint = ?"
	               "   AND member_id = (SELECT id FROM members WHERE name = ?)",
	               DB_ARGS(db_text(fingerprint), db_text(member)), err);
}

int db_image_alias_list(struct db_tx *tx, const char *project, struct db_image_aliases *ret_rows,
                        struct error **err)
{
	return db_row_list(tx,
	                   SELECT_ALIASES " WHERE ?1 IS NULL OR projects.name = ?1"
	                                  " ORDER BY projects.name, image_aliases.name",
	                   DB_ARGS(db_text_or_null(project)), alias_columns, ret_rows, err);
}

int db_image_alias_get(struct db_tx *tx, const char *project, const char *name,
                       struct db_image_alias *ret_row, struct error **err)
{
	struct db_image_alias row = { 0 };

	int r = db_get(tx, SELECT_ALIASES " WHERE projects.name = ? AND image_aliases.name = ?",
	               DB_ARGS(db_text(project), db_text(name)), alias_columns,
	               COUNT_OF(alias_columns), &row, err);
	if (r < 0)
		return db_row_end(r, NOUN_ALIAS, err);

	*ret_row = row;
	return 0;
}

int db_image_alias_create(struct db_tx *tx, const char *project, const char *name,
                          const char *description, int64_t image_id, struct error **err)
{
	int r = db_exec(
		tx,
		"INSERT INTO image_aliases (project_id, name, description, image_id)"
		" VALUES ((SELECT id FROM projects WHERE name = ?), ?, ?, ?)",
		DB_ARGS(db_text(project), db_text(name), db_text(description), db_int(image_id)),
		err);

	return db_row_end(r, r == -ENOENT ? NOUN : NOUN_ALIAS, err);
}

int db_image_alias_update(struct db_tx *tx, int64_t id, const char *description, int64_t image_id,
                          struct error **err)
{
	return update_one(tx, NOUN_ALIAS,
	                  "UPDATE image_aliases"
	                  "   SET description = ?, image_id = ?"
	                  " WHERE id = ?",
	                  DB_ARGS(db_text(description), db_int(image_id), db_int(id)), err);
}

int db_image_alias_rename(struct db_tx *tx, int64_t id, const char *new_name, struct error **err)
{
	return update_one(tx, NOUN_ALIAS, "UPDATE image_aliases SET name = ? WHERE id = ?",
	                  DB_ARGS(db_text(new_name), db_int(id)), err);
}

int db_image_alias_delete(struct db_tx *tx, int64_t id, struct error **err)
{
	return update_one(tx, NOUN_ALIAS, "DELETE FROM image_aliases WHERE id = ?",
	                  DB_ARGS(db_int(id)), err);
}
