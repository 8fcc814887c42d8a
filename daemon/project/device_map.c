#include "daemon/project/device_map.h"

#include "db/device_rows.h"
#include "lib/data/jv.h"

int device_map_read(struct json_object *obj, const char *key, struct db_devices *ret,
                    struct error **err)
{
	struct json_object *map = NULL;

	int r = jv_get_object(obj, key, &map, err);
	if (r <= 0)
		return r;

	db_device_list_done(ret);
	JV_FOREACH (map, name, value) {
		if (!json_object_is_type(value, json_type_object))
			return error_set(err, 400, "Device \"%s\" is not an object", name);

		r = jv_get_smap(map, name, &db_device_add(ret, name)->config, err);
		if (r < 0)
			return r;
	}

	return 1;
}

int device_map_merge(struct json_object *obj, const char *key, struct db_devices *devices,
                     struct error **err)
{
	struct json_object *map = NULL;

	int r = jv_get_object(obj, key, &map, err);
	if (r <= 0)
		return r;

	JV_FOREACH (map, name, config) {
		struct smap keys = { 0 };

		if (!config) {
			db_device_remove(devices, name);
			continue;
		}
		r = jv_to_smap(config, name, &keys, err);
		if (r < 0)
			return r;

		struct db_device *device = db_device_add(devices, name);
		smap_done(&device->config);
		device->config = keys;
	}
	return 1;
}

struct json_object *device_map_json(const struct db_devices *devices)
{
	struct json_object *map = jv_object();

	for (size_t i = 0; i < devices->n; i++)
		jv_set_smap(map, devices->rows[i].name, &devices->rows[i].config);

	return map;
}
