/*
 * An instance as its driver wants it.
 *
 * Joins what the driver must know: expanded config, the mounted root disk, id map, started devices,
 * folders. The two ways to make one differ in what they start: instance_spec_start() mounts and
 * starts devices for an instance that is about to run, instance_spec_init() only describes one, for
 * checks, for files of a stopped one and for changes of a running one.
 */
#pragma once

#include "daemon/instance/instance.h"
#include "daemon/storage/storage_instance.h"
#include "drivers/device/run_config.h"
#include "drivers/instance/instance_driver.h"
#include "lib/base/error.h"
#include "lib/linux/idmap.h"

struct operation;

struct instance_spec_built {
	struct instance_spec spec; /* Borrows from the rest of this struct and from the instance. */
	struct idmap idmap;
	struct storage_mounted mounted;
	struct run_config **devices;
	size_t n_devices;
	char *run_dir;
	char *log_dir;
	bool is_mounted; /* instance_spec_done() unmounts. */
};

/* Describes it; touches nothing. The id map is what the instance had last, or would get. */
int instance_spec_init(const struct instance *inst, struct instance_spec_built *ret_built,
                       struct error **err);

/* The same with the root disk mounted, unmapped: for its files. */
int instance_spec_mount(const struct instance *inst, struct operation *op,
                        struct instance_spec_built *ret_built, struct error **err);

/*
 * Mounts the root disk with the id map and starts all devices. Adds the volatile keys that this
 * fixes ("volatile.idmap.*", "volatile.eth0.hwaddr", ...) to 'changes', for the caller to write
 * before the instance starts. Undoes everything when it fails.
 */
int instance_spec_start(const struct instance *inst, struct operation *op, struct smap *changes,
                        struct instance_spec_built *ret_built, struct error **err);

/* Undoes instance_spec_start() once the instance has stopped, also after the daemon restarted. */
void instance_spec_stop(const struct instance *inst);

/*
 * One device of them, for hot-plugging: start adds what it fixes to 'changes'; stop comes after the
 * instance has let go of it.
 */
int instance_spec_device_start(const struct instance *inst, const struct db_device *row,
                               struct smap *changes, struct run_config **ret_run,
                               struct error **err);
void instance_spec_device_stop(const struct instance *inst, const struct db_device *row);

/* Frees it and, after instance_spec_mount(), unmounts. */
void instance_spec_done(const struct instance *inst, struct instance_spec_built *built);
