#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/failpoint.h"
#include "lib/base/thread.h"

static int work(const char *subject, struct error **err)
{
	return FAILPOINT("test.work", subject, "When work is done", err);
}

static int rest(void)
{
	return FAILPOINT("test.rest", NULL, "When nothing is done", NULL);
}

static void arm(const char *spec)
{
	struct error *err = NULL;

	assert_int_equal(failpoint_arm(spec, &err), 0);
}

static void disarm(void)
{
	arm("");
	assert_false(atomic_load(&failpoint_is_on));
}

static void they_are_listed_by_name(void **state)
{
	const struct failpoint **points = failpoint_list();

	(void)state;
	assert_string_equal(points[0]->name, "test.rest");
	assert_string_equal(points[1]->name, "test.work");
	assert_string_equal(points[1]->text, "When work is done");
	assert_null(points[2]);
	free(points);
}

static void what_is_not_armed_does_nothing(void **state)
{
	struct error *err = NULL;

	(void)state;
	assert_int_equal(work(NULL, &err), 0);
	arm("test.rest=fail");
	assert_int_equal(work(NULL, &err), 0);
	assert_null(err);
	assert_int_equal(rest(), -EIO);
	disarm();
}

static void a_failure_has_a_number_and_a_sentence(void **state)
{
	struct error *err = NULL;

	(void)state;
	arm("test.work=fail:28");
	assert_int_equal(work("a", &err), -ENOSPC);
	assert_string_equal(err->msg, "Failpoint \"test.work\": No space left on device");
	error_free(err);
	disarm();
}

static void a_subject_and_a_count_limit_it(void **state)
{
	struct error *err = NULL;
	size_t n = 0;

	(void)state;
	arm("test.work/b=fail@2,test.rest=off");
	assert_int_equal(work("a", NULL), 0);
	assert_int_equal(work(NULL, NULL), 0);
	assert_int_equal(work("b", NULL), 0);
	assert_int_equal(work("b", NULL), -EIO);
	assert_int_equal(work("b", NULL), 0);
	assert_int_equal(rest(), 0);

	struct failpoint_armed *items = failpoint_armed_list(&n);
	assert_int_equal(n, 2);
	assert_string_equal(items[0].name, "test.work");
	assert_string_equal(items[0].subject, "b");
	assert_int_equal(items[0].n_passed, 3);
	assert_int_equal(items[1].n_passed, 1);
	failpoint_armed_free(items, n);
	(void)err;
	disarm();
}

static void what_is_wrong_changes_nothing(void **state)
{
	static const char *const wrong[] = {
		"test.work",       "test.work=",          "test.work=dance",  "nothing=fail",
		"test.work=fail:", "test.work=fail:x",    "test.work=fail@0", "test.work=stall:-1",
		"=fail",           "test.rest=fail,what",
	};

	(void)state;
	arm("test.rest=fail");
	for (size_t i = 0; i < COUNT_OF(wrong); i++) {
		struct error *err = NULL;

		assert_int_equal(failpoint_arm(wrong[i], &err), -EINVAL);
		assert_int_equal(err->status, 400);
		error_free(err);
		assert_int_equal(rest(), -EIO);
	}
	disarm();
}

static void *stalled(void *arg)
{
	return (void *)(intptr_t)work("stall", arg);
}

static void a_stall_ends_when_it_is_armed_anew(void **state)
{
	pthread_t thread;
	void *result = NULL;

	(void)state;
	arm("test.work=stall");
	assert_int_equal(thread_start(&thread, "stalled", 0, stalled, NULL), 0);
	for (uint64_t n_passed = 0; n_passed == 0;) {
		size_t n = 0;
		struct failpoint_armed *items = failpoint_armed_list(&n);

		n_passed = items[0].n_passed;
		failpoint_armed_free(items, n);
	}
	disarm();
	pthread_join(thread, &result);
	assert_null(result);

	arm("test.work=stall:1");
	assert_int_equal(work(NULL, NULL), 0);
	disarm();
}

static void a_kill_is_one(void **state)
{
	int status = 0;

	(void)state;
	pid_t pid = fork();
	if (pid == 0) {
		arm("test.work=kill");
		(void)work(NULL, NULL);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(they_are_listed_by_name),
		cmocka_unit_test(what_is_not_armed_does_nothing),
		cmocka_unit_test(a_failure_has_a_number_and_a_sentence),
		cmocka_unit_test(a_subject_and_a_count_limit_it),
		cmocka_unit_test(what_is_wrong_changes_nothing),
		cmocka_unit_test(a_stall_ends_when_it_is_armed_anew),
		cmocka_unit_test(a_kill_is_one),
	};

	if (!failpoint_exists())
		return 77;

	return cmocka_run_group_tests(tests, NULL, NULL);
}
