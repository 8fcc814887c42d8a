/* Nothing: hides a device of the same name that a profile has. */
#pragma once

#include "drivers/device/device_driver.h"

extern const struct device_driver none_driver;
