/* The user's own commands: an alias stands for other words. */
#pragma once

#include <json-c/json.h>

#include "lib/base/macro.h"

/*
 * The words of a command line with the longest alias that they begin with replaced. In its text
 * "@ARGS@" stands for all words that follow, "@ARG1@" for one of them; without the former, those
 * that are not used come last. 'aliases' is an object of strings or NULL. Owned by the caller.
 */
char **alias_expand(struct json_object *aliases, const char *const *words) MUST_CHECK;
