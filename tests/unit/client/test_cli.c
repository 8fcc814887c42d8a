#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "client/cli.h"

/* Parses words that end with NULL. */
#define PARSE(cli, err, ...) cli_parse((const char *const[]){ __VA_ARGS__, NULL }, cli, err)

static void options_may_stand_anywhere(void **state)
{
	scoped(cli_done) struct cli cli = { 0 };
	scoped(error_freep) struct error *err = NULL;

	(void)state;
	assert_int_equal(PARSE(&cli, &err, "--project", "p", "image", "-q", "alias", "list",
	                       "r:", "-f", "csv", "word"),
	                 0);
	assert_string_equal(cli.command->path, "image alias list");
	assert_string_equal(cli_option(&cli, "project"), "p");
	assert_string_equal(cli_option(&cli, "format"), "csv");
	assert_true(cli_flag(&cli, "quiet"));
	assert_int_equal(cli.n_words, 2);
	assert_string_equal(cli_word(&cli, 0), "r:");
	assert_string_equal(cli_word(&cli, 1), "word");
	assert_null(cli_word(&cli, 2));
}

static void values_come_in_four_forms(void **state)
{
	static const char *const forms[][4] = { { "list", "-f", "csv", NULL },
		                                { "list", "-fcsv", NULL, NULL },
		                                { "list", "-f=csv", NULL, NULL },
		                                { "list", "--format=csv", NULL, NULL } };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(forms); i++) {
		scoped(cli_done) struct cli cli = { 0 };
		scoped(error_freep) struct error *err = NULL;

		assert_int_equal(cli_parse(forms[i], &cli, &err), 0);
		assert_string_equal(cli_option(&cli, "format"), "csv");
		assert_true(cli_given(&cli, "format"));
		assert_int_equal(cli.n_words, 0);
	}
}

static void flags_run_together_and_can_be_taken_back(void **state)
{
	scoped(cli_done) struct cli cli = { 0 };
	scoped(error_freep) struct error *err = NULL;

	(void)state;
	assert_int_equal(PARSE(&cli, &err, "delete", "-qfi", "c1", "--interactive=false"), 0);
	assert_true(cli_flag(&cli, "force"));
	assert_true(cli_flag(&cli, "quiet"));
	assert_false(cli_flag(&cli, "interactive"));
}

static void what_follows_dashes_is_no_option(void **state)
{
	scoped(cli_done) struct cli cli = { 0 };
	scoped(error_freep) struct error *err = NULL;

	(void)state;
	assert_int_equal(PARSE(&cli, &err, "exec", "c1", "-n", "--", "ls", "-la", "--", "x"), 0);
	assert_int_equal(cli.n_words, 5);
	assert_int_equal(cli.n_before_dashes, 1);
	assert_string_equal(cli_word(&cli, 2), "-la");
	assert_string_equal(cli_word(&cli, 3), "--");
	assert_true(cli_flag(&cli, "disable-stdin"));
}

static void lists_keep_every_value(void **state)
{
	scoped(cli_done) struct cli cli = { 0 };
	scoped(error_freep) struct error *err = NULL;

	(void)state;
	assert_int_equal(PARSE(&cli, &err, "launch", "i", "-c", "a=1", "c1", "--config", "b=2"), 0);
	assert_string_equal(cli_list(&cli, "config", 0), "a=1");
	assert_string_equal(cli_list(&cli, "config", 1), "b=2");
	assert_null(cli_list(&cli, "config", 2));
	assert_null(cli_list(&cli, "profile", 0));
}

static void fallbacks_count_until_something_is_given(void **state)
{
	scoped(cli_done) struct cli cli = { 0 };
	scoped(error_freep) struct error *err = NULL;

	(void)state;
	assert_int_equal(PARSE(&cli, &err, "start", "c1"), 0);
	assert_null(cli_option(&cli, "console"));
	assert_false(cli_given(&cli, "console"));
	cli_done(&cli);
	assert_int_equal(PARSE(&cli, &err, "start", "c1", "--console"), 0);
	assert_string_equal(cli_option(&cli, "console"), "console");
	cli_done(&cli);
	assert_int_equal(PARSE(&cli, &err, "stop", "c1"), 0);
	assert_string_equal(cli_option(&cli, "timeout"), "-1");
	assert_false(cli_given(&cli, "timeout"));
}

static void other_names_of_commands_work(void **state)
{
	scoped(cli_done) struct cli cli = { 0 };
	scoped(error_freep) struct error *err = NULL;

	(void)state;
	assert_int_equal(PARSE(&cli, &err, "image", "ls"), 0);
	assert_string_equal(cli.command->path, "image list");
	cli_done(&cli);
	assert_int_equal(PARSE(&cli, &err, "rm", "c1"), 0);
	assert_string_equal(cli.command->path, "delete");
}

static void mistakes_are_named(void **state)
{
	static const struct {
		const char *words[5], *message;
	} cases[] = {
		{ { "foo" }, "unknown command \"foo\" for \"muster\"" },
		{ { "config", "foo" }, "unknown command \"foo\" for \"muster config\"" },
		{ { "list", "--nosuch" }, "unknown flag: --nosuch" },
		{ { "list", "-x" }, "unknown shorthand flag: 'x' in -x" },
		{ { "list", "-f" }, "flag needs an argument: 'f' in -f" },
		{ { "list", "--format" }, "flag needs an argument: --format" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		scoped(cli_done) struct cli cli = { 0 };
		scoped(error_freep) struct error *err = NULL;

		assert_true(cli_parse(cases[i].words, &cli, &err) < 0);
		assert_string_equal(err->msg, cases[i].message);
		assert_int_equal(err->status, 400);
	}
}

static void the_number_of_words_is_checked(void **state)
{
	scoped(cli_done) struct cli cli = { 0 };
	scoped(error_freep) struct error *err = NULL;

	(void)state;
	assert_int_equal(PARSE(&cli, &err, "rename", "a"), 0);
	assert_false(cli_words_fit(&cli));
	cli_done(&cli);
	assert_int_equal(PARSE(&cli, &err, "rename", "a", "b"), 0);
	assert_true(cli_words_fit(&cli));
	cli_done(&cli);
	assert_int_equal(PARSE(&cli, &err, "rename", "a", "b", "c"), 0);
	assert_false(cli_words_fit(&cli));
}

static void nothing_at_all_is_no_mistake(void **state)
{
	scoped(cli_done) struct cli cli = { 0 };
	scoped(error_freep) struct error *err = NULL;

	(void)state;
	assert_int_equal(PARSE(&cli, &err, "--version"), 0);
	assert_null(cli.command);
	assert_true(cli_flag(&cli, "version"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_may_stand_anywhere),
		cmocka_unit_test(values_come_in_four_forms),
		cmocka_unit_test(flags_run_together_and_can_be_taken_back),
		cmocka_unit_test(what_follows_dashes_is_no_option),
		cmocka_unit_test(lists_keep_every_value),
		cmocka_unit_test(fallbacks_count_until_something_is_given),
		cmocka_unit_test(other_names_of_commands_work),
		cmocka_unit_test(mistakes_are_named),
		cmocka_unit_test(the_number_of_words_is_checked),
		cmocka_unit_test(nothing_at_all_is_no_mistake),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
