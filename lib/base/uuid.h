/* UUIDs of version 4. */
#pragma once

#include <stdbool.h>

#define UUID_SIZE 37 /* With the NUL. */

void uuid_make(char ret[UUID_SIZE]);

/* Whether 's' has the form of a UUID, of any version. */
bool uuid_is_valid(const char *s);
