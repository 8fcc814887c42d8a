#include "db/plans.h"

#include <stdlib.h>

#include "db/row.h"

#define NOUN "Plan"
#define NOUN_STEP "Step of the plan"

/* clang-format off */
static const struct db_column columns[] = {
	DB_INT64(struct db_plan, id),
	DB_TEXT(struct db_plan, uuid),
	DB_TEXT(struct db_plan, kind),
	DB_TEXT(struct db_plan, member),
	DB_TEXT(struct db_plan, requestor),
	DB_TEXT(struct db_plan, options),
	DB_INT64(struct db_plan, state),
	DB_TEXT(struct db_plan, operation),
	DB_INT64(struct db_plan, term),
	DB_TEXT(struct db_plan, error),
	DB_DATE(struct db_plan, created),
	DB_DATE(struct db_plan, updated),
};

static const struct db_column step_columns[] = {
	DB_INT64(struct db_plan_step, id),
	DB_INT64(struct db_plan_step, plan_id),
	DB_INT64(struct db_plan_step, ordinal),
	DB_INT64(struct db_plan_step, instance_id),
	DB_TEXT(struct db_plan_step, project),
	DB_TEXT(struct db_plan_step, instance),
	DB_TEXT(struct db_plan_step, source),
	DB_TEXT(struct db_plan_step, target),
	DB_TEXT(struct db_plan_step, mode),
	DB_INT64(struct db_plan_step, phase),
	DB_INT64(struct db_plan_step, attempt),
	DB_INT64(struct db_plan_step, epoch),
	DB_BOOL(struct db_plan_step, was_running),
	DB_INT64(struct db_plan_step, bytes_total),
	DB_INT64(struct db_plan_step, bytes_done),
	DB_TEXT(struct db_plan_step, error),
	DB_TEXT(struct db_plan_step, detail),
	DB_DATE(struct db_plan_step, started),
	DB_DATE(struct db_plan_step, updated),
};
/* clang-format on */

#define SELECT_PLANS                                                                 \
	"SELECT id, uuid, kind, member, requestor, options, state, operation, term," \
	"       error, created, updated"                                             \
	"  FROM plans"
#define SELECT_STEPS                                                                   \
	"SELECT id, plan_id, ordinal, instance_id, project, instance, source, target," \
	"       mode, phase, attempt, epoch, was_running, bytes_total, bytes_done,"    \
	"       error, detail, started, updated"                                       \
	"  FROM plan_steps"

void db_plan_done(struct db_plan *row)
{
	db_row_unload(columns, COUNT_OF(columns), row);
}

void db_plan_list_done(struct db_plans *rows)
{
	for (size_t i = 0; i < rows->n; i++)
		db_plan_done(&rows->rows[i]);
	free(rows->rows);
	*rows = (struct db_plans){ 0 };
}

void db_plan_step_done(struct db_plan_step *row)
{
	db_row_unload(step_columns, COUNT_OF(step_columns), row);
}

void db_plan_step_list_done(struct db_plan_steps *rows)
{
	for (size_t i = 0; i < rows->n; i++)
		db_plan_step_done(&rows->rows[i]);
	free(rows->rows);
	*rows = (struct db_plan_steps){ 0 };
}

static bool is_among(int64_t state, const int64_t *states, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (states[i] == state)
			return true;

	return false;
}

/* Plans are few; those of other states are left out here. */
int db_plan_list(struct db_tx *tx, const int64_t *states, size_t n_states,
                 struct db_plans *ret_rows, struct error **err)
{
	struct db_plans list = { 0 };

	int r = db_row_list(tx, SELECT_PLANS " ORDER BY id", DB_NO_ARGS, columns, &list, err);
	if (r < 0)
		return r;

	size_t kept = 0;
	for (size_t i = 0; i < list.n; i++) {
		if (!states || is_among(list.rows[i].state, states, n_states))
			list.rows[kept++] = list.rows[i];
		else
			db_plan_done(&list.rows[i]);
	}
	list.n = kept;
	*ret_rows = list;
	return 0;
}

int db_plan_get(struct db_tx *tx, const char *uuid, struct db_plan *ret_row, struct error **err)
{
	struct db_plan row = { 0 };

	int r = db_get(tx, SELECT_PLANS " WHERE uuid = ?", DB_ARGS(db_text(uuid)), columns,
	               COUNT_OF(columns), &row, err);
	if (r < 0)
		return db_row_end(r, NOUN, err);

	*ret_row = row;
	return 0;
}

static struct db_value object(const char *json)
{
	return db_text(json && *json ? json : "{}");
}

static int insert_step(struct db_tx *tx, int64_t plan_id, int64_t ordinal,
                       const struct db_plan_step *step, struct error **err)
{
	int r = db_exec(
		tx,
		"INSERT INTO plan_steps (plan_id, ordinal, instance_id, project, instance,"
		"                        source, target, mode, phase, attempt, epoch,"
		"                        was_running, bytes_total, bytes_done, error, detail,"
		"                        started, updated)"
		" VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		DB_ARGS(db_int(plan_id), db_int(ordinal),
	                step->instance_id ? db_int(step->instance_id) : db_null(),
	                db_text(step->project), db_text(step->instance), db_text(step->source),
	                db_text(step->target), db_text(step->mode), db_int(step->phase),
	                db_int(step->attempt), db_int(step->epoch), db_bool(step->was_running),
	                db_int(step->bytes_total), db_int(step->bytes_done), db_text(step->error),
	                object(step->detail), db_date(step->started), db_int(date_now())),
		err);

	return db_row_end(r, r == -ENOENT ? "Instance" : NOUN_STEP, err);
}

int db_plan_create(struct db_tx *tx, const struct db_plan *row, const struct db_plan_step *steps,
                   size_t n_steps, int64_t *ret_id, struct error **err)
{
	int64_t now = date_now();
	int64_t id;

	int r = db_insert(
		tx,
		"INSERT INTO plans (uuid, kind, member, requestor, options, state, operation,"
		"                   error, created, updated)"
		" VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		DB_ARGS(db_text(row->uuid), db_text(row->kind), db_text(row->member),
	                db_text(row->requestor), object(row->options), db_int(row->state),
	                db_text(row->operation), db_text(row->error), db_int(now), db_int(now)),
		&id, err);
	if (r < 0)
		return db_row_end(r, NOUN, err);
	for (size_t i = 0; i < n_steps; i++) {
		r = insert_step(tx, id, (int64_t)i, &steps[i], err);
		if (r < 0)
			return r;
	}

	*ret_id = id;
	return 0;
}

static int update_one(struct db_tx *tx, const char *noun, const char *sql, struct db_args args,
                      struct error **err)
{
	int64_t changes;

	int r = db_exec_count(tx, sql, args, &changes, err);
	return r < 0 ? r : db_row_changed(changes, noun, err);
}

int db_plan_set_state(struct db_tx *tx, int64_t id, int64_t from, int64_t to, const char *error,
                      struct error **err)
{
	int64_t changes;

	int r = db_exec_count(tx,
	                      "UPDATE plans"
	                      "   SET state = ?, updated = ?, error = COALESCE(?, error)"
	                      " WHERE id = ? AND state = ?",
	                      DB_ARGS(db_int(to), db_int(date_now()),
	                              error ? db_text(error) : db_null(), db_int(id), db_int(from)),
	                      &changes, err);
	if (r < 0)
		return r;

	return changes == 0 ? error_set(err, 409, "The plan has changed meanwhile") : 0;
}

int db_plan_set_options(struct db_tx *tx, int64_t id, const char *options, struct error **err)
{
	return update_one(tx, NOUN, "UPDATE plans SET options = ?, updated = ? WHERE id = ?",
	                  DB_ARGS(object(options), db_int(date_now()), db_int(id)), err);
}

int db_plan_delete(struct db_tx *tx, int64_t id, struct error **err)
{
	return update_one(tx, NOUN, "DELETE FROM plans WHERE id = ?", DB_ARGS(db_int(id)), err);
}

int db_plan_prune(struct db_tx *tx, int64_t state, int64_t n_kept, struct error **err)
{
	return db_exec(tx,
	               "DELETE FROM plans"
	               " WHERE state >= ?1"
	               "   AND id NOT IN (SELECT id FROM plans"
	               "                   WHERE state >= ?1"
	               "                   ORDER BY id DESC"
	               "                   LIMIT ?2)",
	               DB_ARGS(db_int(state), db_int(n_kept)), err);
}

int db_plan_step_list(struct db_tx *tx, int64_t plan_id, struct db_plan_steps *ret_rows,
                      struct error **err)
{
	return db_row_list(tx,
	                   SELECT_STEPS " WHERE ?1 = 0 OR plan_id = ?1 ORDER BY plan_id, ordinal",
	                   DB_ARGS(db_int(plan_id)), step_columns, ret_rows, err);
}

int db_plan_step_get(struct db_tx *tx, int64_t plan_id, int64_t ordinal,
                     struct db_plan_step *ret_row, struct error **err)
{
	struct db_plan_step row = { 0 };

	int r = db_get(tx, SELECT_STEPS " WHERE plan_id = ? AND ordinal = ?",
	               DB_ARGS(db_int(plan_id), db_int(ordinal)), step_columns,
	               COUNT_OF(step_columns), &row, err);
	if (r < 0)
		return db_row_end(r, NOUN_STEP, err);

	*ret_row = row;
	return 0;
}

int db_plan_step_update(struct db_tx *tx, const struct db_plan_step *row, int64_t from,
                        struct error **err)
{
	int64_t changes;

	int r = db_exec_count(tx,
	                      "UPDATE plan_steps"
	                      "   SET phase = ?, target = ?, mode = ?, attempt = ?, epoch = ?,"
	                      "       was_running = ?, bytes_total = ?, bytes_done = ?, error = ?,"
	                      "       detail = ?, started = ?, updated = ?"
	                      " WHERE id = ? AND phase = ?",
	                      DB_ARGS(db_int(row->phase), db_text(row->target), db_text(row->mode),
	                              db_int(row->attempt), db_int(row->epoch),
	                              db_bool(row->was_running), db_int(row->bytes_total),
	                              db_int(row->bytes_done), db_text(row->error),
	                              object(row->detail), db_date(row->started),
	                              db_int(date_now()), db_int(row->id), db_int(from)),
	                      &changes, err);
	if (r < 0)
		return r;

	return changes == 0 ? error_set(err, 409, "The step of the plan has changed meanwhile") : 0;
}

int db_plan_step_progress(struct db_tx *tx, int64_t id, int64_t bytes_total, int64_t bytes_done,
                          const char *detail, struct error **err)
{
	return update_one(tx, NOUN_STEP,
	                  "UPDATE plan_steps"
	                  "   SET bytes_total = ?, bytes_done = ?, detail = ?, updated = ?"
	                  " WHERE id = ?",
	                  DB_ARGS(db_int(bytes_total), db_int(bytes_done), object(detail),
	                          db_int(date_now()), db_int(id)),
	                  err);
}

int db_plan_take(struct db_tx *tx, int64_t id, int64_t *ret_term, struct error **err)
{
	int r = db_exec(tx, "UPDATE plans SET term = term + 1 WHERE id = ?", DB_ARGS(db_int(id)),
	                err);
	if (r < 0)
		return r;

	return db_get_int(tx, "SELECT term FROM plans WHERE id = ?", DB_ARGS(db_int(id)), 0,
	                  ret_term, err);
}

int db_plan_check_term(struct db_tx *tx, int64_t id, int64_t term, struct error **err)
{
	int64_t current = 0;

	int r = db_get_int(tx, "SELECT term FROM plans WHERE id = ?", DB_ARGS(db_int(id)), 0,
	                   &current, err);
	if (r < 0)
		return r;
	if (current != term)
		return error_set(err, 409, "The plan is carried out by another member now");

	return 0;
}
