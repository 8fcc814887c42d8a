/*
 * "volatile.*" keys: what the daemon remembers of an instance among its config.
 *
 * Clients may read them and, with a PUT of the whole config, send them back; they are written here.
 */
#pragma once

#include "daemon/instance/instance.h"
#include "lib/base/error.h"
#include "lib/base/smap.h"

/* Sets these keys in the database; an empty value removes one. Nothing is written for nothing. */
int instance_volatile_write(const struct instance *inst, const struct smap *changes,
                            struct error **err);

/* One key. NULL removes it. */
int instance_volatile_set(const struct instance *inst, const char *key, const char *value,
                          struct error **err);

/* "volatile.DEVICE.*" without that prefix. */
void instance_volatile_of_device(const struct smap *config, const char *device,
                                 struct smap *ret_keys);

/* Adds to 'changes' what of 'keys' differs from "volatile.DEVICE.*" in 'config'. */
void instance_volatile_device_changes(const struct smap *config, const char *device,
                                      const struct smap *keys, struct smap *changes);
