/* Which compression or container format a file has, and what formats are called. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/macro.h"

enum compress_kind {
	COMPRESS_NONE, /* A plain tar, as far as detection goes. */
	COMPRESS_GZIP,
	COMPRESS_BZIP2,
	COMPRESS_XZ,
	COMPRESS_LZMA,
	COMPRESS_ZSTD,
	COMPRESS_SQUASHFS,
	COMPRESS_QCOW2,
	N_COMPRESS_KINDS,
};

#define COMPRESS_HEAD_SIZE 262 /* Bytes of a file's beginning that detection looks at. */

/* The kind of a file that begins like this, or -EINVAL if it is none of them. */
int compress_detect(const void *head, size_t size);

/* The same for a file that can be read at an offset; its position stays. */
int compress_detect_fd(int fd);

/* "none", "gzip", "bzip2", "xz", "lzma", "zstd", "squashfs", "qcow2". */
const char *compress_name(enum compress_kind kind);

/* The kind for a name as in images.compression_algorithm (options after a space are cut), or
 * -EINVAL. */
int compress_kind_of(const char *name);

/*
 * A value of images.compression_algorithm, "zstd -3", "none": the name of what a tarball can be
 * written with, and a level as its only option (0: none is said). -EINVAL for anything else, such
 * as "squashfs", which is read only.
 */
int compress_parse_algorithm(const char *text, enum compress_kind *ret_kind, int *ret_level);

/* ".tar", ".tar.gz", ..., ".squashfs", ".qcow2". */
const char *compress_extension(enum compress_kind kind);

/* Called once at start: names in archives are UTF-8, for which libarchive needs a locale. */
void compress_init_locale(void);
