#include "lib/linux/idmap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/alloc.h"
#include "lib/base/file.h"
#include "lib/base/macro.h"
#include "lib/base/parse.h"
#include "lib/base/str.h"
#include "lib/base/strbuf.h"
#include "lib/base/strv.h"

#define SUBID_FILE_MAX ((size_t)4 * 1024 * 1024)
#define SUBID_MIN_RANGE 65536
#define DEFAULT_FIRST 1000000
#define DEFAULT_RANGE 1000000000
#define NO_ID UINT32_MAX /* (uid_t)-1 is no id. */

void idmap_done(struct idmap *map)
{
	free(map->entries);
	*map = (struct idmap){ 0 };
}

void idmap_copy(const struct idmap *src, struct idmap *ret_map)
{
	*ret_map = (struct idmap){ 0 };
	if (src->n_entries == 0)
		return;

	ret_map->entries = xcalloc(src->n_entries, sizeof(*src->entries));
	memcpy(ret_map->entries, src->entries, src->n_entries * sizeof(*src->entries));
	ret_map->n_entries = src->n_entries;
}

bool idmap_is_equal(const struct idmap *a, const struct idmap *b)
{
	if (a->n_entries != b->n_entries)
		return false;

	for (size_t i = 0; i < a->n_entries; i++) {
		const struct idmap_entry *x = &a->entries[i], *y = &b->entries[i];

		if (x->is_uid != y->is_uid || x->is_gid != y->is_gid || x->host_id != y->host_id ||
		    x->ns_id != y->ns_id || x->range != y->range)
			return false;
	}
	return true;
}

static bool ranges_overlap(uint32_t a, uint32_t a_range, uint32_t b, uint32_t b_range)
{
	return (uint64_t)a < (uint64_t)b + b_range && (uint64_t)b < (uint64_t)a + a_range;
}

int idmap_add(struct idmap *map, const struct idmap_entry *entry)
{
	if (entry->range == 0 || (!entry->is_uid && !entry->is_gid) ||
	    (uint64_t)entry->host_id + entry->range > NO_ID ||
	    (uint64_t)entry->ns_id + entry->range > NO_ID)
		return -EINVAL;

	for (size_t i = 0; i < map->n_entries; i++) {
		const struct idmap_entry *other = &map->entries[i];
		bool same_kind =
			(entry->is_uid && other->is_uid) || (entry->is_gid && other->is_gid);

		if (same_kind &&
		    (ranges_overlap(entry->ns_id, entry->range, other->ns_id, other->range) ||
		     ranges_overlap(entry->host_id, entry->range, other->host_id, other->range)))
			return -EEXIST;
	}

	struct idmap_entry *entries = xcalloc(map->n_entries + 1, sizeof(*entries));
	if (map->n_entries > 0)
		memcpy(entries, map->entries, map->n_entries * sizeof(*entries));
	entries[map->n_entries] = *entry;
	free(map->entries);
	map->entries = entries;
	map->n_entries++;
	return 0;
}

static bool translate(const struct idmap *map, bool is_uid, bool to_host, uint32_t id,
                      uint32_t *ret_id)
{
	for (size_t i = 0; i < map->n_entries; i++) {
		const struct idmap_entry *e = &map->entries[i];
		uint32_t from = to_host ? e->ns_id : e->host_id;
		uint32_t to = to_host ? e->host_id : e->ns_id;

		if ((is_uid ? e->is_uid : e->is_gid) && id >= from && id - from < e->range) {
			*ret_id = to + (id - from);
			return true;
		}
	}
	return false;
}

bool idmap_uid_to_host(const struct idmap *map, uid_t id, uid_t *ret_id)
{
	return translate(map, true, true, id, ret_id);
}

bool idmap_gid_to_host(const struct idmap *map, gid_t id, gid_t *ret_id)
{
	return translate(map, false, true, id, ret_id);
}

bool idmap_uid_from_host(const struct idmap *map, uid_t id, uid_t *ret_id)
{
	return translate(map, true, false, id, ret_id);
}

bool idmap_gid_from_host(const struct idmap *map, gid_t id, gid_t *ret_id)
{
	return translate(map, false, false, id, ret_id);
}

bool idmap_parse_subid_line(const char *line, char *name, size_t name_size, uint32_t *ret_first,
                            uint32_t *ret_count)
{
	scoped(strv_freep) char **parts = strv_split(line, ':');
	uint32_t first, count;

	if (strv_len(parts) != 3 || parts[0][0] == '\0' || parts[0][0] == '#')
		return false;
	if (parse_uint32(parts[1], &first) < 0 || parse_uint32(parts[2], &count) < 0)
		return false;
	if (count == 0 || (uint64_t)first + count > NO_ID || !str_copy(name, name_size, parts[0]))
		return false;

	*ret_first = first;
	*ret_count = count;
	return true;
}

/* 1 with root's first range of some size, 0 if the file is not there or does not name root. */
static int read_root_range(const char *path, uint32_t *ret_first, uint32_t *ret_count)
{
	scoped_free char *text = NULL;
	bool names_root = false;

	int r = file_read(path, SUBID_FILE_MAX, &text, NULL);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;

	scoped(strv_freep) char **lines = strv_split(text, '\n');
	STRV_FOREACH (line, lines) {
		char name[64];
		uint32_t first, count;

		if (!idmap_parse_subid_line(line, name, sizeof(name), &first, &count) ||
		    (strcmp(name, "root") != 0 && strcmp(name, "0") != 0))
			continue;
		names_root = true;
		if (count >= SUBID_MIN_RANGE) {
			*ret_first = first;
			*ret_count = count;
			return 1;
		}
	}
	return names_root ? -EINVAL : 0;
}

int idmap_of_host(const char *subuid_path, const char *subgid_path, struct idmap *ret_map)
{
	struct idmap_entry uids = { true, false, DEFAULT_FIRST, 0, DEFAULT_RANGE };
	struct idmap_entry gids = { false, true, DEFAULT_FIRST, 0, DEFAULT_RANGE };
	struct idmap_entry found_uids = uids, found_gids = gids;
	struct idmap map = { 0 };

	int has_uids = read_root_range(subuid_path ? subuid_path : "/etc/subuid",
	                               &found_uids.host_id, &found_uids.range);
	if (has_uids < 0)
		return has_uids;
	int has_gids = read_root_range(subgid_path ? subgid_path : "/etc/subgid",
	                               &found_gids.host_id, &found_gids.range);
	if (has_gids < 0)
		return has_gids;

	bool has_both = has_uids > 0 && has_gids > 0;
	int r = idmap_add(&map, has_both ? &found_uids : &uids);
	if (r == 0)
		r = idmap_add(&map, has_both ? &found_gids : &gids);
	if (r < 0) {
		idmap_done(&map);
		return r;
	}
	*ret_map = map;
	return 0;
}

char *idmap_format(const struct idmap *map, bool is_uid)
{
	struct strbuf text = { 0 };

	for (size_t i = 0; i < map->n_entries; i++) {
		const struct idmap_entry *e = &map->entries[i];

		if (is_uid ? e->is_uid : e->is_gid)
			strbuf_addf(&text, "%u %u %u\n", e->ns_id, e->host_id, e->range);
	}
	return strbuf_take(&text);
}

static int write_maps(pid_t pid, const struct idmap *map)
{
	static const char *const files[] = { "gid_map", "uid_map" };

	for (size_t i = 0; i < COUNT_OF(files); i++) {
		scoped_free char *path = xasprintf("/proc/%d/%s", pid, files[i]);
		scoped_free char *text = idmap_format(map, i == 1);

		int r = file_put(path, text);
		if (r < 0)
			return r;
	}
	return 0;
}

/*
 * A namespace needs a process to be made with. This one shares nothing that matters, runs no code
 * but these two calls, and is gone before the function returns.
 */
static pid_t start_in_userns(void)
{
	struct clone_args args = { .flags = CLONE_NEWUSER, .exit_signal = 0 };
	pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));

	if (pid != 0)
		return pid < 0 ? -errno : pid;

	syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	for (;;)
		syscall(SYS_ppoll, NULL, 0, NULL, NULL, 0);
}

int idmap_userns_open(const struct idmap *map)
{
	pid_t pid = start_in_userns();
	if (pid < 0)
		return pid;

	int r = write_maps(pid, map);
	if (r == 0) {
		scoped_free char *path = xasprintf("/proc/%d/ns/user", pid);

		r = open(path, O_RDONLY | O_CLOEXEC);
		if (r < 0)
			r = -errno;
	}

	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, __WALL) < 0 && errno == EINTR)
		;
	return r;
}
