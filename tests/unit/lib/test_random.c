#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/random.h"
#include "lib/base/scoped.h"
#include "lib/base/str.h"
#include "lib/base/uuid.h"

static void values_differ_and_have_their_form(void **state)
{
	(void)state;
	scoped_free char *hex = random_hex(16);
	scoped_free char *again = random_hex(16);
	scoped_free char *name = random_name();
	scoped_free char *mac = random_mac("00:16:3e");
	char uuid[UUID_SIZE];

	assert_int_equal(strlen(hex), 32);
	assert_true(str_is_made_of(hex, "0123456789abcdef"));
	assert_string_not_equal(hex, again);
	assert_true(str_is_hostname(name));
	assert_non_null(strchr(name, '-'));
	assert_int_equal(strlen(mac), 17);

	uuid_make(uuid);
	assert_true(uuid_is_valid(uuid));
	assert_int_equal(uuid[14], '4');
	assert_false(uuid_is_valid("x"));
	assert_false(uuid_is_valid(NULL));
}

static void numbers_are_below_their_limit(void **state)
{
	(void)state;
	bool is_seen[3] = { false };

	for (int i = 0; i < 1000; i++)
		is_seen[random_below(3)] = true;
	assert_true(is_seen[0] && is_seen[1] && is_seen[2]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_differ_and_have_their_form),
		cmocka_unit_test(numbers_are_below_their_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
