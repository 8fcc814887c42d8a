#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/alias.h"
#include "lib/base/strv.h"
#include "lib/data/jv.h"

static void words_are_replaced(void **state)
{
	static const struct {
		const char *words[6], *result;
	} cases[] = {
		{ { "list", "x" }, "list|x" },
		{ { "l", "x", "-f", "csv" }, "list|-c|n|x|-f|csv" },
		{ { "my", "shell", "c1", "ls" }, "exec|c1|ls|--|su|-l" },
		{ { "my", "other" }, "my|other" },
		{ { "swap", "a", "b", "c" }, "move|b|a|c" },
		{ { "swap", "a" }, "move|@ARG2@|a" },
	};
	scoped(jv_unrefp) struct json_object *aliases = jv_object();

	(void)state;
	jv_set_string(aliases, "l", "list -c n");
	jv_set_string(aliases, "my shell", "exec @ARGS@ -- su -l");
	jv_set_string(aliases, "swap", "move @ARG2@ @ARG1@");
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		scoped(strv_freep) char **words = alias_expand(aliases, cases[i].words);
		scoped_free char *text = strv_join(words, "|");

		assert_string_equal(text, cases[i].result);
	}
}

static void no_words_and_no_aliases_are_fine(void **state)
{
	scoped(strv_freep) char **words = alias_expand(NULL, (const char *const[]){ NULL });

	(void)state;
	assert_non_null(words);
	assert_null(words[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_are_replaced),
		cmocka_unit_test(no_words_and_no_aliases_are_fine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
