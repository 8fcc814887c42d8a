/* The config keys of projects. */
#pragma once

#include "lib/conf/conf.h"

/* Ends with a row without a name. */
extern const struct conf_key project_conf_keys[];
