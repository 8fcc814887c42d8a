#include "daemon/instance/instance_power.h"

#include <errno.h>
#include <string.h>

#include "daemon/core/operation.h"
#include "daemon/core/state.h"
#include "daemon/image/image_template.h"
#include "daemon/instance/instance_delete.h"
#include "daemon/instance/instance_exit.h"
#include "daemon/instance/instance_live.h"
#include "daemon/instance/instance_moving.h"
#include "daemon/instance/instance_schedule.h"
#include "daemon/instance/instance_spec.h"
#include "daemon/instance/instance_volatile.h"
#include "daemon/storage/storage_instance.h"
#include "drivers/host/op.h"
#include "drivers/instance/instance_conf.h"
#include "lib/base/alloc.h"
#include "lib/base/cancel.h"
#include "lib/base/date.h"
#include "lib/base/failpoint.h"
#include "lib/base/log.h"

/* clang-format off */
static const struct {
	const char *name;
	const char *description;
} actions[] = {
	[INSTANCE_START]    = { "start",    "Starting instance" },
	[INSTANCE_STOP]     = { "stop",     "Stopping instance" },
	[INSTANCE_RESTART]  = { "restart",  "Restarting instance" },
	[INSTANCE_FREEZE]   = { "freeze",   "Freezing instance" },
	[INSTANCE_UNFREEZE] = { "unfreeze", "Unfreezing instance" },
};
/* clang-format on */
static_assert(COUNT_OF(actions) == N_INSTANCE_ACTIONS, "a row for each action");

const char *instance_power_name(enum instance_action action)
{
	return actions[action].name;
}

const char *instance_power_description(enum instance_action action)
{
	return actions[action].description;
}

int instance_power_parse(const char *name)
{
	for (size_t i = 0; i < COUNT_OF(actions); i++)
		if (strcmp(actions[i].name, name) == 0)
			return (int)i;

	return -EINVAL;
}

int instance_power_check(const struct instance *inst, enum instance_action action,
                         struct error **err)
{
	enum instance_status status = instance_status(inst);

	if (!inst->engine)
		return error_set(err, 400, "Instances of type \"%s\" cannot run on this member",
		                 instance_type_name(inst));

	switch (action) {
	case INSTANCE_START:
		if (status != INSTANCE_STOPPED)
			return error_set(err, 400, "The instance is already running");
		if (instance_conf_is_true(&inst->row->config, "security.protection.start"))
			return error_set(err, 400, "Instance is protected from being started");
		return 0;
	case INSTANCE_STOP:
	case INSTANCE_RESTART:
		return status == INSTANCE_STOPPED
		               ? error_set(err, 400, "The instance is already stopped")
		               : 0;
	case INSTANCE_FREEZE:
		if (status == INSTANCE_STOPPED)
			return error_set(err, 400, "The instance is not running");
		return status == INSTANCE_FROZEN
		               ? error_set(err, 400, "The instance is already frozen")
		               : 0;
	case INSTANCE_UNFREEZE:
		return status != INSTANCE_FROZEN ? error_set(err, 400, "The instance is not frozen")
		                                 : 0;
	case N_INSTANCE_ACTIONS:
		break;
	}
	return error_set(err, 400, "Unknown action");
}

static struct cancel *cancel_of(struct operation *op)
{
	return op ? operation_cancel_token(op) : NULL;
}

static struct op driver_op(struct operation *op)
{
	return (struct op){ .cancel = cancel_of(op) };
}

/* Renders what is due: what creation or a copy left to do, then what is done at each start. */
static int apply_templates(const struct instance *inst, const struct instance_spec_built *built,
                           struct smap *changes, struct error **err)
{
	static const struct {
		const char *name;
		uint32_t when;
	} pending[] = {
		{ "create", IMAGE_TEMPLATE_CREATE },
		{ "copy", IMAGE_TEMPLATE_COPY },
		{ "rename", IMAGE_TEMPLATE_RENAME },
	};
	const struct db_instance *row = &inst->row->row;
	const char *due = smap_get_or(&row->config, "volatile.apply_template", "");
	uint32_t when = IMAGE_TEMPLATE_START;
	const struct image_template_context context = {
		.instance_name = row->name,
		.instance_type = instance_type_name(inst),
		.architecture = row->architecture,
		.is_privileged = built->spec.is_privileged,
		.is_ephemeral = row->ephemeral,
		.config = &inst->row->config,
		.disk_map = &built->mounted.disk_map,
	};

	for (size_t i = 0; i < COUNT_OF(pending); i++)
		if (strcmp(due, pending[i].name) == 0)
			when |= pending[i].when;
	if (*due)
		smap_set(changes, "volatile.apply_template", "");

	return image_template_apply(built->mounted.path, when, &context, err);
}

struct started {
	const struct db_instance *known;
	const struct smap *changes;
	bool is_moved;
};

static int write_started(struct db_tx *tx, void *arg, struct error **err)
{
	const struct started *started = arg;
	int r = started->is_moved ? instance_moving_check_epoch(tx, started->known, err)
	                          : instance_moving_check(tx, started->known, err);

	if (r == 0)
		r = db_instance_patch_config(tx, started->known->id, started->changes, err);
	if (r < 0)
		return r;

	return db_instance_set_last_used(tx, started->known->id, date_now(), err);
}

static int start_built(const struct instance *inst, struct operation *op,
                       const struct instance_spec_built *built, struct smap *changes, bool is_moved,
                       struct error **err)
{
	struct started started = {
		.known = &inst->row->row,
		.changes = changes,
		.is_moved = is_moved,
	};
	struct op driver = driver_op(op);

	int r = apply_templates(inst, built, changes, err);
	if (r == 0)
		r = FAILPOINT("instance.start", NULL,
		              "When all is ready for a start, before the row tells of it", err);
	if (r < 0)
		return r;

	smap_set(changes, "volatile.last_state.power", "RUNNING");
	r = db_write_shared(inst->state->db, NULL, write_started, &started, err);
	if (r < 0)
		return r;

	r = inst->driver->start(inst->engine, &built->spec, &driver, err);
	if (r < 0) {
		scoped(error_freep) struct error *undo = NULL;

		if (instance_volatile_set(inst, "volatile.last_state.power", "STOPPED", &undo) < 0)
			log_warn("Failed recording that instance \"%s\" did not start: %s",
			         inst->row->row.name, undo->msg);
	}
	return r;
}

static int start(const struct instance *inst, struct operation *op, bool is_moved,
                 struct error **err)
{
	scoped(smap_done) struct smap changes = { 0 };
	struct instance_spec_built built;

	/* A move goes on with what ran before, protected from being started or not. */
	int r = is_moved && inst->engine ? 0 : instance_power_check(inst, INSTANCE_START, err);
	if (r < 0)
		return r;

	if (!is_moved)
		r = instance_schedule_startup(inst, op, err);
	if (r == 0)
		r = instance_spec_start(inst, op, &changes, &built, err);
	if (r < 0)
		return r;

	r = start_built(inst, op, &built, &changes, is_moved, err);
	if (r < 0)
		instance_spec_stop(inst);
	instance_spec_done(inst, &built);
	if (r == 0) {
		instance_live_remember(inst);
		instance_event(inst, op, "instance-started");
	}

	return r;
}

int instance_power_start(const struct instance *inst, struct operation *op, struct error **err)
{
	return start(inst, op, false, err);
}

int instance_power_start_moved(const struct instance *inst, struct error **err)
{
	return start(inst, NULL, true, err);
}

/* Unmounts and records the end; errors can only be logged, since it has ended. */
static void record_end(const struct instance *inst, bool keeps_state)
{
	scoped(error_freep) struct error *err = NULL;
	scoped(smap_done) struct smap changes = { 0 };

	instance_live_forget(inst);
	instance_spec_stop(inst);
	if (!keeps_state)
		smap_set(&changes, "volatile.last_state.power", "STOPPED");
	smap_set(&changes, "volatile.idmap.current", "");
	if (instance_volatile_write(inst, &changes, &err) < 0)
		log_warn("Failed recording that instance \"%s\" stopped: %s", inst->row->row.name,
		         err->msg);
}

static void delete_ephemeral(const struct instance *inst, struct operation *op)
{
	scoped(error_freep) struct error *err = NULL;

	if (inst->row->row.ephemeral && instance_delete_locked(inst, op, &err) < 0)
		log_warn("Failed deleting ephemeral instance \"%s\": %s", inst->row->row.name,
		         err->msg);
}

int instance_power_stop(const struct instance *inst, struct operation *op, int timeout_s,
                        bool is_forced, bool keeps_state, struct error **err)
{
	struct op driver = driver_op(op);

	int r = instance_power_check(inst, INSTANCE_STOP, err);
	if (r < 0)
		return r;

	instance_exit_expect(inst->state, inst->id);
	if (is_forced)
		r = inst->driver->stop(inst->engine, inst->id, err);
	else
		r = inst->driver->shutdown(inst->engine, inst->id, timeout_s, &driver, err);
	if (r == 0)
		record_end(inst, keeps_state);
	instance_exit_forget(inst->state, inst->id);
	if (r < 0)
		return r;

	instance_event(inst, op, is_forced ? "instance-stopped" : "instance-shutdown");
	return 0;
}

void instance_power_ended(const struct instance *inst)
{
	record_end(inst, false);
	instance_event(inst, NULL, "instance-shutdown");
	delete_ephemeral(inst, NULL);
}

static int restart(const struct instance *inst, struct operation *op,
                   const struct instance_power_request *request, struct error **err)
{
	struct instance *fresh = NULL;

	int r = instance_power_stop(inst, op, request->timeout_s, request->is_forced, true, err);
	if (r < 0)
		return r;

	const struct db_instance *row = &inst->row->row;
	r = instance_load(inst->state, row->project, row->name, &fresh, err);
	if (r == 0)
		r = instance_power_start(fresh, op, err);
	if (r == 0)
		instance_event(fresh, op, "instance-restarted");
	instance_free(fresh);
	return r;
}

int instance_power_change(const struct instance *inst, struct operation *op,
                          const struct instance_power_request *request, struct error **err)
{
	int r = instance_power_check(inst, request->action, err);

	if (r < 0)
		return r;

	switch (request->action) {
	case INSTANCE_START:
		return instance_power_start(inst, op, err);
	case INSTANCE_STOP:
		r = instance_power_stop(inst, op, request->timeout_s, request->is_forced, false,
		                        err);
		if (r == 0)
			delete_ephemeral(inst, op);
		return r;
	case INSTANCE_RESTART:
		return restart(inst, op, request, err);
	case INSTANCE_FREEZE:
		r = inst->driver->freeze(inst->engine, inst->id, err);
		if (r == 0)
			instance_event(inst, op, "instance-paused");
		return r;
	case INSTANCE_UNFREEZE:
		r = inst->driver->unfreeze(inst->engine, inst->id, err);
		if (r == 0)
			instance_event(inst, op, "instance-resumed");
		return r;
	case N_INSTANCE_ACTIONS:
		break;
	}
	return error_set(err, 400, "Unknown action");
}
