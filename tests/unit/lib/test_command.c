#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/alloc.h"
#include "lib/base/command.h"
#include "lib/base/fd.h"
#include "lib/base/thread.h"

static void output_and_status_are_kept(void **state)
{
	(void)state;
	const char *const argv[] = { "sh", "-c", "cat; echo oops >&2; exit 3", NULL };
	scoped(command_done) struct command c = { .argv = argv, .input = "hello", .input_size = 5 };

	assert_int_equal(command_run(&c), 0);
	assert_int_equal(c.status, 3);
	assert_string_equal(c.output, "hello");
	assert_string_equal(c.errors, "oops\n");

	scoped(error_freep) struct error *err = NULL;
	assert_int_equal(command_check(&c, &err), -EIO);
	assert_string_equal(err->msg, "Failed running \"sh\": exit status 3 (oops)");
}

static void an_absent_program_is_reported(void **state)
{
	(void)state;
	const char *const argv[] = { "no-such-program", NULL };
	struct command c = { .argv = argv };

	assert_int_equal(command_run(&c), -ENOENT);
	assert_false(command_exists("no-such-program"));
	assert_true(command_exists("sh"));
}

static void a_deadline_kills_the_whole_group(void **state)
{
	(void)state;
	const char *const argv[] = { "sh", "-c", "sleep 60 & sleep 60", NULL };
	struct command c = { .argv = argv, .timeout_ms = 50 };

	assert_int_equal(command_run(&c), -ETIMEDOUT);
	assert_int_equal(c.status, 128 + SIGKILL);
}

static void *cancel_soon(void *arg)
{
	cancel_fire(arg);
	return NULL;
}

static void cancelling_kills(void **state)
{
	(void)state;
	scoped(cancel_unrefp) struct cancel *cancel = cancel_new(NULL);
	const char *const argv[] = { "sleep", "60", NULL };
	struct command c = { .argv = argv, .cancel = cancel };
	pthread_t thread;

	assert_int_equal(thread_start(&thread, "cancel", 0, cancel_soon, cancel), 0);
	assert_int_equal(command_run(&c), -ECANCELED);
	pthread_join(thread, NULL);
	assert_int_equal(command_run(&c), -ECANCELED);
}

static void too_much_output_kills(void **state)
{
	(void)state;
	const char *const argv[] = { "yes", NULL };
	scoped(command_done) struct command c = { .argv = argv, .max_output = 10000 };

	assert_int_equal(command_run(&c), -EFBIG);
}

static void much_data_goes_through(void **state)
{
	(void)state;
	const char *const argv[] = { "cat", NULL };
	size_t size = 900 * 1000;
	scoped_free char *data = xmalloc(size);
	memset(data, 'x', size);
	scoped(command_done) struct command c = { .argv = argv, .input = data, .input_size = size };

	assert_int_equal(command_run(&c), 0);
	assert_int_equal(c.output_size, size);
	assert_memory_equal(c.output, data, size);
}

static void only_named_fds_and_variables_are_inherited(void **state)
{
	(void)state;
	int pipe_ends[2];
	assert_int_equal(fd_pipe(pipe_ends), 0);
	scoped_fd int in = pipe_ends[0];
	scoped_fd int out = pipe_ends[1];
	scoped_fd int leak = open("/dev/null", O_RDONLY); /* Not closed on exec. */
	const int fds[] = { out, in };
	const char *const argv[] = { "sh", "-c", "ls /proc/$$/fd; echo $SECRET; pwd; echo x >&3",
		                     NULL };
	scoped(command_done) struct command c = {
		.argv = argv,
		.fds = fds,
		.n_fds = 2,
		.cwd = "/usr",
	};

	assert_true(leak >= 0);
	setenv("SECRET", "secret", 1);
	assert_int_equal(command_run(&c), 0);
	assert_string_equal(c.output, "0\n1\n2\n3\n4\n\n/usr\n");
	char got[2];
	assert_int_equal(read(in, got, 2), 2);
}

static void starting_does_not_wait(void **state)
{
	(void)state;
	const char *const argv[] = { "sh", "-c", "exit 7", NULL };
	const struct command c = { .argv = argv };
	pid_t pid;
	int status;

	assert_int_equal(command_start(&c, &pid), 0);
	assert_int_equal(command_wait(pid, &status), 0);
	assert_int_equal(status, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(output_and_status_are_kept),
		cmocka_unit_test(an_absent_program_is_reported),
		cmocka_unit_test(a_deadline_kills_the_whole_group),
		cmocka_unit_test(cancelling_kills),
		cmocka_unit_test(too_much_output_kills),
		cmocka_unit_test(much_data_goes_through),
		cmocka_unit_test(only_named_fds_and_variables_are_inherited),
		cmocka_unit_test(starting_does_not_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
