#include "db/reservations.h"

#include <stdlib.h>

#include "db/row.h"

#define NOUN "Reservation"

/* clang-format off */
static const struct db_column columns[] = {
	DB_INT64(struct db_reservation, id),
	DB_TEXT(struct db_reservation, member),
	DB_TEXT(struct db_reservation, project),
	DB_TEXT(struct db_reservation, instance),
	DB_TEXT(struct db_reservation, pool),
	DB_TEXT(struct db_reservation, owner),
	DB_INT64(struct db_reservation, memory),
	DB_INT64(struct db_reservation, cpus),
	DB_INT64(struct db_reservation, disk),
	DB_TEXT(struct db_reservation, placement_group),
	DB_DATE(struct db_reservation, created),
	DB_DATE(struct db_reservation, expires),
};
/* clang-format on */

void db_reservation_done(struct db_reservation *row)
{
	db_row_unload(columns, COUNT_OF(columns), row);
}

void db_reservation_list_done(struct db_reservations *rows)
{
	for (size_t i = 0; i < rows->n; i++)
		db_reservation_done(&rows->rows[i]);
	free(rows->rows);
	*rows = (struct db_reservations){ 0 };
}

int db_reservation_list(struct db_tx *tx, struct db_reservations *ret_rows, struct error **err)
{
	static const char sql[] =
		"SELECT reservations.id, members.name, projects.name, reservations.instance,"
		"       reservations.pool, reservations.owner, reservations.memory,"
		"       reservations.cpus, reservations.disk, reservations.placement_group,"
		"       reservations.created, reservations.expires"
		"  FROM reservations"
		"  JOIN members ON members.id = reservations.member_id"
		"  JOIN projects ON projects.id = reservations.project_id"
		" ORDER BY reservations.id";

	return db_row_list(tx, sql, DB_NO_ARGS, columns, ret_rows, err);
}

int db_reservation_has(struct db_tx *tx, const char *project, const char *instance,
                       bool *ret_is_there, struct error **err)
{
	int64_t n = 0;

	int r = db_get_int(tx,
	                   "SELECT COUNT(*) FROM reservations"
	                   " WHERE instance = ?"
	                   "   AND project_id = (SELECT id FROM projects WHERE name = ?)",
	                   DB_ARGS(db_text(instance), db_text(project)), 0, &n, err);
	if (r < 0)
		return r;

	*ret_is_there = n > 0;
	return 0;
}

int db_reservation_create(struct db_tx *tx, const struct db_reservation *row, int64_t *ret_id,
                          struct error **err)
{
	int r = db_insert(tx,
	                  "INSERT INTO reservations (member_id, project_id, instance, pool, owner,"
	                  "                          memory, cpus, disk, placement_group, created,"
	                  "                          expires)"
	                  " VALUES ((SELECT id FROM members WHERE name = ?),"
	                  "         (SELECT id FROM projects WHERE name = ?),"
	                  "         ?, ?, ?, ?, ?, ?, ?, ?, ?)",
	                  DB_ARGS(db_text(row->member), db_text(row->project),
	                          db_text(row->instance), db_text(row->pool), db_text(row->owner),
	                          db_int(row->memory), db_int(row->cpus), db_int(row->disk),
	                          db_text(row->placement_group), db_int(row->created),
	                          db_int(row->expires)),
	                  ret_id, err);

	return db_row_end(r, r == -ENOENT ? "Cluster member" : NOUN, err);
}

int db_reservation_delete(struct db_tx *tx, int64_t id, struct error **err)
{
	int64_t changes;

	int r = db_exec_count(tx, "DELETE FROM reservations WHERE id = ?", DB_ARGS(db_int(id)),
	                      &changes, err);
	return r < 0 ? r : db_row_changed(changes, NOUN, err);
}

int db_reservation_delete_of(struct db_tx *tx, const char *project, const char *instance,
                             const char *owner, struct error **err)
{
	return db_exec(tx,
	               "DELETE FROM reservations"
	               " WHERE instance = ?"
	               "   AND owner = ?"
	               "   AND project_id = (SELECT id FROM projects WHERE name = ?)",
	               DB_ARGS(db_text(instance), db_text(owner), db_text(project)), err);
}

int db_reservation_delete_by(struct db_tx *tx, const char *owner, struct error **err)
{
	return db_exec(tx, "DELETE FROM reservations WHERE owner = ?", DB_ARGS(db_text(owner)),
	               err);
}

int db_reservation_prune(struct db_tx *tx, int64_t now, struct error **err)
{
	return db_exec(tx, "DELETE FROM reservations WHERE expires <= ?", DB_ARGS(db_int(now)),
	               err);
}
