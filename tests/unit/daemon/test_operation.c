#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/core/access.h"
#include "daemon/core/event.h"
#include "daemon/core/operation.h"
#include "daemon/core/state.h"
#include "lib/base/cancel.h"
#include "lib/base/date.h"
#include "lib/base/loop.h"
#include "lib/base/worker.h"
#include "lib/data/jv.h"

/* A state with what operations need: no cluster, no database. */
static int make(void **state)
{
	struct state *s = calloc(1, sizeof(*s));

	s->loop = loop_new("loop");
	s->jobs = worker_new("job", 4, 0);
	s->events = event_hub_new(s);
	s->operations = operation_table_new(s);
	*state = s;
	return 0;
}

static int unmake(void **state)
{
	struct state *s = *state;

	operation_drain(s, 10U * 1000000000U);
	worker_free(s->jobs);
	event_hub_free(s->events);
	loop_free(s->loop);
	operation_table_free(s->operations);
	free(s);
	return 0;
}

static int succeed(struct operation *op, void *arg, struct error **err)
{
	(void)err;
	operation_progress(op, "fs", "50%");
	*(int *)arg += 1;
	return 0;
}

static int break_down(struct operation *op, void *arg, struct error **err)
{
	(void)op;
	(void)arg;
	return error_set(err, 409, "No luck");
}

static int hang(struct operation *op, void *arg, struct error **err)
{
	(void)arg;
	return error_set_errno(err, cancel_wait(operation_cancel_token(op), DEADLINE_NEVER),
	                       "Stopped");
}

static struct operation *start(struct state *s, operation_run *run, void *arg, const char *conflict)
{
	scoped(error_freep) struct error *err = NULL;
	const struct operation_spec spec = {
		.project = "p",
		.description = "Testing",
		.conflict = conflict,
		.run = run,
		.arg = arg,
	};
	struct operation *op;

	assert_int_equal(operation_new(s, &spec, &op, &err), 0);
	assert_int_equal(operation_start(op, &err), 0);
	return op;
}

static void success_is_told(void **state)
{
	int n = 0;
	scoped(operation_unrefp) struct operation *op = start(*state, succeed, &n, NULL);

	operation_wait(op);
	assert_int_equal(n, 1);
	assert_int_equal(operation_status(op), OPERATION_SUCCESS);

	scoped(jv_unrefp) struct json_object *json = operation_json(op, false);

	assert_string_equal(jv_text(json, "status"), "Success");
	assert_string_equal(jv_text(jv_member(json, "metadata"), "fs_progress"), "50%");
	assert_int_equal(operation_member_id(operation_id(op)), 1);
}

static void failure_keeps_its_sentence(void **state)
{
	scoped(operation_unrefp) struct operation *op = start(*state, break_down, NULL, NULL);

	operation_wait(op);

	scoped(error_freep) struct error *err = operation_error(op);

	assert_int_equal(operation_status(op), OPERATION_FAILURE);
	assert_string_equal(err->msg, "No luck");
	assert_int_equal(err->status, 409);
}

static void a_cancel_ends_it(void **state)
{
	scoped(operation_unrefp) struct operation *op = start(*state, hang, NULL, NULL);
	scoped(error_freep) struct error *err = NULL;

	assert_int_equal(operation_cancel(op, &err), 0);
	operation_wait(op);
	assert_int_equal(operation_status(op), OPERATION_CANCELLED);
	assert_true(operation_cancel(op, &err) < 0);
}

static void count_free(void *arg)
{
	int *n = arg;

	(*n)++;
}

static void conflicts_are_refused_while_one_runs(void **state)
{
	scoped(error_freep) struct error *err = NULL;
	int n_freed = 0;
	const struct operation_spec spec = { .description = "B",
		                             .conflict = "x",
		                             .run = break_down,
		                             .free_arg = count_free,
		                             .arg = &n_freed };
	struct operation *op = start(*state, hang, NULL, "x"), *other = NULL;

	assert_int_equal(operation_new(*state, &spec, &other, &err), -EEXIST);
	assert_int_equal(err->status, 409);
	assert_int_equal(n_freed, 1);
	error_free(TAKE_PTR(err));
	assert_int_equal(operation_cancel(op, &err), 0);
	operation_wait(op);
	operation_drain(*state, 10U * 1000000000U);
	assert_int_equal(operation_new(*state, &spec, &other, &err), 0);
	assert_true(operation_run_here(other, &err) < 0);
	assert_string_equal(err->msg, "No luck");
	operation_unref(other);
	operation_unref(op);
	assert_int_equal(n_freed, 2);
}

static void count_end(struct operation *op, void *arg)
{
	(void)op;
	*(int *)arg += 1;
}

static void those_who_wait_are_called_once(void **state)
{
	struct operation *op = start(*state, hang, NULL, NULL);
	scoped(error_freep) struct error *err = NULL;
	int n = 0, taken_back = 0;
	uint64_t id = operation_on_end(op, count_end, &taken_back);

	operation_on_end(op, count_end, &n);
	assert_true(operation_on_end_cancel(op, id));
	assert_false(operation_on_end_cancel(op, id));
	operation_cancel(op, &err);
	operation_drain(*state, 10U * 1000000000U);
	worker_drain(((struct state *)*state)->jobs, DEADLINE_NEVER);
	assert_int_equal(n, 1);
	assert_int_equal(taken_back, 0);
	operation_on_end(op, count_end, &n);
	assert_int_equal(n, 2);
	operation_unref(op);
}

static int go_on(struct operation *op, void *arg, struct error **err)
{
	(void)op;
	(void)arg;
	(void)err;
	return OPERATION_GOES_ON;
}

static void release(void *arg)
{
	*(int *)arg += 1;
}

static void ignore_connection(struct operation *op, const char *name, struct stream *stream,
                              void *arg)
{
	(void)op;
	(void)name;
	(void)stream;
	(void)arg;
}

/* With a 'run' that returns, and without any, for those that wait for their connections. */
static void those_that_go_on_hold_no_thread(void **state)
{
	for (unsigned i = 0; i < 2; i++) {
		scoped(error_freep) struct error *err = NULL;
		struct error *end = NULL;
		int n = 0;
		const struct operation_spec spec = {
			.description = "Going on",
			.class = i == 0 ? OPERATION_TASK : OPERATION_WEBSOCKET,
			.run = i == 0 ? go_on : NULL,
			.connect = i == 0 ? NULL : ignore_connection,
			.free_arg = release,
			.arg = &n,
		};
		struct operation *op;

		assert_int_equal(operation_new(*state, &spec, &op, &err), 0);
		assert_int_equal(operation_start(op, &err), 0);
		worker_drain(((struct state *)*state)->jobs, DEADLINE_NEVER);
		assert_int_equal(operation_status(op), OPERATION_RUNNING);
		assert_int_equal(operation_count(*state), 1);

		int r = i == 0 ? 0 : error_set(&end, 400, "No luck");
		operation_finish(op, r, end);
		assert_int_equal(n, 1);
		assert_int_equal(operation_status(op),
		                 i == 0 ? OPERATION_SUCCESS : OPERATION_FAILURE);
		assert_int_equal(operation_count(*state), 0);
		operation_unref(op);
		worker_free(((struct state *)*state)->jobs);
		((struct state *)*state)->jobs = worker_new("job", 4, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(success_is_told, make, unmake),
		cmocka_unit_test_setup_teardown(failure_keeps_its_sentence, make, unmake),
		cmocka_unit_test_setup_teardown(a_cancel_ends_it, make, unmake),
		cmocka_unit_test_setup_teardown(conflicts_are_refused_while_one_runs, make, unmake),
		cmocka_unit_test_setup_teardown(those_who_wait_are_called_once, make, unmake),
		cmocka_unit_test_setup_teardown(those_that_go_on_hold_no_thread, make, unmake),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
