/* What the kinds of NICs share: names, addresses, queue lengths. */
#pragma once

#include "drivers/device/device_driver.h"
#include "lib/conf/conf.h"

/* Checks for rows of key tables. */
conf_check nic_common_check_name, nic_common_check_hwaddr, nic_common_check_unsupported;

/* "hwaddr" and "host_name" where the config has none. */
int nic_common_fill_volatile(const struct device *dev, struct error **err);

/* A link with what all kinds have. Borrowed from 'run'. */
struct run_link *nic_common_add_link(const struct device *dev, struct run_config *run);

/* Removes the host's end, should it be left: the other end usually takes it along. */
int nic_common_stop(const struct device *dev, struct error **err);
