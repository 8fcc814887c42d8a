/* The API extensions that this server has. */
#pragma once

#include <stddef.h>

/* The i-th name, or NULL after the last. */
const char *extensions_at(size_t i);

/* How many there are: members of one cluster must have the same number. */
size_t extensions_count(void);
