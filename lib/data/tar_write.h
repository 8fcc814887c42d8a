/* Writing tar archives: single entries and whole trees. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "lib/base/cancel.h"
#include "lib/base/error.h"
#include "lib/base/scoped.h"
#include "lib/data/compress.h"
#include "lib/data/tar.h"

struct tar_writer;

struct tar_write_options {
	int fd; /* Borrowed; used if 'write' is NULL. */

	/* Takes the archive's bytes instead of the fd. Returns 0 or a negative errno. */
	int (*write)(const void *data, size_t size, void *arg);
	void *arg;

	enum compress_kind compression; /* A filter, not squashfs or qcow2. */
	int level;                      /* 0: the compressor's own default. */
	int threads;                    /* For xz and zstd; 0 or 1: none of its own. */
};

int tar_write_open(const struct tar_write_options *options, struct tar_writer **ret,
                   struct error **err);

/* An entry without data, or whose data follows with tar_write_data(). */
int tar_write_entry(struct tar_writer *w, const struct tar_entry *entry, struct error **err);
int tar_write_data(struct tar_writer *w, const void *data, size_t size, struct error **err);

/* A regular file of root with this content. */
int tar_write_bytes(struct tar_writer *w, const char *path, const void *data, size_t size,
                    mode_t mode, int64_t mtime, struct error **err);

/* A directory of root. */
int tar_write_dir(struct tar_writer *w, const char *path, mode_t mode, int64_t mtime,
                  struct error **err);

struct tar_tree_options {
	const char *prefix; /* Path in the archive for the tree's root: "rootfs". */

	/* Owner on disk to owner in the archive, or NULL. False: the entry is refused. */
	bool (*map_uid)(uint32_t id, uint32_t *ret, void *arg);
	bool (*map_gid)(uint32_t id, uint32_t *ret, void *arg);

	/* Whether to leave an entry (path relative to the tree) and all below it out, or NULL. */
	bool (*skip)(const char *path, const struct stat *st, void *arg);

	void (*progress)(uint64_t bytes, void *arg); /* Bytes of file content so far, or NULL. */
	void *arg;
	struct cancel *cancel; /* Or NULL. */
};

/*
 * Adds all below the directory 'dir', sorted: numeric owners, xattrs, ACLs, hard links within the
 * tree, holes, devices; sockets are left out.
 */
int tar_write_tree(struct tar_writer *w, int dir, const struct tar_tree_options *options,
                   struct error **err);

/* Ends the archive; without it what was written is incomplete. */
int tar_write_finish(struct tar_writer *w, struct error **err);

void tar_write_close(struct tar_writer *w);
DEFINE_SCOPED(struct tar_writer *, tar_write_close);
