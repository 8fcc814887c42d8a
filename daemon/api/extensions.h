/* The API extensions that this server has. */
#pragma once

#include <stddef.h>

/*
 * One name after the other: "*at" is 0 before the first call and private afterwards. NULL after the
 * last.
 */
const char *extensions_next(size_t *at);

/* How many there are: members of one cluster must have the same number. */
size_t extensions_count(void);
