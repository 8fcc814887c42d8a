/*
 * Names of closed sets.
 *
 *	enum colour { COLOUR_RED, COLOUR_BLUE, N_COLOURS };
 *	static const char *const colours[] = { [COLOUR_RED] = "red", [COLOUR_BLUE] = "blue" };
 *	ENUM_IS_COMPLETE(colours, N_COLOURS);
 */
#pragma once

#include <stddef.h>

#include "lib/base/macro.h"

#define ENUM_IS_COMPLETE(names, n) static_assert(COUNT_OF(names) == (n), "A name is missing")

/* The name of 'value', or NULL if it has none. */
const char *enum_name(const char *const *names, size_t n_names, int value);

/* The value called 'name', or -EINVAL. */
int enum_value(const char *const *names, size_t n_names, const char *name);

#define ENUM_NAME(names, value) enum_name(names, COUNT_OF(names), (int)(value))
#define ENUM_VALUE(names, name) enum_value(names, COUNT_OF(names), name)
