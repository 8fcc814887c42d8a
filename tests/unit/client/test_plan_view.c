#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/plan_view.h"
#include "lib/data/jv.h"
#include "lib/data/jv_parse.h"

static const char plan_text[] =
	"{\"uuid\":\"\",\"kind\":\"evacuate\",\"member\":\"m1\",\"state\":\"planned\",\"seconds\":2,\"steps\":["
	"{\"ordinal\":0,\"instance\":\"c1\",\"project\":\"default\",\"from\":\"m1\",\"to\":\"m2\","
	"\"mode\":\"migrate\",\"phase\":\"planned\",\"bytes\":1572864,\"seconds\":1.5,"
	"\"downtime_ms\":900,\"depends_on\":[],\"reason\":\"fewest instances\","
	"\"rejected\":[{\"member\":\"m3\",\"reason\":\"group web is there\"}]},"
	"{\"ordinal\":1,\"instance\":\"db\",\"project\":\"web\",\"from\":\"m1\",\"to\":\"\","
	"\"mode\":\"stop\",\"phase\":\"planned\",\"bytes\":0,\"seconds\":0,\"downtime_ms\":0,"
	"\"depends_on\":[0],\"reason\":\"cluster.evacuate is stop\",\"rejected\":[]},"
	"{\"ordinal\":2,\"instance\":\"lone\",\"project\":\"default\",\"from\":\"m1\",\"to\":\"\","
	"\"mode\":\"stay\",\"phase\":\"planned\",\"reason\":\"no place\","
	"\"rejected\":[{\"member\":\"m2\",\"reason\":\"pool is not there\"}]}],"
	"\"unplaced\":[\"lone\",{\"instance\":\"big\",\"project\":\"default\",\"reason\":\"fits nowhere\","
	"\"rejected\":[{\"member\":\"m2\",\"reason\":\"too little memory\"}]}]}";

static struct json_object *parse(const char *text)
{
	scoped(error_freep) struct error *err = NULL;
	struct json_object *o = NULL;

	assert_int_equal(jv_parse(text, strlen(text), &o, &err), 0);
	return o;
}

static void a_plan_shows_steps_and_reasons(void **state)
{
	scoped(jv_unrefp) struct json_object *plan = parse(plan_text);
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	plan_view_print(plan, out);
	fclose(out);
	assert_string_equal(
		text,
		"Plan to evacuate m1: 4 instances, 1 to move, 1 to stop, 2 without a place; 1.50MiB to "
		"copy; about 2.0s\n"
		"+----------+----------+---------+---------+---------+------+----------+\n"
		"| INSTANCE |  ROUTE   |  MODE   |  PHASE  |  SIZE   | TIME | DOWNTIME |\n"
		"+----------+----------+---------+---------+---------+------+----------+\n"
		"| c1       | m1 -> m2 | migrate | planned | 1.50MiB | 1.5s | 900ms    |\n"
		"+----------+----------+---------+---------+---------+------+----------+\n"
		"| db (web) | m1       | stop    | planned |         |      |          |\n"
		"+----------+----------+---------+---------+---------+------+----------+\n"
		"| lone     | m1       | stay    | planned |         |      |          |\n"
		"+----------+----------+---------+---------+---------+------+----------+\n"
		"\n"
		"c1: m1 -> m2\n"
		"  m2: fewest instances\n"
		"  not m3: group web is there\n"
		"\n"
		"db (web): m1\n"
		"  stop: cluster.evacuate is stop\n"
		"  after step 0\n"
		"\n"
		"lone: no place\n"
		"  stay: no place\n"
		"  not m2: pool is not there\n"
		"\n"
		"big: no place\n"
		"  fits nowhere\n"
		"  not m2: too little memory\n");
	free(text);
}

/* The metadata of a running operation, with the phase of its first step. */
static struct json_object *metadata_with(struct json_object *plan, const char *phase)
{
	struct json_object *m = jv_object(), *counts = jv_object(), *copy = jv_copy(plan);

	jv_set_take(m, "plan", copy);
	jv_set_take(m, "counts", counts);
	jv_set_int(counts, "total", 2);
	jv_set_int(counts, "done", strcmp(phase, "cleaned") == 0);
	jv_set_string(jv_item(jv_member(copy, "steps"), 0), "phase", phase);
	return m;
}

static void a_pipe_gets_a_line_for_each_change(void **state)
{
	static const char *const phases[] = { "planned", "reserved", "reserved", "committed",
		                              "cleaned" };
	scoped(jv_unrefp) struct json_object *plan = parse(plan_text), *last = NULL;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	struct plan_view *view = plan_view_new(out, false);

	(void)state;
	for (size_t i = 0; i < COUNT_OF(phases); i++) {
		scoped(jv_unrefp) struct json_object *m = metadata_with(plan, phases[i]);

		plan_view_update(view, m, 80, 24);
	}
	last = metadata_with(plan, "cleaned");
	plan_view_finish(view, last, 2.25);
	plan_view_free(view);
	fclose(out);
	assert_string_equal(text, "c1        m1 -> m2      migrate         reserved\n"
	                          "c1        m1 -> m2      migrate         committed\n"
	                          "c1        m1 -> m2      migrate         cleaned\n"
	                          "1 of 2 done in 2.2s\n");
	free(text);
}

static void a_terminal_is_drawn_again_in_place(void **state)
{
	scoped(jv_unrefp) struct json_object *plan = parse(plan_text);
	scoped(jv_unrefp) struct json_object *first = metadata_with(plan, "reserved");
	scoped(jv_unrefp) struct json_object *second = metadata_with(plan, "copied");
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	struct plan_view *view = plan_view_new(out, true);
	struct json_object *step;

	(void)state;
	jv_set_int(jv_item(jv_member(jv_member(second, "plan"), "steps"), 0), "rate", 1048576);
	plan_view_update(view, first, 80, 24);
	plan_view_update(view, second, 80, 24);
	step = jv_item(jv_member(jv_member(second, "plan"), "steps"), 0);
	jv_set_int(step, "bytes_done", 524288);
	jv_set_double(step, "eta", 1);
	jv_set_int(jv_member(second, "plan"), "bytes", 1572864);
	jv_set_int(jv_member(second, "plan"), "bytes_done", 524288);
	jv_set_int(jv_member(second, "plan"), "eta_seconds", 2);
	plan_view_update(view, second, 100, 24);
	plan_view_free(view);
	fclose(out);
	/* Three steps and the totals: four lines up. */
	assert_non_null(strstr(text, "\033[4A"));
	assert_non_null(strstr(text, "copied     1.50MiB, 1.00MiB/s\033[K\n"));
	assert_non_null(strstr(text, "0 of 2 done\033[K\n"));
	assert_non_null(
		strstr(text, "copied     512.00KiB of 1.50MiB, 1.00MiB/s, 1.0s left\033[K\n"));
	assert_non_null(strstr(text, "0 of 2 done, 512.00KiB of 1.50MiB, about 2.0s left\033[K\n"));
	free(text);
}

static void a_small_terminal_shows_what_is_at_work(void **state)
{
	scoped(jv_unrefp) struct json_object *m = jv_object();
	struct json_object *plan = jv_object(), *steps = jv_array();
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	struct plan_view *view = plan_view_new(out, true);

	(void)state;
	jv_set_take(m, "plan", plan);
	jv_set_take(plan, "steps", steps);
	for (int i = 0; i < 20; i++) {
		struct json_object *s = jv_object();

		jv_set_stringf(s, "instance", "c%d", i);
		jv_set_string(s, "from", "m1");
		jv_set_string(s, "to", "m2");
		jv_set_string(s, "mode", "migrate");
		jv_set_string(s, "phase", i == 17 ? "copied" : "planned");
		jv_add_take(steps, s);
	}
	plan_view_update(view, m, 40, 6);
	plan_view_free(view);
	fclose(out);
	assert_non_null(strstr(text, "c17"));
	assert_null(strstr(text, "c16"));
	free(text);
}

static void servers_without_plans_have_their_text_shown(void **state)
{
	scoped(jv_unrefp) struct json_object *m = jv_object();
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	struct plan_view *view = plan_view_new(out, false);

	(void)state;
	plan_view_update(view, m, 80, 24);
	jv_set_string(m, "evacuation_progress", "Stopping \"c1\"");
	plan_view_update(view, m, 80, 24);
	plan_view_update(view, m, 80, 24);
	plan_view_finish(view, m, 1);
	plan_view_free(view);
	fclose(out);
	assert_string_equal(text, "Stopping \"c1\"\n");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_plan_shows_steps_and_reasons),
		cmocka_unit_test(a_pipe_gets_a_line_for_each_change),
		cmocka_unit_test(a_terminal_is_drawn_again_in_place),
		cmocka_unit_test(a_small_terminal_shows_what_is_at_work),
		cmocka_unit_test(servers_without_plans_have_their_text_shown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
