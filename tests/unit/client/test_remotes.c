#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "client/remotes.h"
#include "lib/base/file.h"
#include "lib/base/path.h"
#include "lib/base/tree.h"
#include "lib/data/jv.h"

static char dir[64];

static int set_up(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/muster-remotes.XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	return tree_remove(dir, 0);
}

static void write_file(const char *text)
{
	scoped_free char *path = path_join(dir, "config.yml", NULL);

	assert_int_equal(file_replace(path, text, strlen(text), 0600), 0);
}

static void without_a_file_there_is_the_local_server(void **state)
{
	scoped(remotes_freep) struct remotes *remotes = NULL;
	scoped(error_freep) struct error *err = NULL;

	(void)state;
	assert_int_equal(remotes_load("/nonexistent/muster", &remotes, &err), 0);
	assert_string_equal(remotes_default(remotes), "local");
	assert_string_equal(jv_text(remotes_get(remotes, "local"), "addr"), "unix://");
	assert_null(remotes_get(remotes, "other"));
}

/* A file as lxc writes it, with members that this client knows nothing of. */
static void a_file_of_lxc_is_read_and_kept(void **state)
{
	scoped(remotes_freep) struct remotes *remotes = NULL, *again = NULL;
	scoped(error_freep) struct error *err = NULL;
	struct stat st;
	scoped_free char *path = path_join(dir, "config.yml", NULL);

	(void)state;
	write_file("default-remote: other\n"
	           "remotes:\n"
	           "  other:\n"
	           "    addr: https://10.0.0.1:8443\n"
	           "    auth_type: tls\n"
	           "    project: default\n"
	           "    protocol: lxd\n"
	           "    public: false\n"
	           "aliases:\n"
	           "  login: exec @ARGS@ -- su -l\n"
	           "something: [1, 2]\n");
	assert_int_equal(remotes_load(dir, &remotes, &err), 0);
	assert_string_equal(remotes_default(remotes), "other");
	assert_string_equal(jv_text(remotes_get(remotes, "other"), "addr"),
	                    "https://10.0.0.1:8443");
	assert_string_equal(jv_text(remotes_aliases(remotes), "login"), "exec @ARGS@ -- su -l");

	remotes_set_default(remotes, "local");
	jv_set_string(remotes_get(remotes, "other"), "project", "web");
	assert_int_equal(remotes_save(remotes, &err), 0);
	assert_int_equal(remotes_load(dir, &again, &err), 0);
	assert_string_equal(remotes_default(again), "local");
	assert_string_equal(jv_text(remotes_get(again, "other"), "project"), "web");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);

	scoped_free char *text = NULL;
	assert_int_equal(file_read(path, 65536, &text, NULL), 0);
	assert_non_null(strstr(text, "something:"));
}

static void names_are_split_at_the_first_colon(void **state)
{
	scoped(remotes_freep) struct remotes *remotes = NULL;
	scoped(error_freep) struct error *err = NULL;
	const char *rest;
	char *name;

	(void)state;
	assert_int_equal(remotes_load("/nonexistent/muster", &remotes, &err), 0);
	assert_int_equal(remotes_split(remotes, "c1/s0", &name, &rest, &err), 0);
	assert_string_equal(name, "local");
	assert_string_equal(rest, "c1/s0");
	free(name);
	assert_int_equal(remotes_split(remotes, "local:a:b", &name, &rest, &err), 0);
	assert_string_equal(rest, "a:b");
	free(name);
	assert_true(remotes_split(remotes, "nosuch:c1", &name, &rest, &err) < 0);
	assert_int_equal(err->status, 404);
}

static void a_broken_file_is_an_error(void **state)
{
	static const char *const texts[] = { "remotes: [", "- a\n- b\n", "a: 1\na: 2\n" };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		scoped(remotes_freep) struct remotes *remotes = NULL;
		scoped(error_freep) struct error *err = NULL;

		write_file(texts[i]);
		assert_true(remotes_load(dir, &remotes, &err) < 0);
		assert_non_null(strstr(err->msg, "config.yml"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_file_there_is_the_local_server),
		cmocka_unit_test(a_file_of_lxc_is_read_and_kept),
		cmocka_unit_test(names_are_split_at_the_first_colon),
		cmocka_unit_test(a_broken_file_is_an_error),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
