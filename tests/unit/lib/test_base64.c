#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/base64.h"
#include "lib/base/random.h"
#include "lib/base/scoped.h"

static void known_values(void **state)
{
	(void)state;
	static const struct {
		const char *data, *plain, *url;
	} cases[] = {
		{ "", "", "" },
		{ "f", "Zg==", "Zg" },
		{ "fo", "Zm8=", "Zm8" },
		{ "foo", "Zm9v", "Zm9v" },
		{ "\xFB\xFF\xFE", "+//+", "-__-" },
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		scoped_free char *plain = base64_encode(cases[i].data, strlen(cases[i].data));
		scoped_free char *url = base64_encode_url(cases[i].data, strlen(cases[i].data));

		assert_string_equal(plain, cases[i].plain);
		assert_string_equal(url, cases[i].url);
	}
}

static void what_was_encoded_is_decoded(void **state)
{
	(void)state;
	uint8_t data[100];

	random_bytes(data, sizeof(data));
	for (size_t size = 0; size <= sizeof(data); size++) {
		scoped_free char *text =
			size % 2 ? base64_encode(data, size) : base64_encode_url(data, size);
		scoped_free uint8_t *again = NULL;
		size_t again_size = 0;

		assert_int_equal(base64_decode(text, strlen(text), &again, &again_size), 0);
		assert_int_equal(again_size, size);
		assert_memory_equal(again, data, size);
	}
}

static void bad_text_is_refused(void **state)
{
	(void)state;
	static const char *const cases[] = { "Z",    "Zg=",   "Zg===", "Z=g=", "Zh==",
		                             "Zm9=", "Zm9v=", "Zm 9v", "Zm9v!" };

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		uint8_t *data = NULL;
		size_t size;

		assert_int_equal(base64_decode(cases[i], strlen(cases[i]), &data, &size), -EINVAL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_values),
		cmocka_unit_test(what_was_encoded_is_decoded),
		cmocka_unit_test(bad_text_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
