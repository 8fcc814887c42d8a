/*
 * "volatile.*" keys: what the daemon remembers of an instance among its config.
 *
 * Clients may read them and, with a PUT of the whole config, send them back; they are written here.
 */
#pragma once

#include <stdbool.h>

#include "daemon/instance/instance.h"
#include "db/db.h"
#include "lib/base/error.h"
#include "lib/base/smap.h"

/* Sets these keys in the database; an empty value removes one. Nothing is written for nothing. */
int instance_volatile_write(const struct instance *inst, const struct smap *changes,
                            struct error **err);

/* One key. NULL removes it. */
int instance_volatile_set(const struct instance *inst, const char *key, const char *value,
                          struct error **err);

/* A change of an instance's rows that follows one of its disk. All borrowed. */
struct instance_volatile_change {
	const char *key; /* What the daemon remembers of the change until it is done. */
	db_fn *write;
	bool (*is_written)(const struct db_instance *row, const void *arg);
	void *arg; /* Of both. */
};

/*
 * Runs 'write' in a transaction. If that fails, the rows may have changed all the same, since it may
 * be no more than the answer that was lost: then they are looked at, and 0 is returned if they have.
 * 'ret_doubt' is set if that failed too: nobody knows then.
 */
int instance_volatile_write_surely(const struct instance *inst,
                                   const struct instance_volatile_change *change,
                                   struct error **ret_doubt, struct error **err);

/* "volatile.DEVICE.*" without that prefix. */
void instance_volatile_of_device(const struct smap *config, const char *device,
                                 struct smap *ret_keys);

/* Adds to 'changes' what of 'keys' differs from "volatile.DEVICE.*" in 'config'. */
void instance_volatile_device_changes(const struct smap *config, const char *device,
                                      const struct smap *keys, struct smap *changes);
