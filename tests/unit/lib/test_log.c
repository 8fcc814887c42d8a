#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/base/scoped.h"

static void lines_hold_level_text_and_context(void **state)
{
	(void)state;
	char path[] = "/tmp/muster-log-XXXXXX";
	scoped_fd int fd = mkstemp(path);
	scoped_free char *text = NULL;

	assert_true(fd >= 0);
	assert_int_equal(log_open(path), 0);
	log_set_level(LOG_LEVEL_INFO);
	log_debug("not shown");
	log_info("Starting %d\nthings", 2);
	log_warn_kv("Late", "member", "node 1", "project", "default");
	assert_int_equal(log_reopen(), 0);
	assert_int_equal(log_open(NULL), 0);

	assert_int_equal(file_read(path, 10000, &text, NULL), 0);
	unlink(path);
	assert_null(strstr(text, "not shown"));
	assert_non_null(strstr(text, " info    Starting 2\\nthings\n"));
	assert_non_null(strstr(text, " warning Late member=\"node 1\" project=default\n"));
}

static void keep(const struct log_message *m, void *arg)
{
	(*(int *)arg)++;
	assert_int_equal(m->n_pairs, 1);
	assert_string_equal(m->pairs[0].key, "k");
	log_error_kv("Within", "k", "v"); /* Does not come back. */
}

static void the_sink_sees_its_own_level(void **state)
{
	(void)state;
	int n = 0;

	assert_int_equal(log_open("/dev/null"), 0);
	log_set_level(LOG_LEVEL_ERROR);
	log_set_sink(LOG_LEVEL_DEBUG, keep, &n);
	log_debug_kv("Seen", "k", "v");
	assert_int_equal(n, 1);
	log_set_sink(LOG_LEVEL_DEBUG, NULL, NULL);
	log_debug_kv("Not seen", "k", "v");
	assert_int_equal(n, 1);
	assert_int_equal(log_open(NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_hold_level_text_and_context),
		cmocka_unit_test(the_sink_sees_its_own_level),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
