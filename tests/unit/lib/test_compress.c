#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/fd.h"
#include "lib/base/scoped.h"
#include "lib/data/compress.h"

static void beginnings_are_known(void **state)
{
	(void)state;
	static const struct {
		const char *head;
		int kind;
	} cases[] = {
		{ "\x1F\x8B\x08", COMPRESS_GZIP },
		{ "BZh9", COMPRESS_BZIP2 },
		{ "\xFD"
		  "7zXZ",
		  COMPRESS_XZ },
		{ "\x28\xB5\x2F\xFD", COMPRESS_ZSTD },
		{ "hsqs", COMPRESS_SQUASHFS },
		{ "QFI\xFB", COMPRESS_QCOW2 },
		{ "PK\x03\x04", -EINVAL },
		{ "", -EINVAL },
	};
	char tar[512] = "file";

	for (size_t i = 0; i < COUNT_OF(cases); i++)
		assert_int_equal(compress_detect(cases[i].head, strlen(cases[i].head)),
		                 cases[i].kind);

	assert_int_equal(compress_detect("\x5D\0\0\x80", 4), COMPRESS_LZMA);
	memcpy(tar + 257, "ustar", 5);
	assert_int_equal(compress_detect(tar, COMPRESS_HEAD_SIZE), COMPRESS_NONE);
	assert_int_equal(compress_detect(tar, COMPRESS_HEAD_SIZE - 1), -EINVAL);

	scoped_fd int fd = fd_memfd("head");
	assert_int_equal(fd_write_full(fd, "hsqs", 4), 0);
	assert_int_equal(compress_detect_fd(fd), COMPRESS_SQUASHFS);
	assert_int_equal(lseek(fd, 0, SEEK_CUR), 4);
}

static void names_go_both_ways(void **state)
{
	(void)state;
	for (int kind = 0; kind < N_COMPRESS_KINDS; kind++) {
		assert_int_equal(compress_kind_of(compress_name((enum compress_kind)kind)), kind);
		assert_int_equal(compress_extension((enum compress_kind)kind)[0], '.');
	}
	assert_int_equal(compress_kind_of("zstd -19"), COMPRESS_ZSTD);
	assert_int_equal(compress_kind_of("pigz"), -EINVAL);
}

static void algorithms_are_what_can_be_written(void **state)
{
	static const struct {
		const char *text;
		int kind, level;
	} good[] = { { "none", COMPRESS_NONE, 0 },      { "gzip", COMPRESS_GZIP, 0 },
		     { "zstd -19", COMPRESS_ZSTD, 19 }, { " xz  -0 ", COMPRESS_XZ, 0 },
		     { "bzip2 -9", COMPRESS_BZIP2, 9 }, { "lzma", COMPRESS_LZMA, 0 } };
	static const char *const bad[] = { "",        " ",          "squashfs", "qcow2",
		                           "lz4",     "zstd -20",   "zstd 3",   "zstd --5",
		                           "zstd -x", "gzip -1 -2", "/bin/sh",  "gzip;id",
		                           "GZIP",    "gzip\n" };
	enum compress_kind kind;
	int level;

	for (size_t i = 0; i < COUNT_OF(good); i++) {
		assert_int_equal(compress_parse_algorithm(good[i].text, &kind, &level), 0);
		assert_int_equal(kind, good[i].kind);
		assert_int_equal(level, good[i].level);
	}
	for (size_t i = 0; i < COUNT_OF(bad); i++)
		assert_int_equal(compress_parse_algorithm(bad[i], &kind, &level), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(beginnings_are_known),
		cmocka_unit_test(names_go_both_ways),
		cmocka_unit_test(algorithms_are_what_can_be_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
