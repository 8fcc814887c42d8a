#include "lib/base/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/base/alloc.h"
#include "lib/base/array.h"
#include "lib/base/date.h"
#include "lib/base/dir_stack.h"
#include "lib/base/map.h"
#include "lib/base/path.h"
#include "lib/base/scoped.h"
#include "lib/base/strbuf.h"
#include "lib/base/strv.h"

/* Levels that removing goes down before it moves what is deeper to the top. */
#define REMOVE_DEPTH 64

static int open_dir(int dir, const char *name, uint64_t resolve)
{
	struct open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK,
		.resolve = resolve | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	long fd = syscall(SYS_openat2, dir, name, &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

static void close_stream(DIR **stream)
{
	if (*stream)
		closedir(*stream);
}

static bool is_dot(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

struct removal {
	int top; /* The directory that too deep ones are moved to. */
	unsigned n_moved;
	uint64_t resolve;
};

static int remove_entry(struct removal *rm, int dir, const char *name, int type, int depth);

/* Empties the directory and closes the fd. */
static int remove_content_take(struct removal *rm, int fd, int depth)
{
	scoped(close_stream) DIR *stream = fdopendir(fd);
	bool has_moved;

	if (!stream) {
		close(fd);
		return -ENOMEM;
	}

	/* What was moved to the top may have come behind the position of reading. */
	do {
		unsigned n_moved_before = rm->n_moved;
		const struct dirent *entry;

		rewinddir(stream);
		errno = 0;
		while ((entry = readdir(stream))) {
			if (is_dot(entry->d_name))
				continue;

			int r = remove_entry(rm, fd, entry->d_name, entry->d_type, depth);
			if (r < 0)
				return r;
			errno = 0;
		}
		if (errno)
			return -errno;
		has_moved = depth == 0 && rm->n_moved != n_moved_before;
	} while (has_moved);
	return 0;
}

/* Whose tree it is may have taken names that we think of. */
static int move_to_top(struct removal *rm, int dir, const char *name)
{
	char moved[64];
	int r;

	do {
		snprintf(moved, sizeof(moved), ".removed-%d-%u", (int)getpid(), rm->n_moved++);
		r = renameat(dir, name, rm->top, moved) < 0 ? -errno : 0;
	} while (r == -ENOTEMPTY || r == -EEXIST || r == -ENOTDIR || r == -EISDIR);
	return r == -ENOENT ? 0 : r;
}

static int remove_dir(struct removal *rm, int dir, const char *name, int depth)
{
	if (depth > REMOVE_DEPTH)
		return move_to_top(rm, dir, name);

	int fd = open_dir(dir, name, rm->resolve);
	if (fd == -ENOENT)
		return 0;
	if (fd < 0)
		return fd;

	int r = remove_content_take(rm, fd, depth);
	if (r < 0)
		return r;

	return unlinkat(dir, name, AT_REMOVEDIR) < 0 && errno != ENOENT ? -errno : 0;
}

static int remove_entry(struct removal *rm, int dir, const char *name, int type, int depth)
{
	if (type != DT_DIR) {
		if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
			return 0;
		if (errno != EISDIR)
			return -errno;
	}
	return remove_dir(rm, dir, name, depth + 1);
}

static int remove_tree(int dir, const char *name, unsigned flags)
{
	struct removal rm = { .resolve = flags & TREE_CROSS_MOUNTS ? 0 : RESOLVE_NO_XDEV };

	/* Where the walk begins may itself be a mount. */
	int fd = open_dir(dir, name, 0);
	if (fd < 0)
		return fd;

	rm.top = fd;
	int r = remove_content_take(&rm, fd, 0);
	if (r < 0 || flags & TREE_KEEP_ROOT)
		return r;

	return unlinkat(dir, name, AT_REMOVEDIR) < 0 && errno != ENOENT ? -errno : 0;
}

int tree_remove_at(int dir, const char *name, unsigned flags)
{
	/* Only the last part must not be a link; the caller vouches for the way there. */
	const char *base;
	scoped_fd int parent = -EBADF;
	scoped_free char *clean = path_clean(name);
	scoped_free char *before = path_dir(clean);

	base = path_base(clean);
	if (!path_is_name(base))
		return -EINVAL;

	parent = openat(dir, before, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (parent < 0)
		return errno == ENOENT ? 0 : -errno;

	int r = remove_tree(parent, base, flags);
	if (r == -ENOENT)
		return 0;
	if ((r == -ENOTDIR || r == -ELOOP) && !(flags & TREE_KEEP_ROOT))
		return unlinkat(parent, base, 0) < 0 && errno != ENOENT ? -errno : 0;

	return r;
}

int tree_remove(const char *path, unsigned flags)
{
	return tree_remove_at(AT_FDCWD, path, flags);
}

/* A name that was given anew while the directory was read is found twice on some filesystems. */
static void drop_doubles(char **names)
{
	size_t n = 0;

	for (size_t i = 0; names && names[i]; i++) {
		if (n > 0 && strcmp(names[i], names[n - 1]) == 0)
			free(names[i]);
		else
			names[n++] = names[i];
	}
	if (names)
		names[n] = NULL;
}

/* The names in the directory that 'fd' (which stays open) refers to, sorted. */
static int list_dir(int fd, char ***ret_names)
{
	scoped(strv_freep) char **names = NULL;
	const struct dirent *entry;
	size_t n = 0, capacity = 0;

	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (copy < 0)
		return -errno;

	scoped(close_stream) DIR *stream = fdopendir(copy);
	if (!stream) {
		close(copy);
		return -ENOMEM;
	}

	errno = 0;
	while ((entry = readdir(stream))) {
		if (is_dot(entry->d_name))
			continue;
		if (n + 1 >= capacity) {
			capacity = capacity ? capacity * 2 : 16;
			names = xreallocarray(names, capacity, sizeof(*names));
		}
		names[n++] = xstrdup(entry->d_name);
		names[n] = NULL;
	}
	if (errno)
		return -errno;

	strv_sort(names);
	drop_doubles(names);
	*ret_names = TAKE_PTR(names);
	return 0;
}

/* A directory on the way down. */
struct walk_level {
	char **names;
	size_t next;      /* In 'names'. */
	size_t path_size; /* Of its own path. */
	struct stat st;
};

struct walk {
	const struct tree_visitor *visitor;
	struct strbuf path;
	struct dir_stack dirs;
	ARRAY_OF(struct walk_level) levels;
};

static int walk_down_take(struct walk *w, int fd)
{
	struct walk_level level = { .path_size = w->path.size };

	int r = dir_stack_push_take(&w->dirs, fd, &level.st);
	if (r == 0)
		ARRAY_ADD(&w->levels, level);
	if (r < 0)
		return r;
	/* Not before: what was entered is left. One that is being removed has nothing in it. */
	r = list_dir(fd, &w->levels.items[w->levels.n_items - 1].names);
	return r == -ENOENT ? 0 : r;
}

static int leave(struct walk *w, int fd, const struct tree_entry *entry)
{
	const struct tree_visitor *v = w->visitor;

	return v->leave ? v->leave(entry, fd, v->arg) : 0;
}

static int walk_up(struct walk *w)
{
	struct walk_level *level = &w->levels.items[w->levels.n_items - 1];
	int fd = dir_stack_fd(&w->dirs);
	struct tree_entry entry = { fd, "", strbuf_text(&w->path), &level->st };

	if (w->levels.n_items > 1) {
		entry.dir = dir_stack_parent_fd(&w->dirs);
		entry.name = level[-1].names[level[-1].next - 1];
	}
	int r = leave(w, fd, &entry);
	strv_free(level->names);
	w->levels.n_items--;
	int up = dir_stack_pop(&w->dirs);
	return r < 0 ? r : up;
}

static int walk_entry(struct walk *w, const char *name)
{
	int dir = dir_stack_fd(&w->dirs);
	struct stat st;

	/* Gone since the directory was read. */
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;

	struct tree_entry entry = { dir, name, strbuf_text(&w->path), &st };
	int r = w->visitor->visit(&entry, w->visitor->arg);
	if (r < 0)
		return r;
	if (r == TREE_SKIP || !S_ISDIR(st.st_mode))
		return 0;

	int fd = open_dir(dir, name, 0);
	if (fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP)
		return leave(w, -1, &entry);
	return fd < 0 ? fd : walk_down_take(w, fd);
}

/* The next name in the directory where the walk is, or the way back up. */
static int walk_on(struct walk *w)
{
	struct walk_level *level = &w->levels.items[w->levels.n_items - 1];

	strbuf_truncate(&w->path, level->path_size);
	if (!level->names || !level->names[level->next])
		return walk_up(w);

	const char *name = level->names[level->next++];
	if (level->path_size > 0)
		strbuf_add_char(&w->path, '/');
	strbuf_add(&w->path, name);
	return walk_entry(w, name);
}

int tree_walk_with(int dir, const struct tree_visitor *visitor)
{
	struct walk w = { .visitor = visitor };
	struct stat st;

	if (fstat(dir, &st) < 0)
		return -errno;

	struct tree_entry root = { dir, "", "", &st };
	int r = visitor->visit(&root, visitor->arg);
	if (r == TREE_SKIP)
		return 0;
	if (r == 0) {
		int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		r = fd < 0 ? -errno : walk_down_take(&w, fd);
	}
	while (r >= 0 && w.levels.n_items > 0)
		r = walk_on(&w);

	for (size_t i = 0; i < w.levels.n_items; i++)
		strv_free(w.levels.items[i].names);
	ARRAY_DONE(&w.levels);
	dir_stack_done(&w.dirs);
	strbuf_done(&w.path);
	return r < 0 ? r : 0;
}

int tree_walk(int dir, tree_visit *visit, void *arg)
{
	return tree_walk_with(dir, &(const struct tree_visitor){ .visit = visit, .arg = arg });
}

struct usage {
	uint64_t bytes;
	bool is_length;    /* What files hold, not what they occupy. */
	int64_t deadline;  /* For all of it. */
	struct map *links; /* Inodes with several names that were counted. */
};

static int add_usage(const struct tree_entry *entry, void *arg)
{
	struct usage *u = arg;

	if (date_left(u->deadline) == 0)
		return -ETIMEDOUT;
	if (entry->st->st_nlink > 1 && !S_ISDIR(entry->st->st_mode)) {
		char key[64];

		snprintf(key, sizeof(key), "%llx:%llx", (unsigned long long)entry->st->st_dev,
		         (unsigned long long)entry->st->st_ino);
		if (!map_add(u->links, key, u))
			return 0;
	}
	if (!u->is_length)
		u->bytes += (uint64_t)entry->st->st_blocks * 512;
	else if (S_ISREG(entry->st->st_mode))
		u->bytes += (uint64_t)entry->st->st_size;
	return 0;
}

static int measure(int dir, struct usage *usage, uint64_t *ret_bytes)
{
	scoped(map_freep) struct map *links = map_new(NULL);

	usage->links = links;
	int r = tree_walk(dir, add_usage, usage);
	if (r == 0)
		*ret_bytes = usage->bytes;

	return r;
}

int tree_usage(int dir, uint64_t *ret_bytes)
{
	struct usage usage = { .deadline = DEADLINE_NEVER };

	return measure(dir, &usage, ret_bytes);
}

int tree_size(int dir, int64_t deadline, uint64_t *ret_bytes)
{
	struct usage usage = { .is_length = true, .deadline = deadline };

	return measure(dir, &usage, ret_bytes);
}
