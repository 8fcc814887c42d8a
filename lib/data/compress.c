#include "lib/data/compress.h"

#include <errno.h>
#include <locale.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/enum.h"
#include "lib/base/fd.h"
#include "lib/base/parse.h"
#include "lib/base/scoped.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"

#define TAR_MAGIC_OFFSET 257 /* POSIX pax(1), ustar format. */

#define MAX_LEVEL 19

static const char *const names[] = {
	[COMPRESS_NONE] = "none",         [COMPRESS_GZIP] = "gzip",
	[COMPRESS_BZIP2] = "bzip2",       [COMPRESS_XZ] = "xz",
	[COMPRESS_LZMA] = "lzma",         [COMPRESS_ZSTD] = "zstd",
	[COMPRESS_SQUASHFS] = "squashfs", [COMPRESS_QCOW2] = "qcow2",
};
ENUM_IS_COMPLETE(names, N_COMPRESS_KINDS);

static const char *const extensions[] = {
	[COMPRESS_NONE] = ".tar",          [COMPRESS_GZIP] = ".tar.gz",
	[COMPRESS_BZIP2] = ".tar.bz2",     [COMPRESS_XZ] = ".tar.xz",
	[COMPRESS_LZMA] = ".tar.lzma",     [COMPRESS_ZSTD] = ".tar.zst",
	[COMPRESS_SQUASHFS] = ".squashfs", [COMPRESS_QCOW2] = ".qcow2",
};
ENUM_IS_COMPLETE(extensions, N_COMPRESS_KINDS);

int compress_detect(const void *head, size_t size)
{
	/* clang-format off */
	static const struct {
		size_t offset;
		const char *magic;
		size_t size;
		enum compress_kind kind;
	} magics[] = {
		{ 0, "\x1F\x8B", 2, COMPRESS_GZIP },
		{ 0, "BZh", 3, COMPRESS_BZIP2 },
		{ 0, "\xFD" "7zXZ", 5, COMPRESS_XZ },
		{ 0, "\x28\xB5\x2F\xFD", 4, COMPRESS_ZSTD },
		{ 0, "\x5D\x00\x00", 3, COMPRESS_LZMA },
		{ 0, "hsqs", 4, COMPRESS_SQUASHFS },
		{ 0, "QFI\xFB", 4, COMPRESS_QCOW2 },
		{ TAR_MAGIC_OFFSET, "ustar", 5, COMPRESS_NONE },
	};
	/* clang-format on */

	for (size_t i = 0; i < COUNT_OF(magics); i++)
		if (size >= magics[i].offset + magics[i].size &&
		    memcmp((const char *)head + magics[i].offset, magics[i].magic,
		           magics[i].size) == 0)
			return (int)magics[i].kind;

	return -EINVAL;
}

int compress_detect_fd(int fd)
{
	char head[COMPRESS_HEAD_SIZE];
	ssize_t n = fd_read_full_at(fd, head, sizeof(head), 0);

	return n < 0 ? (int)n : compress_detect(head, (size_t)n);
}

const char *compress_name(enum compress_kind kind)
{
	return ENUM_NAME(names, kind);
}

int compress_kind_of(const char *name)
{
	scoped_free char *word = xstrndup(name, strcspn(name, " "));

	return ENUM_VALUE(names, word);
}

int compress_parse_algorithm(const char *text, enum compress_kind *ret_kind, int *ret_level)
{
	scoped(strv_freep) char **words = strv_split_trimmed(text, ' ');
	size_t n = strv_len(words);
	int level = 0;

	int kind = n > 0 ? compress_kind_of(words[0]) : -EINVAL;
	if (kind < 0 || kind == COMPRESS_SQUASHFS || kind == COMPRESS_QCOW2 || n > 2 ||
	    str_has_control(text))
		return -EINVAL;
	if (n == 2 && (words[1][0] != '-' || parse_int(words[1] + 1, &level) < 0 || level < 0 ||
	               level > MAX_LEVEL))
		return -EINVAL;
	*ret_kind = (enum compress_kind)kind;
	*ret_level = level;
	return 0;
}

const char *compress_extension(enum compress_kind kind)
{
	return ENUM_NAME(extensions, kind);
}

void compress_init_locale(void)
{
	setlocale(LC_CTYPE, "C.UTF-8");
}
