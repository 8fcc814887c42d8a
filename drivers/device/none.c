#include "drivers/device/none.h"

#include "lib/conf/conf.h"

static const struct conf_key keys[] = { { .name = NULL } };

const struct device_driver none_driver = {
	.type = "none",
	.caps = DEVICE_CAP_HOTPLUG,
	.keys = keys,
};
