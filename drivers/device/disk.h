/* The root disk, storage volumes, and files and folders of the host. */
#pragma once

#include "drivers/device/device_driver.h"

extern const struct device_driver disk_driver;
