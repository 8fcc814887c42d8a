#include "drivers/instance/ct/ct_driver.h"

#include <lxc/version.h>

#include "drivers/instance/ct/ct_engine.h"
#include "drivers/instance/ct/ct_exec.h"
#include "drivers/instance/ct/ct_files.h"
#include "drivers/instance/ct/ct_hotplug.h"
#include "drivers/instance/ct/ct_start.h"
#include "drivers/instance/ct/ct_state.h"
#include "drivers/instance/ct/ct_stop.h"
#include "lib/base/alloc.h"

static char *version(void)
{
	return xstrdup(LXC_VERSION);
}

static int find(struct instance_engine *engine, const char *const *run_dirs, size_t n_dirs,
                bool *ret_running, struct error **err)
{
	(void)err;
	for (size_t i = 0; i < n_dirs; i++)
		ret_running[i] = ct_engine_find(engine, run_dirs[i]);
	return 0;
}

static enum instance_status status(struct instance_engine *engine, const char *id)
{
	struct ct_running running;

	if (!ct_engine_get(engine, id, &running))
		return INSTANCE_STOPPED;
	return running.is_frozen ? INSTANCE_FROZEN : INSTANCE_RUNNING;
}

static pid_t pid(struct instance_engine *engine, const char *id)
{
	struct ct_running running;

	return ct_engine_get(engine, id, &running) ? running.init : 0;
}

const struct instance_driver ct_driver = {
	.name = "lxc",
	.type = "container",
	.caps = INSTANCE_CAP_EXEC | INSTANCE_CAP_FREEZE | INSTANCE_CAP_LIVE_LIMITS,
	.version = version,
	.engine_new = ct_engine_new,
	.engine_free = ct_engine_free,
	.find = find,
	.validate = ct_start_validate,
	.start = ct_start,
	.stop = ct_stop,
	.shutdown = ct_stop_shutdown,
	.freeze = ct_stop_freeze,
	.unfreeze = ct_stop_unfreeze,
	.status = status,
	.each_running = ct_engine_each,
	.states = ct_state,
	.pid = pid,
	.exec = ct_exec,
	.console = ct_exec_console,
	.console_log = ct_exec_console_log,
	.console_clear = ct_exec_console_clear,
	.update_limits = ct_start_update_limits,
	.device_add = ct_hotplug_add,
	.device_remove = ct_hotplug_remove,
	.files_open = ct_files_open,
	.sftp = ct_files_sftp,
	.forget = ct_start_forget,
};
