#include "daemon/project/conf_tables.h"

#include <stddef.h>

#include "cluster/cluster_conf.h"
#include "daemon/core/server_conf.h"
#include "daemon/project/placement_conf.h"
#include "daemon/project/project_conf.h"
#include "drivers/device/device_driver.h"
#include "drivers/instance/instance_conf.h"
#include "lib/base/macro.h"
#include "lib/base/str.h"

/* The API's name of a device's table: NICs have one for each kind. */
static const char *device_entity(const struct device_driver *driver)
{
	static const struct {
		const char *type, *nictype, *entity;
	} names[] = {
		{ "disk", NULL, "device-disk" },
		{ "nic", "bridged", "device-nic-bridged" },
		{ "nic", "p2p", "device-nic-p2p" },
		{ "none", NULL, "device-none" },
	};

	for (size_t i = 0; i < COUNT_OF(names); i++) {
		if (str_equals(names[i].type, driver->type) &&
		    str_equals(names[i].nictype, driver->nictype))
			return names[i].entity;
	}

	return "device";
}

struct conf_table conf_tables_at(unsigned int i)
{
	const struct conf_table fixed[] = {
		{ "server", "server", server_conf_table() },
		{ "project", "project", project_conf_keys },
		{ "instance", "instance", instance_conf_keys },
		{ "cluster", "cluster", cluster_conf_member_keys },
		{ "placement-group", "placement-group", placement_conf_keys },
	};

	if (i < COUNT_OF(fixed))
		return fixed[i];

	i -= COUNT_OF(fixed);
	for (const struct device_driver *const *driver = device_drivers; *driver; driver++) {
		if (i-- == 0)
			return (struct conf_table){ device_entity(*driver), "device-conf",
				                    (*driver)->keys };
	}

	return (struct conf_table){ 0 };
}
