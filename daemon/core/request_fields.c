#include "daemon/core/request_fields.h"

#include <stddef.h>

#include <json-c/json.h>

#include "lib/base/macro.h"
#include "lib/data/jv.h"

/* clang-format off */
static const struct {
	const char *name;
	enum json_type type;
	const char *sentence;
} fields[] = {
	{ "allow_inconsistent",    json_type_boolean, "a boolean" },
	{ "architecture",          json_type_string,  "a string" },
	{ "auto_update",           json_type_boolean, "a boolean" },
	{ "certificate",           json_type_string,  "a string" },
	{ "compression_algorithm", json_type_string,  "a string" },
	{ "config",                json_type_object,  "an object" },
	{ "container_only",        json_type_boolean, "a boolean" },
	{ "content_type",          json_type_string,  "a string" },
	{ "description",           json_type_string,  "a string" },
	{ "devices",               json_type_object,  "an object" },
	{ "ephemeral",             json_type_boolean, "a boolean" },
	{ "fingerprint",           json_type_string,  "a string" },
	{ "instance_only",         json_type_boolean, "a boolean" },
	{ "instance_type",         json_type_string,  "a string" },
	{ "live",                  json_type_boolean, "a boolean" },
	{ "migration",             json_type_boolean, "a boolean" },
	{ "name",                  json_type_string,  "a string" },
	{ "pool",                  json_type_string,  "a string" },
	{ "profiles",              json_type_array,   "an array" },
	{ "project",               json_type_string,  "a string" },
	{ "properties",            json_type_object,  "an object" },
	{ "protocol",              json_type_string,  "a string" },
	{ "public",                json_type_boolean, "a boolean" },
	{ "refresh",               json_type_boolean, "a boolean" },
	{ "secret",                json_type_string,  "a string" },
	{ "server",                json_type_string,  "a string" },
	{ "start",                 json_type_boolean, "a boolean" },
	{ "stateful",              json_type_boolean, "a boolean" },
	{ "type",                  json_type_string,  "a string" },
	{ "volume_only",           json_type_boolean, "a boolean" },
};
/* clang-format on */

/* Maps have texts; numbers and booleans are printed by who takes them. */
static int check_map(struct json_object *map, const char *name, struct error **err)
{
	JV_FOREACH (map, key, value)
		if (json_object_is_type(value, json_type_array) ||
		    json_object_is_type(value, json_type_object))
			return error_set(err, 400,
			                 "Invalid value for \"%s\" in \"%s\": must be a string",
			                 key, name);
	return 0;
}

static int check(struct json_object *object, struct error **err)
{
	for (size_t i = 0; i < COUNT_OF(fields); i++) {
		struct json_object *value = jv_member(object, fields[i].name);

		if (value && !json_object_is_type(value, fields[i].type))
			return error_set(err, 400, "Invalid value for \"%s\": must be %s",
			                 fields[i].name, fields[i].sentence);
	}
	if (check_map(jv_member(object, "config"), "config", err) < 0 ||
	    check_map(jv_member(object, "properties"), "properties", err) < 0)
		return (*err)->code;

	struct json_object *profiles = jv_member(object, "profiles");
	for (size_t i = 0; i < jv_len(profiles); i++)
		if (!jv_string(jv_item(profiles, i)))
			return error_set(
				err, 400,
				"Invalid value for \"profiles\": must be an array of strings");

	/* A PATCH takes a device away by null; who reads a whole map refuses it. */
	JV_FOREACH (jv_member(object, "devices"), name, device)
		if (device && (jv_check_object(device, "device", err) < 0 ||
		               check_map(device, name, err) < 0))
			return (*err)->code;

	return 0;
}

int request_fields_check(struct json_object *body, struct error **err)
{
	int r = check(body, err);
	if (r < 0)
		return r;

	return check(jv_member(body, "source"), err);
}
