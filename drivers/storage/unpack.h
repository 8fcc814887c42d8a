/*
 * Unpacking archives of strangers: images, tarballs for volumes.
 *
 * The work is done by a helper process ("forkunpack") that sees the archive and the target
 * directory as descriptors: in a mount namespace of its own everything but the target is read-only,
 * it gives up all capabilities but those of making files, and counts what it writes. See
 * unpack_tar.h for what an archive may contain.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/error.h"

struct host;
struct op;

enum unpack_form {
	/*
	 * A unified image, or the metadata of a split one: only "metadata.yaml", "templates/" and
	 * "rootfs/" are taken, whatever else is in it.
	 */
	UNPACK_IMAGE,
	UNPACK_TREE, /* Everything: the root filesystem of a split image. */
	UNPACK_N_FORMS,
};

struct unpack {
	int fd; /* The archive, a regular file; borrowed, read from its beginning. */
	const char
		*path; /* A directory that is there. What a failure leaves in it is the caller's. */
	enum unpack_form form;
	uint64_t max_bytes;  /* Of file content; more is a 413. 0: no limit but the disk. */
	uint64_t max_inodes; /* 0: 10 million. */
	const char *what;    /* Named in errors: "image". */
};

/* Unpacks a tar, compressed in any way of lib/data/compress.h, or a squashfs. 400 for a bad one. */
int unpack_archive(const struct host *host, const struct unpack *unpack, struct op *op,
                   struct error **err);

/*
 * Reads "metadata.yaml" out of a tar, at most 1 MiB, owned by the caller. 400 if it is not there,
 * or, with 'needs_rootfs', if there is no "rootfs" in it.
 */
int unpack_metadata(const struct host *host, int fd, bool needs_rootfs, struct op *op,
                    char **ret_text, struct error **err);
