/* "raw.idmap": whatever is taken gives a map in which no id is twice. */
#include <stdint.h>
#include <stdlib.h>

#include "drivers/instance/instance_idmap.h"
#include "lib/base/alloc.h"
#include "lib/base/smap.h"
#include "lib/linux/idmap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct idmap_entry entry = {
		.is_uid = true, .is_gid = true, .host_id = 1000000, .range = 1000000
	};
	const struct idmap host = { &entry, 1 };
	scoped(smap_done) struct smap config = { 0 };
	scoped(idmap_done) struct idmap map = { 0 };
	scoped(error_freep) struct error *err = NULL;
	scoped_free char *text = xstrndup((const char *)data, size);
	uint32_t base;

	smap_set(&config, "raw.idmap", text);
	if (instance_idmap_choose(&config, &host, NULL, 0, &map, &base, &err) < 0)
		return 0;
	for (size_t i = 0; i < map.n_entries; i++) {
		for (size_t k = 0; k < i; k++) {
			const struct idmap_entry *a = &map.entries[i], *b = &map.entries[k];
			bool same_kind = (a->is_uid && b->is_uid) || (a->is_gid && b->is_gid);
			if (same_kind && a->ns_id < (uint64_t)b->ns_id + b->range &&
			    b->ns_id < (uint64_t)a->ns_id + a->range)
				abort();
		}
	}

	return 0;
}
