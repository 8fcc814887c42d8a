#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "client/follow.h"
#include "lib/data/jv.h"
#include "lib/data/jv_parse.h"

static void progress_is_a_member_that_ends_so(void **state)
{
	static const struct {
		const char *operation, *text;
	} cases[] = {
		{ "{\"metadata\":{\"download_progress\":\"rootfs: 45%\"}}", "rootfs: 45%" },
		{ "{\"metadata\":{\"fingerprint\":\"x\",\"create_instance_from_image_unpack_progress\":"
		  "\"Unpack: 4%\",\"progress\":{\"percent\":\"4\"}}}",
		  "Unpack: 4%" },
		{ "{\"metadata\":{\"progress\":{\"percent\":\"4\"}}}", NULL },
		{ "{\"metadata\":{\"fs_progress\":\"\"}}", NULL },
		{ "{\"metadata\":null}", NULL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		scoped(jv_unrefp) struct json_object *op = NULL;
		scoped(error_freep) struct error *err = NULL;

		assert_int_equal(
			jv_parse(cases[i].operation, strlen(cases[i].operation), &op, &err), 0);
		const char *text = follow_progress_text(op);
		if (cases[i].text)
			assert_string_equal(text, cases[i].text);
		else
			assert_null(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(progress_is_a_member_that_ends_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
