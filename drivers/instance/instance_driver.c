#include "drivers/instance/instance_driver.h"

#include "drivers/instance/ct/ct_driver.h"
#include "lib/base/str.h"

const struct instance_driver *const instance_drivers[] = { &ct_driver, NULL };

const struct instance_driver *instance_driver_find(const char *type)
{
	for (const struct instance_driver *const *d = instance_drivers; *d; d++) {
		if (str_equals((*d)->type, type))
			return *d;
	}

	return NULL;
}
