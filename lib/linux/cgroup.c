#include "lib/linux/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/alloc.h"
#include "lib/base/date.h"
#include "lib/base/file.h"
#include "lib/base/parse.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"

#define MAX_TREES 32
#define MAX_FILE (64 * 1024)
#define KILL_TIMEOUT_MS 10000

/* One mounted hierarchy. */
struct tree {
	char *mount;
	char *base; /* Group of process 1, "" for the root. */
	char *name; /* Names of its controllers as in /proc/1/cgroup; "" for version 2. */
	bool is_v2;
};

struct cgroup {
	struct tree trees[MAX_TREES];
	size_t n_trees;
	int tree_of[N_CGROUP_CONTROLLERS]; /* Index, or -1. */
	bool has_swap;
};

/* clang-format off */
static const struct {
	const char *v1, *v2;
} controllers[] = {
	[CGROUP_CPU]     = { "cpu",     "cpu" },
	[CGROUP_CPUACCT] = { "cpuacct", "cpu" },
	[CGROUP_CPUSET]  = { "cpuset",  "cpuset" },
	[CGROUP_MEMORY]  = { "memory",  "memory" },
	[CGROUP_PIDS]    = { "pids",    "pids" },
	[CGROUP_FREEZER] = { "freezer", NULL },
	[CGROUP_DEVICES] = { "devices", NULL },
	[CGROUP_BLKIO]   = { "blkio",   "io" },
	[CGROUP_HUGETLB] = { "hugetlb", "hugetlb" },
};
/* clang-format on */
static_assert(COUNT_OF(controllers) == N_CGROUP_CONTROLLERS, "A controller is missing");

/* Whether 'list' ("cpu,cpuacct") holds 'name'. */
static bool list_has(const char *list, char separator, const char *name)
{
	size_t len = strlen(name);

	for (const char *at = list; at && *at;) {
		const char *end = strchr(at, separator);
		size_t n = end ? (size_t)(end - at) : strlen(at);

		if (n == len && strncmp(at, name, len) == 0)
			return true;
		at = end ? end + 1 : NULL;
	}

	return false;
}

/* "12:cpu,cpuacct:/path" for the tree's controllers: yields the path, or NULL. */
static char *base_of(const struct tree *tree, const char *init_cgroup)
{
	scoped(strv_freep) char **lines = strv_split(init_cgroup, '\n');

	STRV_FOREACH (line, lines) {
		const char *names = strchr(line, ':');
		const char *path = names ? strchr(names + 1, ':') : NULL;

		if (!path || path[1] != '/')
			continue;
		scoped_free char *list = xstrdup(names + 1);
		list[path - names - 1] = '\0';
		if (tree->is_v2 ? *list : !str_equals(list, tree->name))
			continue;

		char *base = xstrdup(path + 1);
		size_t len = strlen(base);
		if (str_ends(base, "/init.scope"))
			base[len - strlen("/init.scope")] = '\0';
		else if (len > 0 && base[len - 1] == '/')
			base[len - 1] = '\0';
		/* Process 1 is outside our cgroup namespace. */
		if (str_starts(base, "/.."))
			*base = '\0';
		return base;
	}

	return NULL;
}

/* The options of a version 1 mount name its controllers among other words. */
static char *names_in_init(const char *options, const char *init_cgroup)
{
	scoped(strv_freep) char **lines = strv_split(init_cgroup, '\n');

	STRV_FOREACH (line, lines) {
		const char *names = strchr(line, ':');
		const char *path = names ? strchr(names + 1, ':') : NULL;

		if (!path || path == names + 1)
			continue;
		scoped_free char *list = xstrdup(names + 1);
		list[path - names - 1] = '\0';
		scoped(strv_freep) char **each = strv_split(list, ',');
		bool all = true;
		STRV_FOREACH (name, each)
			all = all && list_has(options, ',', name);
		if (all)
			return TAKE_PTR(list);
	}

	return NULL;
}

/* One line of mountinfo. Lines that are not of cgroups are skipped. */
static void add_mount(struct cgroup *cg, const char *line, const char *init_cgroup)
{
	scoped(strv_freep) char **words = strv_split(line, ' ');
	size_t n = strv_len(words), dash = 6;

	while (dash < n && !str_equals(words[dash], "-"))
		dash++;
	if (dash + 3 >= n || cg->n_trees == MAX_TREES)
		return;

	bool is_v2 = str_equals(words[dash + 1], "cgroup2");
	if (!is_v2 && !str_equals(words[dash + 1], "cgroup"))
		return;

	struct tree tree = { .is_v2 = is_v2 };
	tree.name = is_v2 ? xstrdup("") : names_in_init(words[dash + 3], init_cgroup);
	bool known = !tree.name;
	for (size_t i = 0; i < cg->n_trees && !known; i++)
		known = str_equals(cg->trees[i].name, tree.name);
	tree.base = known ? NULL : base_of(&tree, init_cgroup);
	if (!tree.base) {
		free(tree.name);
		return;
	}

	/* What is mounted may itself be a group: in containers, without a cgroup namespace. */
	if (!str_equals(words[3], "/") && str_starts(tree.base, words[3]))
		memmove(tree.base, tree.base + strlen(words[3]),
		        strlen(tree.base) - strlen(words[3]) + 1);
	tree.mount = xstrdup(words[4]);
	cg->trees[cg->n_trees++] = tree;
}

static void find_controllers(struct cgroup *cg)
{
	for (int c = 0; c < N_CGROUP_CONTROLLERS; c++) {
		cg->tree_of[c] = -1;
		for (size_t i = 0; i < cg->n_trees && cg->tree_of[c] < 0; i++) {
			if (!cg->trees[i].is_v2 &&
			    list_has(cg->trees[i].name, ',', controllers[c].v1))
				cg->tree_of[c] = (int)i;
		}
	}

	for (size_t i = 0; i < cg->n_trees; i++) {
		struct tree *tree = &cg->trees[i];
		if (!tree->is_v2)
			continue;

		scoped_free char *path =
			xasprintf("%s%s/cgroup.controllers", tree->mount, tree->base);
		scoped_free char *names = NULL;
		if (file_read(path, MAX_FILE, &names, NULL) < 0)
			names = xstrdup("");
		names[strcspn(names, "\n")] = '\0';
		for (int c = 0; c < N_CGROUP_CONTROLLERS; c++) {
			bool is_there = controllers[c].v2 ? list_has(names, ' ', controllers[c].v2)
			                                  : cg->n_trees == 1;
			if (cg->tree_of[c] < 0 && is_there)
				cg->tree_of[c] = (int)i;
		}
	}
}

int cgroup_parse(const char *mountinfo, const char *init_cgroup, struct cgroup **ret_cgroup)
{
	scoped(cgroup_freep) struct cgroup *cg = xcalloc(1, sizeof(*cg));
	scoped(strv_freep) char **lines = strv_split(mountinfo, '\n');

	STRV_FOREACH (line, lines)
		add_mount(cg, line, init_cgroup);
	if (cg->n_trees == 0)
		return -EOPNOTSUPP;

	find_controllers(cg);
	*ret_cgroup = TAKE_PTR(cg);
	return 0;
}

static bool find_swap(const struct cgroup *cg)
{
	if (!cgroup_has(cg, CGROUP_MEMORY))
		return false;
	if (!cgroup_is_v2(cg, CGROUP_MEMORY)) {
		scoped_free char *path = cgroup_path(cg, CGROUP_MEMORY, "");
		scoped_free char *file = xasprintf("%s/memory.memsw.limit_in_bytes", path);
		return file_exists(file);
	}

	/* The root of version 2's tree has no such file; whether groups will is in /proc/swaps. */
	return file_exists("/proc/swaps");
}

int cgroup_open(struct cgroup **ret_cgroup)
{
	scoped_free char *mountinfo = NULL, *init_cgroup = NULL;

	int r = file_read("/proc/self/mountinfo", 4 << 20, &mountinfo, NULL);
	if (r == 0)
		r = file_read("/proc/1/cgroup", MAX_FILE, &init_cgroup, NULL);
	if (r == 0)
		r = cgroup_parse(mountinfo, init_cgroup, ret_cgroup);
	if (r == 0)
		(*ret_cgroup)->has_swap = find_swap(*ret_cgroup);

	return r;
}

void cgroup_free(struct cgroup *cg)
{
	if (!cg)
		return;
	for (size_t i = 0; i < cg->n_trees; i++) {
		free(cg->trees[i].mount);
		free(cg->trees[i].base);
		free(cg->trees[i].name);
	}
	free(cg);
}

bool cgroup_has(const struct cgroup *cg, enum cgroup_controller controller)
{
	return cg->tree_of[controller] >= 0;
}

bool cgroup_is_v2(const struct cgroup *cg, enum cgroup_controller controller)
{
	return cgroup_has(cg, controller) && cg->trees[cg->tree_of[controller]].is_v2;
}

bool cgroup_has_swap(const struct cgroup *cg)
{
	return cg->has_swap;
}

static char *tree_path(const struct tree *tree, const char *group)
{
	return xasprintf("%s%s%s%s", tree->mount, tree->base, *group ? "/" : "", group);
}

char *cgroup_path(const struct cgroup *cg, enum cgroup_controller controller, const char *group)
{
	if (!cgroup_has(cg, controller))
		return NULL;

	return tree_path(&cg->trees[cg->tree_of[controller]], group);
}

static char *file_path(const struct cgroup *cg, enum cgroup_controller controller,
                       const char *group, const char *file)
{
	scoped_free char *folder = cgroup_path(cg, controller, group);

	return folder ? xasprintf("%s/%s", folder, file) : NULL;
}

int cgroup_read(const struct cgroup *cg, enum cgroup_controller controller, const char *group,
                const char *file, char **ret_text)
{
	scoped_free char *path = file_path(cg, controller, group, file);
	if (!path)
		return -EOPNOTSUPP;

	scoped_free char *text = NULL;
	size_t size = 0;
	int r = file_read(path, MAX_FILE, &text, &size);
	if (r < 0)
		return r;
	if (size > 0 && text[size - 1] == '\n')
		text[size - 1] = '\0';
	*ret_text = TAKE_PTR(text);
	return 0;
}

int cgroup_read_number(const struct cgroup *cg, enum cgroup_controller controller,
                       const char *group, const char *file, uint64_t *ret_number)
{
	scoped_free char *text = NULL;

	int r = cgroup_read(cg, controller, group, file, &text);
	if (r < 0)
		return r;
	if (str_equals(text, "max")) {
		*ret_number = UINT64_MAX;
		return 0;
	}

	return parse_uint64(text, ret_number);
}

int cgroup_read_key(const struct cgroup *cg, enum cgroup_controller controller, const char *group,
                    const char *file, const char *key, uint64_t *ret_number)
{
	scoped_free char *text = NULL;
	size_t len = strlen(key);

	int r = cgroup_read(cg, controller, group, file, &text);
	if (r < 0)
		return r;
	for (char *line = text, *next; line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		if (strncmp(line, key, len) == 0 && line[len] == ' ')
			return parse_uint64(line + len + 1, ret_number);
	}

	return -ENOENT;
}

int cgroup_write(const struct cgroup *cg, enum cgroup_controller controller, const char *group,
                 const char *file, const char *text)
{
	scoped_free char *path = file_path(cg, controller, group, file);

	return path ? file_put(path, text) : -EOPNOTSUPP;
}

int cgroup_first_pid(const struct cgroup *cg, const char *group, pid_t *ret_pid)
{
	int r = -ENOENT;

	for (size_t i = 0; i < cg->n_trees; i++) {
		scoped_free char *folder = tree_path(&cg->trees[i], group);
		scoped_free char *path = xasprintf("%s/cgroup.procs", folder);
		scoped_free char *text = NULL;
		int pid;

		if (file_read(path, MAX_FILE, &text, NULL) < 0)
			continue;
		text[strcspn(text, "\n")] = '\0';
		if (parse_int(text, &pid) < 0 || pid <= 0) {
			r = -ESRCH;
			continue;
		}
		*ret_pid = pid;
		return 0;
	}

	return r;
}

int cgroup_enter(const struct cgroup *cg, const char *group, pid_t pid)
{
	for (size_t i = 0; i < cg->n_trees; i++) {
		scoped_free char *folder = tree_path(&cg->trees[i], group);
		scoped_free char *path = xasprintf("%s/cgroup.procs", folder);

		if (!file_exists(path))
			continue;
		int r = file_putf(path, "%d", pid);
		if (r < 0)
			return r;
	}

	return 0;
}

/* liblxc has one called ".lxc". */
static bool is_group(const struct dirent *e)
{
	return e->d_type == DT_DIR && !str_equals(e->d_name, ".") && !str_equals(e->d_name, "..");
}

/* Removes the groups below an open one, deepest first. Closes 'fd'. */
static int remove_below(int fd)
{
	DIR *dir = fdopendir(fd);
	if (!dir) {
		int r = -errno;
		close(fd);
		return r;
	}

	int result = 0;
	for (struct dirent *e; (e = readdir(dir));) {
		if (!is_group(e))
			continue;
		int child = openat(dirfd(dir), e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (child >= 0)
			remove_below(child);
		if (unlinkat(dirfd(dir), e->d_name, AT_REMOVEDIR) < 0 && errno != ENOENT)
			result = -errno;
	}
	closedir(dir);

	return result;
}

int cgroup_remove(const struct cgroup *cg, const char *group)
{
	int result = 0;

	for (size_t i = 0; i < cg->n_trees; i++) {
		scoped_free char *folder = tree_path(&cg->trees[i], group);
		int r = 0;

		/* Nearly always it is gone, or has nothing below it. */
		if (rmdir(folder) == 0 || errno == ENOENT)
			continue;
		int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd >= 0)
			r = remove_below(fd);
		if (r == 0 && rmdir(folder) < 0 && errno != ENOENT)
			r = -errno;
		if (r < 0)
			result = r;
	}

	return result;
}

/* Signals each process of a group and of those below it. Returns how many there were. */
static unsigned signal_all(const char *folder, int depth)
{
	scoped_free char *path = xasprintf("%s/cgroup.procs", folder);
	scoped_free char *text = NULL;
	unsigned n = 0;

	if (file_read(path, 4 << 20, &text, NULL) == 0) {
		scoped(strv_freep) char **pids = strv_split_trimmed(text, '\n');
		STRV_FOREACH (word, pids) {
			int pid;
			if (parse_int(word, &pid) < 0 || pid <= 0)
				continue;
			kill(pid, SIGKILL);
			n++;
		}
	}

	DIR *dir = depth < 64 ? opendir(folder) : NULL;
	if (!dir)
		return n;
	for (struct dirent *e; (e = readdir(dir));) {
		if (!is_group(e))
			continue;
		scoped_free char *child = xasprintf("%s/%s", folder, e->d_name);
		n += signal_all(child, depth + 1);
	}
	closedir(dir);

	return n;
}

int cgroup_kill(const struct cgroup *cg, const char *group)
{
	int64_t deadline = date_deadline(KILL_TIMEOUT_MS);

	for (;;) {
		unsigned n = 0;
		for (size_t i = 0; i < cg->n_trees; i++) {
			scoped_free char *folder = tree_path(&cg->trees[i], group);
			n += signal_all(folder, 0);
		}
		if (n == 0)
			return 0;
		if (date_left(deadline) == 0)
			return -ETIMEDOUT;
		/* Version 1 has no event for an empty group that one could wait for. */
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	}
}

int cgroup_is_frozen(const struct cgroup *cg, const char *group, bool *ret_frozen)
{
	scoped_free char *text = NULL;
	uint64_t number;
	int r;

	if (cgroup_is_v2(cg, CGROUP_FREEZER)) {
		r = cgroup_read_key(cg, CGROUP_FREEZER, group, "cgroup.events", "frozen", &number);
		if (r == 0)
			*ret_frozen = number == 1;
		return r;
	}

	r = cgroup_read(cg, CGROUP_FREEZER, group, "freezer.state", &text);
	if (r == 0)
		*ret_frozen = str_equals(text, "FROZEN");
	return r;
}

int cgroup_freeze(const struct cgroup *cg, const char *group, bool freeze)
{
	bool is_v2 = cgroup_is_v2(cg, CGROUP_FREEZER);
	int64_t deadline = date_deadline(KILL_TIMEOUT_MS);
	bool is_frozen = !freeze;

	for (;;) {
		/* Version 1 may stay in FREEZING until it is told again. */
		int r = is_v2 ? cgroup_write(cg, CGROUP_FREEZER, group, "cgroup.freeze",
		                             freeze ? "1" : "0")
		              : cgroup_write(cg, CGROUP_FREEZER, group, "freezer.state",
		                             freeze ? "FROZEN" : "THAWED");
		if (r == 0)
			r = cgroup_is_frozen(cg, group, &is_frozen);
		if (r < 0 || is_frozen == freeze)
			return r;
		if (date_left(deadline) == 0)
			return -ETIMEDOUT;
		nanosleep(&(struct timespec){ .tv_nsec = 500000 }, NULL);
	}
}

static void usage_v1(const struct cgroup *cg, const char *group, struct cgroup_usage *u)
{
	uint64_t both = 0, both_peak = 0;

	cgroup_read_number(cg, CGROUP_MEMORY, group, "memory.usage_in_bytes", &u->memory);
	cgroup_read_number(cg, CGROUP_MEMORY, group, "memory.max_usage_in_bytes", &u->memory_peak);
	cgroup_read_number(cg, CGROUP_MEMORY, group, "memory.limit_in_bytes", &u->memory_limit);
	if (!cg->has_swap)
		return;

	cgroup_read_number(cg, CGROUP_MEMORY, group, "memory.memsw.usage_in_bytes", &both);
	cgroup_read_number(cg, CGROUP_MEMORY, group, "memory.memsw.max_usage_in_bytes", &both_peak);
	u->swap = both > u->memory ? both - u->memory : 0;
	u->swap_peak = both_peak > u->memory_peak ? both_peak - u->memory_peak : 0;
}

static void usage_v2(const struct cgroup *cg, const char *group, struct cgroup_usage *u)
{
	cgroup_read_number(cg, CGROUP_MEMORY, group, "memory.current", &u->memory);
	cgroup_read_number(cg, CGROUP_MEMORY, group, "memory.peak", &u->memory_peak);
	cgroup_read_number(cg, CGROUP_MEMORY, group, "memory.max", &u->memory_limit);
	cgroup_read_number(cg, CGROUP_MEMORY, group, "memory.swap.current", &u->swap);
	cgroup_read_number(cg, CGROUP_MEMORY, group, "memory.swap.peak", &u->swap_peak);
}

void cgroup_usage(const struct cgroup *cg, const char *group, struct cgroup_usage *ret_usage)
{
	struct cgroup_usage u = { .processes = -1, .memory_limit = UINT64_MAX };
	uint64_t number;

	if (cgroup_read_number(cg, CGROUP_PIDS, group, "pids.current", &number) == 0)
		u.processes = (int64_t)number;

	if (cgroup_is_v2(cg, CGROUP_CPUACCT)) {
		if (cgroup_read_key(cg, CGROUP_CPUACCT, group, "cpu.stat", "usage_usec", &number) ==
		    0)
			u.cpu_ns = number * 1000;
	} else {
		cgroup_read_number(cg, CGROUP_CPUACCT, group, "cpuacct.usage", &u.cpu_ns);
	}

	if (cgroup_is_v2(cg, CGROUP_MEMORY))
		usage_v2(cg, group, &u);
	else
		usage_v1(cg, group, &u);
	*ret_usage = u;
}
