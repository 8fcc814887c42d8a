/*
 * Maps between ids inside a user namespace and ids of the host.
 *
 * A map is a list of entries as in /proc/PID/uid_map and gid_map, both kinds in one list, as LXD's
 * "volatile.idmap.*" keys hold them. It is a plain record: it can be copied member by member with
 * idmap_copy() and compared; an empty one stands for "no map", which is how privileged containers
 * run. The JSON form is drivers/host/idmap_json.h.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/base/scoped.h"

struct idmap_entry {
	bool is_uid; /* An entry may be for both. */
	bool is_gid;
	uint32_t host_id; /* First id on the host. */
	uint32_t ns_id;   /* First id inside. */
	uint32_t range;   /* How many; at least 1. */
};

struct idmap {
	struct idmap_entry *entries; /* Owned. */
	size_t n_entries;
};

void idmap_done(struct idmap *map);

/* Copies 'src' into the empty 'ret_map'. */
void idmap_copy(const struct idmap *src, struct idmap *ret_map);

bool idmap_is_equal(const struct idmap *a, const struct idmap *b);

/*
 * Appends an entry. -EINVAL for a range of 0 or past the last id, -EEXIST if it overlaps another
 * entry of its kind, inside or on the host.
 */
int idmap_add(struct idmap *map, const struct idmap_entry *entry);

/* The id on the host (inside) for 'id' inside (on the host). False if the map has none. */
bool idmap_uid_to_host(const struct idmap *map, uid_t id, uid_t *ret_id);
bool idmap_gid_to_host(const struct idmap *map, gid_t id, gid_t *ret_id);
bool idmap_uid_from_host(const struct idmap *map, uid_t id, uid_t *ret_id);
bool idmap_gid_from_host(const struct idmap *map, gid_t id, gid_t *ret_id);

/*
 * The ids that this host gives root for its containers: the first range of at least 65,536 ids for
 * "root" in 'subuid_path' and 'subgid_path' (NULL: /etc/subuid and /etc/subgid). Without such
 * files, or without a line for root in either, ids 1,000,000 to 1,000,999,999, as LXD does. -EINVAL
 * if the files have lines for root but no range that is large enough.
 */
int idmap_of_host(const char *subuid_path, const char *subgid_path, struct idmap *ret_map);

/*
 * Parses one line of subuid(5), "name:first:count". False for anything else. 'name' has room for
 * 'name_size' bytes.
 */
bool idmap_parse_subid_line(const char *line, char *name, size_t name_size, uint32_t *ret_first,
                            uint32_t *ret_count);

/*
 * Lines for uid_map (or gid_map) of a namespace, "ns host range\n" each. Owned by the caller.
 */
char *idmap_format(const struct idmap *map, bool is_uid);

/*
 * Makes a user namespace with this map and returns a descriptor of it, to be closed by the caller.
 * The namespace has no process in it. Needs root.
 */
int idmap_userns_open(const struct idmap *map);
