#include "lib/base/enum.h"

#include <errno.h>
#include <string.h>

const char *enum_name(const char *const *names, size_t n_names, int value)
{
	return value >= 0 && (size_t)value < n_names ? names[value] : NULL;
}

int enum_value(const char *const *names, size_t n_names, const char *name)
{
	if (!name)
		return -EINVAL;

	for (size_t i = 0; i < n_names; i++)
		if (names[i] && strcmp(names[i], name) == 0)
			return (int)i;

	return -EINVAL;
}
