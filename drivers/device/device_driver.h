/*
 * What a device driver is.
 *
 * A driver checks the config of one kind of device ("type", and "nictype" for NICs) and turns it
 * into run_config items. It neither knows the instance's driver nor touches the instance. Names
 * of pools, volumes and networks are resolved by the caller first: it gives the path of a mounted
 * volume, and a managed bridge as "parent".
 *
 * The order of calls for an instance that starts:
 *   device_driver_volatile()  keys that must be stored first ("hwaddr", "host_name")
 *   device_driver_start()     the items
 *   (the instance driver starts)
 *   device_driver_stop()      after the instance has stopped, or when the device is removed
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "drivers/device/run_config.h"
#include "lib/base/error.h"

struct conf_key;
struct host;
struct smap;

enum device_cap {
	DEVICE_CAP_HOTPLUG = 1 << 0, /* May be added to and removed from a running instance. */
};

/* One device of one instance. Borrowed strings. */
struct device {
	const struct host *host;
	const char *project;
	const char *instance;
	const char *name;          /* "eth0", "root" */
	const struct smap *config; /* The expanded device: "type" and its keys. */

	/*
	 * "volatile.NAME.*" of the instance without that prefix: "hwaddr", "host_name". Filled by
	 * device_driver_volatile(); the caller stores what it added.
	 */
	struct smap *volatile_config;

	const char *volume_path; /* disk with "pool": where the volume is mounted; else NULL. */
	const char
		*source_within; /* disk with a path of the host: see struct run_mount; or NULL. */
	bool volume_is_shifted; /* It has host ids on disk already: mount it as it is. */
	bool instance_is_privileged;
	bool is_named_by_mac; /* nic: the host's end is named after "hwaddr", not by chance. */
};

struct device_driver {
	const char *type;            /* "disk", "nic", "none"; the API's name. */
	const char *nictype;         /* NULL unless type is "nic". */
	uint32_t caps;               /* enum device_cap bits. */
	const struct conf_key *keys; /* Without "type" and "nictype". */

	/* Fails with a 400 for keys that do not go together. Keys were checked one by one. NULL:
	 * fine. */
	int (*validate)(const char *name, const struct smap *config, struct error **err);

	/* Adds to 'dev->volatile_config' what must be the same at each start. NULL: nothing. */
	int (*fill_volatile)(const struct device *dev, struct error **err);

	/* Appends the items. NULL: none. Leaves nothing behind on failure. */
	int (*start)(const struct device *dev, struct run_config *run, struct error **err);

	/* Undoes start. Succeeds if there is nothing to undo. NULL: nothing to do. */
	int (*stop)(const struct device *dev, struct error **err);
};

/*
 * The driver for a device's config, by "type" and "nictype" (or "network", which the caller has
 * resolved to "nictype" and "parent" keys). NULL with a 400 set if there is none.
 */
const struct device_driver *device_driver_find(const char *name, const struct smap *config,
                                               struct error **err);

/*
 * Checks a whole device, of an instance or of a profile: its name, type, each key, and the driver's
 * own rules. Fails with a 400 that names the device.
 */
int device_driver_validate(const char *name, const struct smap *config, struct error **err);

/* Whether the device's name itself is allowed: no slash, no control characters, 1 to 64 bytes. */
bool device_driver_is_valid_name(const char *name);

int device_driver_volatile(const struct device *dev, struct error **err);
int device_driver_start(const struct device *dev, struct run_config **ret_run, struct error **err);
int device_driver_stop(const struct device *dev, struct error **err);

/* Whether a change from 'old' to 'config' can be applied to a running instance. */
bool device_driver_can_hotplug(const struct smap *config);

/* All drivers, for GET /1.0/metadata/configuration; ends with NULL. */
extern const struct device_driver *const device_drivers[];
