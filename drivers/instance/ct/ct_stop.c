#include "drivers/instance/ct/ct_stop.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/host/op.h"
#include "lib/base/date.h"
#include "lib/base/file.h"
#include "lib/base/log.h"

#define STOP_TIMEOUT_MS 20000
#define SYSTEMD_HALT 37 /* SIGRTMIN+3 as the kernel counts. */

static int thaw(struct instance_engine *engine, const char *id)
{
	scoped_free char *group = ct_engine_group(engine, id);

	int r = cgroup_freeze(engine->cg, group, false);
	if (r == 0)
		ct_engine_set_frozen(engine, id, false);
	return r;
}

int ct_stop(struct instance_engine *engine, const char *id, struct error **err)
{
	scoped_free char *group = ct_engine_group(engine, id);
	struct ct_running running;

	if (!ct_engine_get(engine, id, &running))
		return 0;

	/* A frozen process of version 1 does not die before it is thawed. */
	ct_engine_signal(engine, id, SIGKILL);
	if (running.is_frozen)
		thaw(engine, id);
	int r = ct_engine_wait_stopped(engine, id, date_deadline(STOP_TIMEOUT_MS), NULL);
	if (r == 0)
		goto stopped;

	/* A monitor that does not notice, or an init that was just rebooting. */
	log_warn("Container \"%s\" does not stop, ending its monitor", id);
	ct_engine_signal_monitor(engine, id, SIGKILL);
	cgroup_kill(engine->cg, group);
	r = ct_engine_wait_stopped(engine, id, date_deadline(STOP_TIMEOUT_MS), NULL);
	if (r < 0)
		return error_set(err, 500, "Failed stopping the container: it does not end");
stopped:
	ct_engine_balance(engine, NULL, NULL);
	return 0;
}

int ct_stop_halt_signal(uint64_t blocked)
{
	/* systemd blocks the signals that it reads from a descriptor; older inits take SIGPWR. */
	return blocked >> (SYSTEMD_HALT - 1) & 1 ? SYSTEMD_HALT : SIGPWR;
}

static uint64_t blocked_signals(pid_t pid)
{
	scoped_free char *text = NULL;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	const char *line =
		file_read(path, 65536, &text, NULL) == 0 ? strstr(text, "\nSigBlk:") : NULL;
	return line ? strtoull(line + strlen("\nSigBlk:"), NULL, 16) : 0;
}

int ct_stop_shutdown(struct instance_engine *engine, const char *id, int timeout_s, struct op *op,
                     struct error **err)
{
	struct ct_running running;

	int r = ct_engine_need(engine, id, &running, err);
	if (r < 0)
		return r;
	if (running.is_frozen)
		thaw(engine, id);
	ct_engine_signal(engine, id, ct_stop_halt_signal(blocked_signals(running.init)));

	int64_t deadline = date_deadline(timeout_s < 0 ? -1 : (int64_t)timeout_s * 1000);
	r = ct_engine_wait_stopped(engine, id, deadline, op);
	if (r == -ECANCELED)
		return op_check(op, err);
	if (r < 0) {
		error_set(
			err, 400,
			"Failed shutting down instance, status is \"Running\": context deadline exceeded");
		return -ETIMEDOUT;
	}
	ct_engine_balance(engine, NULL, NULL);
	return 0;
}

static int set_frozen(struct instance_engine *engine, const char *id, bool freeze,
                      struct error **err)
{
	scoped_free char *group = ct_engine_group(engine, id);
	struct ct_running running;

	int r = ct_engine_need(engine, id, &running, err);
	if (r < 0)
		return r;
	if (freeze == running.is_frozen)
		return error_set(err, 400,
		                 freeze ? "The instance is already frozen"
		                        : "The instance is already running");
	if (!cgroup_has(engine->cg, CGROUP_FREEZER))
		return error_set(err, 400, "Instance cannot be frozen as the host has no freezer");
	r = cgroup_freeze(engine->cg, group, freeze);
	if (r < 0) {
		cgroup_freeze(engine->cg, group, running.is_frozen);
		return error_set_errno(err, r,
		                       freeze ? "Failed freezing the container"
		                              : "Failed unfreezing the container");
	}
	ct_engine_set_frozen(engine, id, freeze);
	return 0;
}

int ct_stop_freeze(struct instance_engine *engine, const char *id, struct error **err)
{
	return set_frozen(engine, id, true, err);
}

int ct_stop_unfreeze(struct instance_engine *engine, const char *id, struct error **err)
{
	return set_frozen(engine, id, false, err);
}
