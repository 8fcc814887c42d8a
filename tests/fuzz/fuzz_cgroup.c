/* mountinfo, a NUL, and /proc/1/cgroup: no crash, and paths only below a mount. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/linux/cgroup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	scoped(cgroup_freep) struct cgroup *cg = NULL;
	const uint8_t *zero = size > 0 ? memchr(data, 0, size) : NULL;
	size_t first = zero ? (size_t)(zero - data) : size;
	scoped_free char *mounts = xstrndup((const char *)data, first);
	scoped_free char *init =
		zero ? xstrndup((const char *)zero + 1, size - first - 1) : xstrdup("0::/\n");

	if (cgroup_parse(mounts, init, &cg) < 0)
		return 0;
	for (int c = 0; c < N_CGROUP_CONTROLLERS; c++) {
		scoped_free char *path = cgroup_path(cg, c, "a");
		if (cgroup_has(cg, c) != (path != NULL))
			abort();
	}

	return 0;
}
