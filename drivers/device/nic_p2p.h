/* A veth pair whose host end is left to the host. */
#pragma once

#include "drivers/device/device_driver.h"

extern const struct device_driver nic_p2p;
