/* The config keys of placement groups. */
#pragma once

#include "lib/conf/conf.h"

/* Ends with a row without a name. */
extern const struct conf_key placement_conf_keys[];
