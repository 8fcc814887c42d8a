#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/cli_help.h"
#include "lib/base/scoped.h"

static char *help_of(const char *path, void (*print)(FILE *, const struct cli_command *))
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (print)
		print(out, cli_lookup(path));
	else
		cli_help_print(out, cli_lookup(path), false);
	fclose(out);
	return text;
}

static void a_command_shows_usage_aliases_and_options(void **state)
{
	scoped_free char *text = help_of("warning list", NULL);

	(void)state;
	assert_non_null(strstr(text, "Usage:\n  muster warning list [<remote>:] [flags]\n"));
	assert_non_null(strstr(text, "Aliases:\n  list, ls\n"));
	assert_non_null(strstr(text, "\n  -a, --all       Show resolved"));
	assert_non_null(strstr(text, "(default \"utSscpLl\")"));
	assert_non_null(strstr(text, "Global Flags:\n"));
}

static void a_group_shows_what_is_below_it_only(void **state)
{
	scoped_free char *text = help_of("image", NULL);

	(void)state;
	assert_non_null(strstr(text, "Usage:\n  muster image [command]\n"));
	assert_non_null(strstr(text, "\n  alias          Manage image aliases\n"));
	assert_null(strstr(text, "alias list"));
	assert_null(strstr(text, "launch"));
}

static void the_program_hides_rare_commands(void **state)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	cli_help_print(out, NULL, false);
	fclose(out);
	assert_non_null(strstr(text, "\n  launch "));
	assert_null(strstr(text, "\n  manpage "));
	free(text);
}

static void roff_has_no_stray_markup(void **state)
{
	scoped_free char *text = help_of("exec", cli_help_man);

	(void)state;
	assert_non_null(strstr(text, ".TH \"muster-exec\" 1\n"));
	assert_non_null(strstr(text, "\\fB\\-n\\fR, \\fB\\-\\-disable\\-stdin\\fR\n"));
	assert_null(strstr(text, "\n'"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_command_shows_usage_aliases_and_options),
		cmocka_unit_test(a_group_shows_what_is_below_it_only),
		cmocka_unit_test(the_program_hides_rare_commands),
		cmocka_unit_test(roff_has_no_stray_markup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
