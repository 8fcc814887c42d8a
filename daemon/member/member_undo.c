#include "daemon/member/member_undo.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/plan.h"
#include "db/instances.h"
#include "db/members.h"
#include "lib/base/alloc.h"
#include "lib/base/date.h"

/* Of a mode: what takes it back. NULL: nothing does. */
static const char *reverse_mode(const char *mode)
{
	static const struct {
		const char *mode;
		const char *reverse;
	} modes[] = {
		{ "stop", "start" },
		{ "start", "stop" },
		{ "migrate", "migrate" },
		{ "live-migrate", "live-migrate" },
		{ "refresh-migrate", "refresh-migrate" },
	};

	for (size_t i = 0; i < COUNT_OF(modes); i++)
		if (strcmp(modes[i].mode, mode) == 0)
			return modes[i].reverse;

	return NULL;
}

/* 1: there is something to undo. */
static int reverse_step(struct db_tx *tx, const struct db_plan_step *step,
                        struct db_plan_step *ret_row, struct error **err)
{
	scoped(error_freep) struct error *gone = NULL;
	const char *mode = reverse_mode(step->mode);
	struct db_instance inst = { 0 };

	if (step->phase != PLAN_PHASE_CLEANED || step->instance_id == 0 || !mode)
		return 0;

	int r = db_instance_get_by_id(tx, step->instance_id, &inst, &gone);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return error_move(err, &gone);

	bool is_there = strcmp(inst.member, step->target) == 0;
	if (is_there)
		*ret_row = (struct db_plan_step){
			.instance_id = step->instance_id,
			.project = xstrdup(inst.project),
			.instance = xstrdup(inst.name),
			.source = xstrdup(step->target),
			.target = xstrdup(step->source),
			.mode = xstrdup(mode),
			.phase = PLAN_PHASE_PLANNED,
			.epoch = inst.epoch,
			.was_running = step->was_running,
			.bytes_total = step->bytes_total,
			.error = xstrdup(""),
			.detail = xstrdup("{\"reason\":\"it was there before\"}"),
			.started = DATE_NONE,
			.updated = DATE_NONE,
		};
	db_instance_done(&inst);
	return is_there;
}

static int set_evacuated(struct db_tx *tx, const char *name, struct error **err)
{
	struct db_member member = { 0 };

	int r = db_member_get(tx, name, &member, err);
	if (r < 0)
		return r;

	r = db_member_set_state(tx, member.id, DB_MEMBER_EVACUATED, err);
	db_member_done(&member);
	return r;
}

int member_undo_create(struct db_tx *tx, const struct db_plan *plan,
                       const struct db_plan_steps *steps, const char *uuid, struct error **err)
{
	bool was_restore = strcmp(plan->kind, "restore") == 0;
	struct db_plan_steps rows = { .rows = xcalloc(steps->n + 1, sizeof(*rows.rows)) };
	int64_t id = 0;
	int r = 0;

	for (size_t i = steps->n; r >= 0 && i-- > 0;) {
		r = reverse_step(tx, &steps->rows[i], &rows.rows[rows.n], err);
		rows.n += r > 0;
	}

	const struct db_plan reverse = {
		.uuid = (char *)(uintptr_t)uuid,
		.kind = (char *)(uintptr_t)(was_restore ? "evacuate" : "restore"),
		.member = plan->member,
		.requestor = plan->requestor,
		.options = (char *)(uintptr_t) "{}",
		.state = PLAN_STATE_RUNNING,
		.operation = (char *)(uintptr_t)uuid,
		.error = (char *)(uintptr_t) "",
	};
	if (r >= 0)
		r = db_plan_create(tx, &reverse, rows.rows, rows.n, &id, err);
	if (r >= 0 && was_restore)
		r = set_evacuated(tx, plan->member, err);
	db_plan_step_list_done(&rows);
	return r < 0 ? r : 0;
}
