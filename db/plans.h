/*
 * Plans and their steps: rows of "plans" and "plan_steps". What kinds, states, modes and phases
 * there are, and which may follow which, is the cluster's business (cluster/plan); here they are
 * numbers and texts, and a change names the state that it expects.
 */
#pragma once

#include "db/db.h"

struct db_plan {
	int64_t id;
	char *uuid;
	char *kind;      /* "evacuate", "restore", ... */
	char *member;    /* Which is evacuated or restored; "" if it is about no member. */
	char *requestor; /* JSON object, or "". */
	char *options;   /* JSON object. */
	int64_t state;
	char *operation; /* UUID of the operation that shows it, or "". */
	int64_t term;    /* How many coordinators took it over; the last one counts. */
	char *error;
	int64_t created;
	int64_t updated;
};

struct db_plan_step {
	int64_t id;
	int64_t plan_id;
	int64_t ordinal;     /* From 0, within the plan. */
	int64_t instance_id; /* 0 once the instance is gone. */
	char *project;       /* Of the instance, when the step was made. */
	char *instance;      /* Its name then. */
	char *source;        /* Member names. */
	char *target;
	char *mode;
	int64_t phase;
	int64_t attempt;
	int64_t epoch; /* Of the instance, when the step was made. */
	bool was_running;
	int64_t bytes_total;
	int64_t bytes_done;
	char *error;
	char *detail;    /* JSON object: the reasons, what it depends on, progress. */
	int64_t started; /* DATE_NONE: not yet. */
	int64_t updated;
};

struct db_plans {
	struct db_plan *rows;
	size_t n;
};

struct db_plan_steps {
	struct db_plan_step *rows;
	size_t n;
};

void db_plan_done(struct db_plan *row);
void db_plan_list_done(struct db_plans *rows);
void db_plan_step_done(struct db_plan_step *row);
void db_plan_step_list_done(struct db_plan_steps *rows);

/* In order of creation. 'states' limits to some; NULL for all. */
int db_plan_list(struct db_tx *tx, const int64_t *states, size_t n_states,
                 struct db_plans *ret_rows, struct error **err) MUST_CHECK;
int db_plan_get(struct db_tx *tx, const char *uuid, struct db_plan *ret_row, struct error **err)
	MUST_CHECK;

/* Adds the plan with its steps (ordinals are given by their order). */
int db_plan_create(struct db_tx *tx, const struct db_plan *row, const struct db_plan_step *steps,
                   size_t n_steps, int64_t *ret_id, struct error **err) MUST_CHECK;

/* From state 'from' to 'to', with a text of error (NULL leaves it). 409 if it is not in 'from'. */
int db_plan_set_state(struct db_tx *tx, int64_t id, int64_t from, int64_t to, const char *error,
                      struct error **err) MUST_CHECK;

/*
 * Makes the caller the coordinator: raises the term and returns the new one. Whoever holds an older
 * one fails in db_plan_check_term() from then on.
 */
int db_plan_take(struct db_tx *tx, int64_t id, int64_t *ret_term, struct error **err) MUST_CHECK;

/* 409 unless 'term' is the plan's. */
int db_plan_check_term(struct db_tx *tx, int64_t id, int64_t term, struct error **err) MUST_CHECK;

/* Sets the JSON of options; for pausing, caps that change, and the like. */
int db_plan_set_options(struct db_tx *tx, int64_t id, const char *options, struct error **err)
	MUST_CHECK;
int db_plan_delete(struct db_tx *tx, int64_t id, struct error **err) MUST_CHECK;

/* Removes plans whose state is 'state' or a later one, but for the 'n_kept' newest of them. */
int db_plan_prune(struct db_tx *tx, int64_t state, int64_t n_kept, struct error **err) MUST_CHECK;

/* By plan and ordinal; of all plans if 'plan_id' is 0. */
int db_plan_step_list(struct db_tx *tx, int64_t plan_id, struct db_plan_steps *ret_rows,
                      struct error **err) MUST_CHECK;
int db_plan_step_get(struct db_tx *tx, int64_t plan_id, int64_t ordinal,
                     struct db_plan_step *ret_row, struct error **err) MUST_CHECK;

/*
 * From phase 'from' to row->phase, with target, mode, attempt, epoch, was_running, bytes, error,
 * detail and started of 'row'. 409 if the step (row->id) is not in 'from'.
 */
int db_plan_step_update(struct db_tx *tx, const struct db_plan_step *row, int64_t from,
                        struct error **err) MUST_CHECK;

/* Progress alone, without a condition and without raising a revision. */
int db_plan_step_progress(struct db_tx *tx, int64_t id, int64_t bytes_total, int64_t bytes_done,
                          const char *detail, struct error **err) MUST_CHECK;
