/* Commands inside a container, and its console. */
#pragma once

#include "drivers/instance/ct/ct_engine.h"

int ct_exec(struct instance_engine *engine, const struct instance_spec *spec,
            const struct instance_exec *exec, struct instance_process **ret_process,
            struct error **err);
int ct_exec_console(struct instance_engine *engine, const char *id, bool force,
                    struct instance_process **ret_process, struct error **err);
int ct_exec_console_log(struct instance_engine *engine, const struct instance_spec *spec,
                        char **ret_log, size_t *ret_size, struct error **err);
int ct_exec_console_clear(struct instance_engine *engine, const struct instance_spec *spec,
                          struct error **err);
