#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/image/image_multipart.h"
#include "lib/base/macro.h"

#define TYPE "multipart/form-data; boundary=xyz"
#define HEAD(name) \
	"Content-Disposition: form-data; name=\"" name "\"; filename=\"" name ".tar\"\r\n\r\n"

static void two_parts_are_found(void **state)
{
	static const char body[] = "--xyz\r\n" HEAD("metadata") "meta\r\n--xyz\r\n" HEAD(
		"rootfs") "root\r\n\r\n--xy\r\n--xyz--\r\n";
	scoped(image_multipart_done) struct image_multipart m = { 0 };
	scoped(error_freep) struct error *err = NULL;

	(void)state;
	assert_int_equal(image_multipart_parse(body, sizeof(body) - 1, TYPE, &m, &err), 0);
	assert_int_equal(m.n_parts, 2);
	assert_string_equal(m.parts[0].name, "metadata");
	assert_string_equal(m.parts[0].filename, "metadata.tar");
	assert_memory_equal(body + m.parts[0].offset, "meta", m.parts[0].size);
	assert_int_equal(m.parts[0].size, 4);
	assert_string_equal(m.parts[1].name, "rootfs");
	/* What looks like a border and is none belongs to the file. */
	assert_int_equal(m.parts[1].size, 12);
}

static void other_forms_are_refused(void **state)
{
	static const struct {
		const char *type, *body;
	} cases[] = {
		{ TYPE, "" },
		{ TYPE, "--xyz" },
		{ TYPE, "--xyz\r\n" },
		{ TYPE, "--xyz--\r\n" },
		{ TYPE, "preamble\r\n--xyz\r\n" HEAD("a") "x\r\n--xyz--" },
		{ TYPE, "--xyz\r\n" HEAD("a") "x" },
		{ TYPE, "--xyz\r\n" HEAD("a") "x\r\n--xyz" },
		{ TYPE, "--xyz\r\n" HEAD("a") "x\r\n--xyz-\r\n" },
		{ TYPE, "--xyz\r\nContent-Type: x\r\n\r\nx\r\n--xyz--" },
		{ TYPE,
		  "--xyz\r\n" HEAD("a") "\r\n--xyz\r\n" HEAD("b") "\r\n--xyz\r\n" HEAD(
			  "c") "\r\n--xyz\r\n" HEAD("d") "\r\n--xyz\r\n" HEAD("e") "\r\n--xyz--" },
		{ "multipart/form-data", "--\r\n" HEAD("a") "x\r\n----" },
		{ "multipart/form-data; boundary=", "--\r\n" HEAD("a") "x\r\n----" },
		{ "multipart/form-data; boundary=\"xyz", "--xyz\r\n" HEAD("a") "x\r\n--xyz--" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		scoped(image_multipart_done) struct image_multipart m = { 0 };
		scoped(error_freep) struct error *err = NULL;

		if (image_multipart_parse(cases[i].body, strlen(cases[i].body), cases[i].type, &m,
		                          &err) == 0)
			fail_msg("case %zu was accepted", i);
		assert_int_equal(err->status, 400);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_parts_are_found),
		cmocka_unit_test(other_forms_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
