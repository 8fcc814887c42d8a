/*
 * Reading JSON text that somebody else wrote.
 *
 * json-c accepts comments, trailing text, NaN, duplicate keys (the last one wins) and deep nesting.
 * A scan of our own goes first and refuses all of that with a sentence that says where.
 */
#pragma once

#include <stddef.h>

#include <json-c/json.h>

#include "lib/base/error.h"

#define JV_PARSE_MAX_DEPTH 64

/* '*ret' is owned by the caller; NULL for the text "null". All failures are 400. */
int jv_parse(const char *text, size_t size, struct json_object **ret, struct error **err);

/* The same, and it must be an object. */
int jv_parse_object(const char *text, size_t size, struct json_object **ret, struct error **err);
