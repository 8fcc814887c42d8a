/*
 * YAML to JSON values and back.
 *
 * Written documents are read the same by every YAML reader: whatever one of them would take for
 * something other than a string is quoted; text of several lines is written as a literal block.
 * ("yaml_" is also libyaml's; the names here are not among its own.)
 */
#pragma once

#include <stddef.h>

#include <json-c/json.h>

#include "lib/base/error.h"
#include "lib/base/strbuf.h"

/*
 * Reads one document. Duplicate keys, more than one document, nesting beyond 100 and aliases that
 * blow up are a 400. An empty document yields NULL. '*ret' is owned by the caller.
 */
int yaml_decode(const char *text, size_t size, struct json_object **ret, struct error **err);

/* Appends 'o' as a document without "---", keys in their order. */
void yaml_encode(struct json_object *o, struct strbuf *b);
