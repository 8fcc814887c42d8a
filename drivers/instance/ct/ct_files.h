/* Sessions on a container's files. */
#pragma once

#include "drivers/instance/ct/ct_engine.h"

int ct_files_open(struct instance_engine *engine, const struct instance_spec *spec,
                  struct instance_files **ret_files, struct error **err);

int ct_files_sftp(struct instance_engine *engine, const struct instance_spec *spec, int *ret_fd,
                  struct error **err);
