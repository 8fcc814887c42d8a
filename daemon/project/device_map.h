/* Devices between JSON and rows: {"eth0": {"type": "nic", ...}}. */
#pragma once

#include "lib/base/error.h"

struct db_devices;
struct json_object;

/* Replaces 'ret' by the object under 'key'. 1 if it is there, 0 if not (or null), or a 400. */
int device_map_read(struct json_object *obj, const char *key, struct db_devices *ret,
                    struct error **err);

/* The same for a PATCH: devices that are not named stay, null removes one. */
int device_map_merge(struct json_object *obj, const char *key, struct db_devices *devices,
                     struct error **err) MUST_CHECK;

/* Owned by the caller. */
struct json_object *device_map_json(const struct db_devices *devices) MUST_CHECK;
