/* A veth pair whose host end is a port of a bridge that exists already. */
#pragma once

#include "drivers/device/device_driver.h"

extern const struct device_driver nic_bridged;
