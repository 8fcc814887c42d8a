/*
 * The devices of an instance, a snapshot or a profile, and the tables that hold them.
 *
 * A device is a name and a config; all tables of devices have one shape: owner, name, key, value
 * (with an empty key for a device without any), so that one query reads the devices of all owners.
 */
#pragma once

#include <stddef.h>

#include "db/db.h"
#include "lib/base/smap.h"

struct db_device {
	char *name;
	struct smap config; /* With "type". */
};

/* Sorted by name. All-zero is empty. */
struct db_devices {
	struct db_device *rows;
	size_t n;
};

void db_device_list_done(struct db_devices *devices);

/* NULL if there is no device of that name. Borrowed. */
const struct db_device *db_device_find(const struct db_devices *devices, const char *name);

/* The device of that name, made empty if there is none. Borrowed until the list changes. */
struct db_device *db_device_add(struct db_devices *devices, const char *name);

/* Removes the device if it is there. */
void db_device_remove(struct db_devices *devices, const char *name);

void db_device_copy(struct db_devices *dst, const struct db_devices *src);

/* Each device of 'over' replaces the one of the same name in 'devices', or is added. */
void db_device_overlay(struct db_devices *devices, const struct db_devices *over);

bool db_device_equal(const struct db_devices *a, const struct db_devices *b);
