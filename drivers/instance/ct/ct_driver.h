/* Containers through liblxc, each verb in a file of its own; found through
 * instance_driver_find("container"). */
#pragma once

#include "drivers/instance/instance_driver.h"

extern const struct instance_driver ct_driver;
