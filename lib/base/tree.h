/*
 * Whole directory trees, without ever following a link (tree_copy.h copies them).
 *
 * All of it works through directory fds, so that somebody who moves things around meanwhile can
 * neither lead it out of the tree nor make it crash. Filesystem borders are not crossed by
 * tree_remove() unless told to.
 */
#pragma once

#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "lib/base/macro.h"

/* An entry that tree_walk() is at; all of it is borrowed for the call. */
struct tree_entry {
	int dir;               /* The directory that holds it. */
	const char *name;      /* Its name there; "" for the root of the walk. */
	const char *path;      /* Relative to the root of the walk; "" for the root. */
	const struct stat *st; /* Of the entry itself, not what a link names. */
};

/* Returns 0 to go on, a negative errno to stop, or TREE_SKIP not to enter a directory. */
#define TREE_SKIP 1
typedef int tree_visit(const struct tree_entry *entry, void *arg);

/*
 * Visits all below 'dir' (and itself first), each directory before what is in it, sorted by name,
 * however deep.
 */
int tree_walk(int dir, tree_visit *visit, void *arg);

/*
 * Called when a directory that was visited and not skipped is done with. 'fd' is the directory
 * itself, or -1 if it vanished before it was entered; the root of the walk comes last.
 */
typedef int tree_leave(const struct tree_entry *entry, int fd, void *arg);

struct tree_visitor {
	tree_visit *visit;
	tree_leave *leave; /* Or NULL. */
	void *arg;
};

int tree_walk_with(int dir, const struct tree_visitor *visitor);

enum tree_remove_flag {
	TREE_KEEP_ROOT = 1 << 0,    /* Only what is in it. */
	TREE_CROSS_MOUNTS = 1 << 1, /* Also enter other filesystems. */
};

/* Removes a file or a tree; one that is not there is fine. -EXDEV at a mount below it. */
int tree_remove(const char *path, unsigned flags);
int tree_remove_at(int dir, const char *name, unsigned flags);

/* Bytes that the files of a tree occupy on disk, hard links counted once. */
int tree_usage(int dir, uint64_t *ret_bytes);

/*
 * Bytes that a copy of a tree's files would have to carry: their lengths, hard links counted once.
 * -ETIMEDOUT when that takes longer than until 'deadline' (date_deadline()).
 */
int tree_size(int dir, int64_t deadline, uint64_t *ret_bytes);
