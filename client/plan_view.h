/*
 * Plans of the cluster as text: what would be done and why, and what is being done.
 *
 * A plan is the document of GET /1.0/cluster/plans/UUID; the "plan" member of a running operation's
 * metadata has the same form. Everything here is pure but for what it prints.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include <json-c/json.h>

#include "lib/base/scoped.h"

/* The whole plan: a line of totals, a table of steps, and the reasons for and against members. */
void plan_view_print(struct json_object *plan, FILE *out);

/*
 * The progress of a plan. On a terminal, one line per instance that is drawn again in place; else
 * a line for each change.
 */
struct plan_view;
struct plan_view *plan_view_new(FILE *out, bool is_terminal);
void plan_view_free(struct plan_view *view);
DEFINE_SCOPED(struct plan_view *, plan_view_free);

/* Shows the state in an operation's metadata; on a terminal within 'columns' and 'rows'. */
void plan_view_update(struct plan_view *view, struct json_object *metadata, unsigned columns,
                      unsigned rows);

/* The totals at the end: "11 moved, 1 stopped" and how long it took. */
void plan_view_finish(struct plan_view *view, struct json_object *metadata, double seconds);
