/*
 * The config keys of instances, as one table: type, default, check, liveness, documentation.
 *
 * It holds what containers and virtual machines share, and containers' own keys. Keys of virtual
 * machines are known and checked as well, since profiles may carry them; a container ignores them.
 */
#pragma once

#include <stdbool.h>

#include "lib/base/error.h"
#include "lib/conf/conf.h"

struct smap;

extern const struct conf_key instance_conf_keys[];

enum instance_conf_scope {
	INSTANCE_CONF_CLIENT,  /* A client writes: "volatile.*" may stand as it is, "image.*" is
	                          free. */
	INSTANCE_CONF_PROFILE, /* A profile: neither "volatile.*" nor "image.*". */
};

/* Fails with a 400 "Unknown configuration key: ..." or "Invalid value for ...". NULL and "" unset.
 */
int instance_conf_validate(enum instance_conf_scope scope, const char *key, const char *value,
                           struct error **err);

/* Checks each key, and then those that must agree. 'is_expanded': all profiles are in. */
int instance_conf_validate_map(enum instance_conf_scope scope, const struct smap *config,
                               bool is_expanded, struct error **err);

/* Whether 'key' may change while the instance runs. Unknown keys: false. */
bool instance_conf_is_live(const char *key);

/* Whether changing 'key' needs a call of the driver's update_limits. */
bool instance_conf_is_limit(const char *key);

/* Whether copies, images and migrations must leave 'key' out ("volatile." less a few). */
bool instance_conf_is_copied(const char *key);

/* The value, or the table's default, or NULL. Borrowed. */
const char *instance_conf_get(const struct smap *config, const char *key);
bool instance_conf_is_true(const struct smap *config, const char *key);
