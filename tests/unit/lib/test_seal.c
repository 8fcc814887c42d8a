#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/alloc.h"
#include "lib/base/scoped.h"
#include "lib/net/seal.h"

static void what_is_sealed_opens_with_its_key_and_label(void **state)
{
	static const char *const texts[] = { "", "s", "a secret of some length, with \xc3\xa4" };

	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		scoped_free char *sealed = seal_close("key", "label", texts[i]);
		scoped_free char *again = seal_close("key", "label", texts[i]);
		scoped_free char *open = seal_open("key", "label", sealed);

		assert_string_equal(open, texts[i]);
		assert_string_not_equal(sealed, again);
		assert_null(seal_open("kez", "label", sealed));
		assert_null(seal_open("key", "labem", sealed));
	}
}

static void what_was_changed_does_not_open(void **state)
{
	static const char *const wrong[] = { "", "x", "====", "AAAA",
		                             "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" };
	scoped_free char *sealed = seal_close("key", "label", "secret");

	for (size_t i = 0; i < COUNT_OF(wrong); i++)
		assert_null(seal_open("key", "label", wrong[i]));
	for (size_t i = 0; i < strlen(sealed); i += 4) {
		scoped_free char *changed = xstrdup(sealed);

		changed[i] = changed[i] == 'A' ? 'B' : 'A';
		assert_null(seal_open("key", "label", changed));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_sealed_opens_with_its_key_and_label),
		cmocka_unit_test(what_was_changed_does_not_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
