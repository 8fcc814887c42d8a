/*
 * The filters of "muster list": a name or the beginning of one, "key=value" on the config, or one
 * of a few words such as "status=running".
 */
#pragma once

#include <stdbool.h>

#include <json-c/json.h>

/* Whether an instance in its full form passes all of 'filters', which end with NULL. */
bool instance_filter_matches(struct json_object *instance, const char *const *filters);
