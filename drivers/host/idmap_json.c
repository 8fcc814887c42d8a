#include "drivers/host/idmap_json.h"

#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/strbuf.h"
#include "lib/data/jv.h"
#include "lib/data/jv_parse.h"

static int read_id(struct json_object *o, const char *key, uint32_t *ret_id, struct error **err)
{
	uint64_t value = 0;

	int r = jv_get_uint(o, key, &value, err);
	if (r < 0)
		return r;
	if (r == 0 || value > UINT32_MAX)
		return error_set(err, 400, "Invalid id map: bad \"%s\"", key);
	*ret_id = (uint32_t)value;
	return 0;
}

static int read_entry(struct json_object *o, struct idmap *map, struct error **err)
{
	struct idmap_entry entry = { 0 };

	if (jv_check_object(o, "Id map entry", err) < 0 ||
	    jv_get_bool(o, "Isuid", &entry.is_uid, err) < 0 ||
	    jv_get_bool(o, "Isgid", &entry.is_gid, err) < 0 ||
	    read_id(o, "Hostid", &entry.host_id, err) < 0 ||
	    read_id(o, "Nsid", &entry.ns_id, err) < 0 ||
	    read_id(o, "Maprange", &entry.range, err) < 0)
		return (*err)->code;
	if (idmap_add(map, &entry) < 0)
		return error_set(err, 400, "Invalid id map: entries are empty or overlap");
	return 0;
}

int idmap_json_parse(const char *text, struct idmap *ret_map, struct error **err)
{
	scoped(jv_unrefp) struct json_object *array = NULL;
	scoped(idmap_done) struct idmap map = { 0 };

	if (text && *text) {
		int r = jv_parse(text, strlen(text), &array, err);
		if (r < 0)
			return error_wrap(err, "Invalid id map");
		if (array && !json_object_is_type(array, json_type_array))
			return error_set(err, 400, "Invalid id map: not a list");
	}

	for (size_t i = 0; i < jv_len(array); i++) {
		int r = read_entry(jv_item(array, i), &map, err);
		if (r < 0)
			return r;
	}

	*ret_map = map;
	map = (struct idmap){ 0 };
	return 0;
}

char *idmap_json_format(const struct idmap *map)
{
	struct strbuf text = { 0 };

	strbuf_add_char(&text, '[');
	for (size_t i = 0; i < map->n_entries; i++) {
		const struct idmap_entry *e = &map->entries[i];

		strbuf_addf(&text,
		            "%s{\"Isuid\":%s,\"Isgid\":%s,\"Hostid\":%u,\"Nsid\":%u,"
		            "\"Maprange\":%u}",
		            i > 0 ? "," : "", e->is_uid ? "true" : "false",
		            e->is_gid ? "true" : "false", e->host_id, e->ns_id, e->range);
	}
	strbuf_add_char(&text, ']');
	return strbuf_take(&text);
}
