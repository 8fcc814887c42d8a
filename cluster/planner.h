/*
 * The one planner.
 *
 * planner_make() turns a snapshot and a request into an ordered list of steps. It is pure and
 * deterministic, and there is no other way to choose a member: creation, moves, evacuation,
 * restore, healing, the dry run, the explanation and the simulator all call it. So what the dry run
 * prints is what happens, as long as the cluster stays as it was.
 *
 * A step names an instance, where from and where to, how, what it costs, what it depends on, and
 * for every member that was not chosen the reason. An instance that finds no place gets a step of
 * mode "stay" and keeps running where it is: nothing is stopped before it has a place to go. So
 * does one that would be down for longer than the request allows however it is moved.
 *
 * Direct placement is tried first, in the order of boot.stop.priority. When that leaves somebody
 * without a place, the planner searches, within a budget, for another assignment of those that
 * move, and then for chains and swaps: an instance that blocks the place makes room by moving to a
 * third member. A strict rule is never broken.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cluster/placement.h"
#include "lib/base/error.h"

enum planner_kind {
	PLANNER_CREATE,
	PLANNER_MOVE,
	PLANNER_EVACUATE,
	PLANNER_RESTORE,
	PLANNER_HEAL,
	N_PLANNER_KINDS
};

enum planner_mode {
	PLANNER_STOP,            /* Stopped where it is. */
	PLANNER_MIGRATE,         /* Stopped, moved, started. */
	PLANNER_LIVE_MIGRATE,    /* Moved while it runs. */
	PLANNER_REFRESH_MIGRATE, /* Copied while it runs, stopped for the last difference only. */
	PLANNER_START,           /* Started where it is. */
	PLANNER_STAY,            /* Left alone. */
	N_PLANNER_MODES
};

struct planner_request {
	enum planner_kind kind;
	size_t member;   /* To evacuate, restore or heal. */
	size_t instance; /* To move: its index; to create: of one without a member. */
	size_t target;
	const char *target_group;
	const char *const *allowed_groups;
	int mode;             /* enum planner_mode that overrides cluster.evacuate, or -1. */
	bool is_skipped;      /* Restore: the member's state only. */
	bool is_reduced;      /* Leave the rejections out: for very large plans. */
	uint64_t bandwidth;   /* Bytes a second that a copy is expected to make; 0: 200 MiB. */
	uint64_t downtime_ms; /* Nobody is moved who would be down for longer; 0: no limit. */
	size_t search_budget; /* Nodes of the search for what has no direct place; 0: 20,000. */
};

struct planner_step {
	size_t instance; /* Index in the snapshot. */
	size_t from;     /* Index of a member, or PLACEMENT_NONE. */
	size_t to;
	enum planner_mode mode;
	bool must_run;     /* The instance runs now, or ran before; it must in the end. */
	uint64_t n_bytes;  /* To copy. */
	uint64_t ms;       /* Expected length. */
	uint64_t pause_ms; /* Expected downtime. */
	size_t depends_on; /* Ordinal of the step that makes room, or PLACEMENT_NONE. */
	bool is_displaced; /* Moves only to make room for another. */
	char *reason;      /* Why there, or why nowhere; owned. */
	struct placement_rejection *rejections;
	size_t n_rejections;
};

struct planner_plan {
	enum planner_kind kind;
	size_t member; /* PLACEMENT_NONE for create and move. */
	struct planner_step *steps;
	size_t n_steps;
	size_t n_unplaced; /* Steps that stay because there is no place. */
	uint64_t n_bytes;
};

/*
 * Makes the plan; free it with planner_plan_done(). A create or move that finds nobody is an error
 * (placement_error()); an evacuation is not: see 'n_unplaced'.
 */
int planner_make(const struct placement_snapshot *snapshot, const struct planner_request *request,
                 struct planner_plan *ret_plan, struct error **err);
void planner_plan_done(struct planner_plan *plan);

/* The names of the API and of the plans table, and back (-EINVAL). */
const char *planner_kind_name(enum planner_kind kind);
const char *planner_mode_name(enum planner_mode mode);
int planner_kind_parse(const char *name);
int planner_mode_parse(const char *name);
