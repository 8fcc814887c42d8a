#include "drivers/instance/instance_idmap.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/array.h"
#include "lib/base/parse.h"
#include "lib/base/smap.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/linux/idmap.h"

#define DEFAULT_SIZE 65536 /* Of isolated maps. */

/* One line of "raw.idmap". */
struct raw {
	bool is_uid, is_gid;
	uint32_t host, inside, range;
};

typedef ARRAY_OF(struct raw) raw_array;

static int parse_range(const char *text, uint32_t *ret_first, uint32_t *ret_range)
{
	const char *dash = strchr(text, '-');
	uint32_t last;

	if (!dash) {
		*ret_range = 1;
		return parse_uint32(text, ret_first);
	}

	scoped_free char *first = xstrdup(text);
	first[dash - text] = '\0';
	int r = parse_uint32(first, ret_first);
	if (r == 0)
		r = parse_uint32(dash + 1, &last);
	if (r < 0)
		return r;
	if (last < *ret_first || (last == UINT32_MAX && *ret_first == 0))
		return -EINVAL;
	*ret_range = last - *ret_first + 1;
	return 0;
}

static int parse_line(const char *line, struct raw *ret_raw)
{
	scoped(strv_freep) char **words = strv_split_trimmed(line, ' ');
	uint32_t n_host, n_inside;

	if (strv_len(words) != 3)
		return -EINVAL;
	bool both = str_equals(words[0], "both");
	struct raw raw = { .is_uid = both || str_equals(words[0], "uid"),
		           .is_gid = both || str_equals(words[0], "gid") };
	if (!raw.is_uid && !raw.is_gid)
		return -EINVAL;
	int r = parse_range(words[1], &raw.host, &n_host);
	if (r == 0)
		r = parse_range(words[2], &raw.inside, &n_inside);
	if (r < 0 || n_host != n_inside)
		return -EINVAL;
	raw.range = n_host;
	*ret_raw = raw;
	return 0;
}

static int parse_raw(const char *value, raw_array *raws, struct error **err)
{
	scoped(strv_freep) char **lines = strv_split_trimmed(value, '\n');

	STRV_FOREACH (line, lines) {
		struct raw raw;

		if (parse_line(line, &raw) < 0)
			return error_set(err, 400, "Invalid raw.idmap line \"%s\"", line);
		ARRAY_ADD(raws, raw);
	}

	return 0;
}

int instance_idmap_check_raw(const char *value, struct error **err)
{
	raw_array raws = { 0 };

	int r = parse_raw(value, &raws, err);
	ARRAY_DONE(&raws);
	return r;
}

int instance_idmap_check_ranges(const char *value, struct error **err)
{
	scoped(strv_freep) char **ranges = strv_split_trimmed(value, ',');
	uint32_t first, n;

	STRV_FOREACH (range, ranges) {
		if (parse_range(range, &first, &n) < 0)
			return error_set(err, 400, "Invalid range of ids \"%s\"", range);
	}
	return 0;
}

/* Whether one of the ranges holds all of [first, first + n). */
static bool is_in_ranges(const char *text, uint32_t first, uint32_t n)
{
	scoped(strv_freep) char **ranges = strv_split_trimmed(text, ',');
	uint32_t from, count;

	STRV_FOREACH (range, ranges) {
		if (parse_range(range, &from, &count) == 0 && first >= from &&
		    (uint64_t)first + n <= (uint64_t)from + count)
			return true;
	}
	return false;
}

int instance_idmap_check_hosts(const char *raw, const char *uids, const char *gids,
                               struct error **err)
{
	raw_array raws = { 0 };

	int r = parse_raw(raw, &raws, err);
	for (size_t i = 0; r == 0 && i < raws.n_items; i++) {
		const struct raw *line = &raws.items[i];

		if (line->is_uid && !is_in_ranges(uids, line->host, line->range))
			r = error_set(err, 403, "Use of \"raw.idmap\" is forbidden by \"%s\"",
			              "restricted.idmap.uid");
		else if (line->is_gid && !is_in_ranges(gids, line->host, line->range))
			r = error_set(err, 403, "Use of \"raw.idmap\" is forbidden by \"%s\"",
			              "restricted.idmap.gid");
	}
	ARRAY_DONE(&raws);
	return r;
}

/*
 * Puts one line over one entry: what it covers inside is cut out, and what is left of the entry
 * keeps its ids on the host.
 */
static void cut(const struct idmap_entry *entry, const struct raw *raw, struct idmap *out)
{
	uint64_t first = entry->ns_id, end = first + entry->range;
	uint64_t cut_first = MAX_OF((uint64_t)raw->inside, first);
	uint64_t cut_end = MIN_OF((uint64_t)raw->inside + raw->range, end);
	struct idmap_entry part = *entry;

	if (cut_first >= cut_end) {
		idmap_add(out, entry);
		return;
	}
	part.range = (uint32_t)(cut_first - first);
	if (part.range > 0)
		idmap_add(out, &part);
	part.ns_id = (uint32_t)cut_end;
	part.host_id = (uint32_t)(entry->host_id + (cut_end - first));
	part.range = (uint32_t)(end - cut_end);
	if (part.range > 0)
		idmap_add(out, &part);
}

static int put_raw(struct idmap *map, const struct raw *raw, struct error **err)
{
	struct idmap out = { 0 };

	for (size_t i = 0; i < map->n_entries; i++) {
		/* Entries are of one kind each here: see choose(). */
		const struct idmap_entry *e = &map->entries[i];
		if ((raw->is_uid && e->is_uid) || (raw->is_gid && e->is_gid))
			cut(e, raw, &out);
		else
			idmap_add(&out, e);
	}
	for (int kind = 0; kind < 2; kind++) {
		const struct idmap_entry entry = { .is_uid = kind == 0,
			                           .is_gid = kind == 1,
			                           .host_id = raw->host,
			                           .ns_id = raw->inside,
			                           .range = raw->range };
		if (kind == 0 ? !raw->is_uid : !raw->is_gid)
			continue;
		if (idmap_add(&out, &entry) < 0) {
			idmap_done(&out);
			return error_set(err, 400,
			                 "raw.idmap overlaps other ids of the instance at %" PRIu32,
			                 raw->host);
		}
	}

	idmap_done(map);
	*map = out;
	return 0;
}

/* The range of the host that is for both kinds: where isolated maps are taken from. */
static bool common_range(const struct idmap *host, bool want_uid, uint32_t *ret_first,
                         uint32_t *ret_range)
{
	for (size_t i = 0; i < host->n_entries; i++) {
		const struct idmap_entry *e = &host->entries[i];
		if (want_uid ? e->is_uid : e->is_gid) {
			*ret_first = e->host_id;
			*ret_range = e->range;
			return true;
		}
	}

	return false;
}

static bool is_taken(const struct idmap *others, size_t n_others, uint64_t base, uint64_t size,
                     uint64_t *ret_next)
{
	for (size_t i = 0; i < n_others; i++) {
		for (size_t k = 0; k < others[i].n_entries; k++) {
			const struct idmap_entry *e = &others[i].entries[k];
			uint64_t end = (uint64_t)e->host_id + e->range;
			if (base < end && e->host_id < base + size) {
				*ret_next = end;
				return true;
			}
		}
	}

	return false;
}

/* The first id of a range of 'size' for an isolated instance. */
static int isolated_base(const struct smap *config, const struct idmap *host,
                         const struct idmap *others, size_t n_others, uint32_t size,
                         uint64_t *ret_base, struct error **err)
{
	const char *wanted = smap_get_or(config, "security.idmap.base", NULL);
	const char *before = smap_get_or(config, "volatile.idmap.base", NULL);
	uint32_t first, range, base;
	uint64_t next;

	if (wanted) {
		if (parse_uint32(wanted, &base) < 0)
			return error_set(err, 400,
			                 "Invalid value for \"security.idmap.base\": \"%s\"",
			                 wanted);
		*ret_base = base;
		return 0;
	}
	if (!common_range(host, true, &first, &range))
		return error_set(err, 400, "The host has no ids for containers");

	/* The first 65,536 are for those that are not isolated. */
	uint64_t lowest = (uint64_t)first + DEFAULT_SIZE, end = (uint64_t)first + range;
	if (before && parse_uint32(before, &base) == 0 && base >= lowest &&
	    base + (uint64_t)size <= end && !is_taken(others, n_others, base, size, &next)) {
		*ret_base = base;
		return 0;
	}
	for (uint64_t at = lowest; at + size <= end; at = next) {
		if (!is_taken(others, n_others, at, size, &next)) {
			*ret_base = at;
			return 0;
		}
	}
	return error_set(err, 400, "Not enough uid/gid available for the container");
}

static int add_kind(struct idmap *map, bool is_uid, uint64_t host_id, uint32_t range,
                    struct error **err)
{
	const struct idmap_entry entry = {
		.is_uid = is_uid, .is_gid = !is_uid, .host_id = (uint32_t)host_id, .range = range
	};

	if (host_id > UINT32_MAX || idmap_add(map, &entry) < 0)
		return error_set(err, 400, "Invalid range of ids %" PRIu64 "+%" PRIu32, host_id,
		                 range);
	return 0;
}

static int plain_map(const struct smap *config, const struct idmap *host,
                     const struct idmap *others, size_t n_others, struct idmap *map,
                     uint64_t *ret_offset, struct error **err)
{
	bool is_isolated = smap_is_true(config, "security.idmap.isolated");
	const char *size_text = smap_get_or(config, "security.idmap.size", NULL);
	uint32_t size = 0, first, range;
	int r = 0;

	if (size_text && !str_equals(size_text, "auto") &&
	    (parse_uint32(size_text, &size) < 0 || size == 0))
		return error_set(err, 400, "Invalid value for \"security.idmap.size\": \"%s\"",
		                 size_text);

	if (is_isolated) {
		size = size ? size : DEFAULT_SIZE;
		r = isolated_base(config, host, others, n_others, size, ret_offset, err);
		if (r == 0)
			r = add_kind(map, true, *ret_offset, size, err);
		if (r == 0)
			r = add_kind(map, false, *ret_offset, size, err);
		return r;
	}

	*ret_offset = 0;
	for (int kind = 0; kind < 2; kind++) {
		if (!common_range(host, kind == 0, &first, &range))
			return error_set(err, 400, "The host has no ids for containers");
		if (size > range)
			return error_set(err, 400,
			                 "Not enough uid/gid available for the container");
		r = add_kind(map, kind == 0, first, size ? size : range, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int instance_idmap_choose(const struct smap *config, const struct idmap *host,
                          const struct idmap *others, size_t n_others, struct idmap *ret_map,
                          uint32_t *ret_base, struct error **err)
{
	struct idmap map = { 0 };
	raw_array raws = { 0 };
	uint64_t base = 0;

	if (smap_is_true(config, "security.privileged")) {
		*ret_map = map;
		*ret_base = 0;
		return 0;
	}

	int r = parse_raw(smap_get_or(config, "raw.idmap", ""), &raws, err);
	if (r == 0)
		r = plain_map(config, host, others, n_others, &map, &base, err);
	for (size_t i = 0; r == 0 && i < raws.n_items; i++)
		r = put_raw(&map, &raws.items[i], err);
	ARRAY_DONE(&raws);
	if (r < 0) {
		idmap_done(&map);
		return r;
	}

	*ret_map = map;
	*ret_base = (uint32_t)base;
	return 0;
}
