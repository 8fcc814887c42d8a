/*
 * Which ids an instance gets: from its config, the host's ranges, and those that others have.
 *
 * Pure. The caller stores the result in "volatile.idmap.base", "volatile.idmap.next" and, when it
 * has started, "volatile.idmap.current".
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/base/error.h"

struct idmap;
struct smap;

/*
 * 'host' comes from idmap_of_host(). 'others' are the maps of isolated instances on this member;
 * an isolated one gets a range that none of them has: "security.idmap.base" if set, the base that
 * it had (volatile), or the first gap. "raw.idmap" is put over it. Privileged: an empty map. Fails
 * with a 400 if the config asks for what the host does not have.
 */
int instance_idmap_choose(const struct smap *config, const struct idmap *host,
                          const struct idmap *others, size_t n_others, struct idmap *ret_map,
                          uint32_t *ret_base, struct error **err);

/*
 * Whether the ids of the host that "raw.idmap" asks for are all in the ranges ("1000,2000-2999")
 * that a project allows for uids and gids: 403. Empty ranges allow none.
 */
int instance_idmap_check_hosts(const char *raw, const char *uids, const char *gids,
                               struct error **err);

/* Checks the syntax of such ranges. */
int instance_idmap_check_ranges(const char *value, struct error **err);

/* Checks the syntax of "raw.idmap": lines "uid|gid|both HOST NS", single ids or ranges. */
int instance_idmap_check_raw(const char *value, struct error **err);
