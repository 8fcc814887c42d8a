#include "db/certificates.h"

#include <stdlib.h>
#include <string.h>

#include "db/config_rows.h"
#include "db/row.h"
#include "lib/base/strv.h"

#define NOUN "Certificate"

/* clang-format off */
static const struct db_column columns[] = {
	DB_INT64(struct db_certificate, id),
	DB_TEXT(struct db_certificate, fingerprint),
	DB_INT64(struct db_certificate, type),
	DB_TEXT(struct db_certificate, name),
	DB_TEXT(struct db_certificate, description),
	DB_TEXT(struct db_certificate, certificate),
	DB_BOOL(struct db_certificate, restricted),
	DB_DATE(struct db_certificate, created),
};
/* clang-format on */

#define SELECT_CERTIFICATES                                             \
	"SELECT id, fingerprint, type, name, description, certificate," \
	"       restricted, created"                                    \
	"  FROM certificates"
#define SELECT_PROJECTS                                                     \
	"SELECT certificates_projects.certificate_id, projects.name"        \
	"  FROM certificates_projects"                                      \
	"  JOIN projects ON projects.id = certificates_projects.project_id" \
	" ORDER BY certificates_projects.certificate_id, projects.name"

void db_certificate_done(struct db_certificate *row)
{
	db_row_unload(columns, COUNT_OF(columns), row);
	strv_free(row->projects);
	row->projects = NULL;
}

void db_certificate_list_done(struct db_certificates *rows)
{
	for (size_t i = 0; i < rows->n; i++)
		db_certificate_done(&rows->rows[i]);
	free(rows->rows);
	*rows = (struct db_certificates){ 0 };
}

static int by_fingerprint(const void *a, const void *b)
{
	return strcmp(((const struct db_certificate *)a)->fingerprint,
	              ((const struct db_certificate *)b)->fingerprint);
}

static int list(struct db_tx *tx, const char *sql, struct db_args args,
                struct db_certificates *ret_rows, struct error **err)
{
	scoped(db_certificate_list_done) struct db_certificates found = { 0 };

	int r = db_row_list(tx, sql, args, columns, &found, err);
	if (r < 0)
		return r;

	struct db_owners owners = DB_OWNERS(&found, struct db_certificate, projects);
	r = db_config_merge_names(tx, SELECT_PROJECTS, DB_NO_ARGS, &owners, err);
	if (r < 0)
		return r;

	db_row_sort(&found, by_fingerprint);
	*ret_rows = found;
	found = (struct db_certificates){ 0 };
	return 0;
}

int db_certificate_list(struct db_tx *tx, struct db_certificates *ret_rows, struct error **err)
{
	return list(tx, SELECT_CERTIFICATES " ORDER BY id", DB_NO_ARGS, ret_rows, err);
}

int db_certificate_find(struct db_tx *tx, const char *prefix, struct db_certificate *ret_row,
                        struct error **err)
{
	scoped(db_certificate_list_done) struct db_certificates found = { 0 };

	int r = list(tx,
	             SELECT_CERTIFICATES " WHERE substr(fingerprint, 1, length(?1)) = ?1"
	                                 " ORDER BY id"
	                                 " LIMIT 2",
	             DB_ARGS(db_text(prefix)), &found, err);
	if (r < 0)
		return r;
	if (found.n == 0)
		return error_set(err, 404, NOUN " not found");
	if (found.n > 1)
		return error_set(err, 400, "More than one certificate matches");

	*ret_row = found.rows[0];
	found.rows[0] = (struct db_certificate){ 0 };
	return 0;
}

static int replace_projects(struct db_tx *tx, int64_t id, char *const *projects, struct error **err)
{
	int r = db_exec(tx, "DELETE FROM certificates_projects WHERE certificate_id = ?",
	                DB_ARGS(db_int(id)), err);
	if (r < 0)
		return r;

	STRV_FOREACH (name, projects) {
		r = db_exec(tx,
		            "INSERT INTO certificates_projects (certificate_id, project_id)"
		            " VALUES (?, (SELECT id FROM projects WHERE name = ?))"
		            " ON CONFLICT (certificate_id, project_id) DO NOTHING",
		            DB_ARGS(db_int(id), db_text(name)), err);
		if (r < 0)
			return db_row_end(r, "Project", err);
	}

	return 0;
}

int db_certificate_create(struct db_tx *tx, const struct db_certificate *row, int64_t *ret_id,
                          struct error **err)
{
	int64_t id;

	int r = db_insert(
		tx,
		"INSERT INTO certificates (fingerprint, type, name, description, certificate,"
		"                          restricted, created)"
		" VALUES (?, ?, ?, ?, ?, ?, ?)",
		DB_ARGS(db_text(row->fingerprint), db_int(row->type), db_text(row->name),
	                db_text(row->description), db_text(row->certificate),
	                db_bool(row->restricted), db_date(row->created)),
		&id, err);
	if (r < 0)
		return db_row_end(r, NOUN, err);
	r = replace_projects(tx, id, row->projects, err);
	if (r < 0)
		return r;

	*ret_id = id;
	return 0;
}

static int update_one(struct db_tx *tx, const char *sql, struct db_args args, struct error **err)
{
	int64_t changes;

	int r = db_exec_count(tx, sql, args, &changes, err);
	return r < 0 ? db_row_end(r, NOUN, err) : db_row_changed(changes, NOUN, err);
}

int db_certificate_update(struct db_tx *tx, const struct db_certificate *row, struct error **err)
{
	int r = update_one(tx,
	                   "UPDATE certificates"
	                   "   SET fingerprint = ?, type = ?, name = ?, description = ?,"
	                   "       certificate = ?, restricted = ?"
	                   " WHERE id = ?",
	                   DB_ARGS(db_text(row->fingerprint), db_int(row->type), db_text(row->name),
	                           db_text(row->description), db_text(row->certificate),
	                           db_bool(row->restricted), db_int(row->id)),
	                   err);

	return r < 0 ? r : replace_projects(tx, row->id, row->projects, err);
}

int db_certificate_delete(struct db_tx *tx, int64_t id, struct error **err)
{
	return update_one(tx, "DELETE FROM certificates WHERE id = ?", DB_ARGS(db_int(id)), err);
}
