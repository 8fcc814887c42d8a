/* Rows that stand alone: operations, warnings, certificates, tokens, plans, reservations, config.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "db/certificates.h"
#include "db/config.h"
#include "db/operations.h"
#include "db/plans.h"
#include "db/projects.h"
#include "db/reservations.h"
#include "db/tokens.h"
#include "db/warnings.h"
#include "lib/base/strv.h"
#include "tests/kit/db_nodes.h"

static struct db_nodes *nodes;
static struct db *db;

static int start(void **state)
{
	(void)state;
	nodes = db_nodes_start(1);
	db = db_nodes_open_ready(nodes, "test");
	return 0;
}

static int stop(void **state)
{
	(void)state;
	db_free(db);
	db_nodes_stop(nodes);
	return 0;
}

static int live_operation(struct db_tx *tx, void *arg, struct error **err)
{
	struct db_operation op = { .uuid = T("u1"),
		                   .member = T("none"),
		                   .project = T("default"),
		                   .class = T("task"),
		                   .description = T("Creating instance"),
		                   .status = 103,
		                   .created = 1,
		                   .updated = 2,
		                   .requestor = T("{\"username\":\"root\"}") };
	struct db_operation row;
	struct db_operations list;

	(void)arg;
	OK(db_operation_create(tx, &op, err));
	FAILS(-EEXIST, db_operation_create(tx, &op, err));
	op.member = T("m9");
	op.uuid = T("u2");
	FAILS(-ENOENT, db_operation_create(tx, &op, err));
	op.uuid = T("u1");
	op.status = 200;
	op.metadata = T("{\"a\":1}");
	OK(db_operation_update(tx, &op, err));
	OK(db_operation_get(tx, "u1", &row, err));
	assert_int_equal(row.status, 200);
	assert_string_equal(row.metadata, "{\"a\":1}");
	assert_string_equal(row.resources, "{}");
	assert_string_equal(row.project, "default");
	db_operation_done(&row);
	OK(db_operation_list(tx, "default", "none", &list, err));
	assert_int_equal(list.n, 1);
	db_operation_list_done(&list);
	OK(db_operation_list(tx, "other", NULL, &list, err));
	assert_int_equal(list.n, 0);
	OK(db_operation_delete(tx, "u1", err));
	FAILS(-ENOENT, db_operation_delete(tx, "u1", err));
	FAILS(-ENOENT, db_operation_get(tx, "u1", &row, err));
	op.member = T("none");
	op.project = NULL;
	OK(db_operation_create(tx, &op, err));
	OK(db_operation_delete_of(tx, "none", err));
	OK(db_operation_list(tx, NULL, NULL, &list, err));
	assert_int_equal(list.n, 0);
	return 0;
}

static void operations_live(void **state)
{
	(void)state;
	CHECK(db_write(db, live_operation, NULL, &err));
}

static int live_warning(struct db_tx *tx, void *arg, struct error **err)
{
	struct db_warning warning = { .uuid = T("w1"),
		                      .member = T("none"),
		                      .type = T("Offline"),
		                      .severity = DB_WARNING_LOW,
		                      .last_seen = 10,
		                      .message = T("first") };
	struct db_warning row;
	struct db_warnings list;

	(void)arg;
	OK(db_warning_raise(tx, &warning, err));
	warning.uuid = T("w2");
	warning.last_seen = 20;
	warning.message = T("second");
	OK(db_warning_set_status(tx, "w1", DB_WARNING_ACKNOWLEDGED, err));
	OK(db_warning_raise(tx, &warning, err));
	OK(db_warning_get(tx, "w1", &row, err));
	assert_int_equal(row.count, 2);
	assert_int_equal(row.first_seen, 10);
	assert_int_equal(row.last_seen, 20);
	assert_int_equal(row.status, DB_WARNING_ACKNOWLEDGED);
	assert_string_equal(row.message, "second");
	db_warning_done(&row);
	OK(db_warning_resolve(tx, "none", "Offline", NULL, err));
	OK(db_warning_get(tx, "w1", &row, err));
	assert_int_equal(row.status, DB_WARNING_RESOLVED);
	db_warning_done(&row);
	OK(db_warning_raise(tx, &warning, err));
	OK(db_warning_get(tx, "w1", &row, err));
	assert_int_equal(row.status, DB_WARNING_NEW);
	db_warning_done(&row);
	warning.entity_url = T("/1.0/instances/c1");
	OK(db_warning_raise(tx, &warning, err));
	OK(db_warning_list(tx, NULL, &list, err));
	assert_int_equal(list.n, 2);
	db_warning_list_done(&list);
	OK(db_warning_delete(tx, "w1", err));
	FAILS(-ENOENT, db_warning_delete(tx, "w1", err));
	FAILS(-ENOENT, db_warning_set_status(tx, "w1", DB_WARNING_NEW, err));
	return 0;
}

static void warnings_count(void **state)
{
	(void)state;
	CHECK(db_write(db, live_warning, NULL, &err));
}

static int live_certificate(struct db_tx *tx, void *arg, struct error **err)
{
	scoped(strv_freep) char **projects = strv_new("default", NULL);
	struct db_certificate certificate = { .fingerprint = T("ab01"),
		                              .type = DB_CERTIFICATE_CLIENT,
		                              .name = T("me"),
		                              .certificate = T("PEM"),
		                              .restricted = true,
		                              .created = DATE_NONE,
		                              .projects = projects };
	struct db_certificate row;
	struct db_certificates list;
	int64_t id;

	(void)arg;
	OK(db_certificate_create(tx, &certificate, &id, err));
	FAILS(-EEXIST, db_certificate_create(tx, &certificate, &id, err));
	certificate.fingerprint = T("ab02");
	certificate.projects = NULL;
	OK(db_certificate_create(tx, &certificate, &id, err));
	FAILS(-EINVAL, db_certificate_find(tx, "ab", &row, err));
	FAILS(-ENOENT, db_certificate_find(tx, "b", &row, err));
	OK(db_certificate_find(tx, "ab01", &row, err));
	assert_string_equal(row.projects[0], "default");
	strv_add(&row.projects, "none-such");
	FAILS(-ENOENT, db_certificate_update(tx, &row, err));
	strv_remove(row.projects, "none-such");
	strv_remove(row.projects, "default");
	row.restricted = false;
	OK(db_certificate_update(tx, &row, err));
	db_certificate_done(&row);
	OK(db_certificate_list(tx, &list, err));
	assert_int_equal(list.n, 2);
	assert_int_equal(strv_len(list.rows[0].projects), 0);
	assert_false(list.rows[0].restricted);
	OK(db_certificate_delete(tx, list.rows[0].id, err));
	FAILS(-ENOENT, db_certificate_delete(tx, list.rows[0].id, err));
	db_certificate_list_done(&list);
	return 0;
}

static void certificates_live(void **state)
{
	(void)state;
	CHECK(db_write(db, live_certificate, NULL, &err));
}

static int live_token(struct db_tx *tx, void *arg, struct error **err)
{
	struct db_token token = { .uuid = T("t1"),
		                  .kind = DB_TOKEN_JOIN,
		                  .name = T("m2"),
		                  .secret = T("s1"),
		                  .created = 1,
		                  .expires = 100 };
	struct db_token row;
	struct db_tokens list;

	(void)arg;
	OK(db_token_create(tx, &token, err));
	FAILS(-EEXIST, db_token_create(tx, &token, err));
	FAILS(-ENOENT, db_token_use(tx, DB_TOKEN_JOIN, "s1", "m3", 50, &row, err));
	FAILS(-ENOENT, db_token_use(tx, DB_TOKEN_CLIENT, "s1", "m2", 50, &row, err));
	FAILS(-ENOENT, db_token_use(tx, DB_TOKEN_JOIN, "s1", "m2", 100, &row, err));
	OK(db_token_use(tx, DB_TOKEN_JOIN, "s1", "m2", 99, &row, err));
	assert_string_equal(row.uuid, "t1");
	assert_string_equal(row.data, "{}");
	db_token_done(&row);
	FAILS(-ENOENT, db_token_use(tx, DB_TOKEN_JOIN, "s1", NULL, 99, &row, err));
	OK(db_token_create(tx, &token, err));
	OK(db_token_prune(tx, 99, err));
	OK(db_token_get(tx, "t1", &row, err));
	db_token_done(&row);
	OK(db_token_prune(tx, 100, err));
	FAILS(-ENOENT, db_token_get(tx, "t1", &row, err));
	token.expires = DATE_NONE;
	OK(db_token_create(tx, &token, err));
	OK(db_token_prune(tx, INT64_MAX, err));
	OK(db_token_list(tx, DB_TOKEN_JOIN, &list, err));
	assert_int_equal(list.n, 1);
	assert_true(list.rows[0].expires == DATE_NONE);
	db_token_list_done(&list);
	OK(db_token_delete(tx, "t1", err));
	FAILS(-ENOENT, db_token_delete(tx, "t1", err));
	return 0;
}

static void a_token_is_used_once(void **state)
{
	(void)state;
	CHECK(db_write(db, live_token, NULL, &err));
}

static int live_plan(struct db_tx *tx, void *arg, struct error **err)
{
	struct db_plan_step steps[] = {
		{ .project = T("default"),
		  .instance = T("c1"),
		  .source = T("m1"),
		  .target = T("m2"),
		  .mode = T("stop"),
		  .started = DATE_NONE },
		{ .project = T("default"),
		  .instance = T("c2"),
		  .source = T("m1"),
		  .target = T("m3"),
		  .mode = T("migrate"),
		  .started = DATE_NONE },
	};
	struct db_plan plan = {
		.uuid = T("p1"), .kind = T("evacuate"), .member = T("m1"), .state = 1
	};
	struct db_plan row;
	struct db_plan_step step;
	struct db_plans list;
	struct db_plan_steps found;
	int64_t id;
	int64_t term;

	(void)arg;
	OK(db_plan_create(tx, &plan, steps, COUNT_OF(steps), &id, err));
	FAILS(-EEXIST, db_plan_create(tx, &plan, NULL, 0, &id, err));
	OK(db_plan_set_state(tx, id, 1, 2, NULL, err));
	FAILS(-EEXIST, db_plan_set_state(tx, id, 1, 3, "No", err));
	OK(db_plan_set_options(tx, id, "{\"x\":1}", err));
	OK(db_plan_take(tx, id, &term, err));
	OK(db_plan_check_term(tx, id, term, err));
	FAILS(-EEXIST, db_plan_check_term(tx, id, term - 1, err));
	OK(db_plan_get(tx, "p1", &row, err));
	assert_int_equal(row.state, 2);
	assert_string_equal(row.options, "{\"x\":1}");
	assert_string_equal(row.error, "");
	db_plan_done(&row);
	OK(db_plan_list(tx, (const int64_t[]){ 1, 3 }, 2, &list, err));
	assert_int_equal(list.n, 0);
	db_plan_list_done(&list);
	OK(db_plan_list(tx, (const int64_t[]){ 2 }, 1, &list, err));
	assert_int_equal(list.n, 1);
	db_plan_list_done(&list);

	OK(db_plan_step_get(tx, id, 1, &step, err));
	assert_string_equal(step.instance, "c2");
	assert_true(step.started == DATE_NONE);
	step.phase = 4;
	step.attempt = 2;
	OK(db_plan_step_update(tx, &step, 0, err));
	FAILS(-EEXIST, db_plan_step_update(tx, &step, 0, err));
	OK(db_plan_step_progress(tx, step.id, 100, 50, "{\"rate\":1}", err));
	db_plan_step_done(&step);
	OK(db_plan_step_list(tx, id, &found, err));
	assert_int_equal(found.n, 2);
	assert_int_equal(found.rows[1].phase, 4);
	assert_int_equal(found.rows[1].bytes_done, 50);
	assert_string_equal(found.rows[0].detail, "{}");
	db_plan_step_list_done(&found);
	FAILS(-ENOENT, db_plan_step_get(tx, id, 2, &step, err));
	OK(db_plan_prune(tx, 2, 1, err));
	OK(db_plan_prune(tx, 3, 0, err));
	OK(db_plan_delete(tx, id, err));
	FAILS(-ENOENT, db_plan_delete(tx, id, err));
	OK(db_plan_step_list(tx, 0, &found, err));
	assert_int_equal(found.n, 0);
	return 0;
}

static void plans_change_from_what_is_expected(void **state)
{
	(void)state;
	CHECK(db_write(db, live_plan, NULL, &err));
}

static int live_reservation(struct db_tx *tx, void *arg, struct error **err)
{
	struct db_reservation wish = { .member = T("none"),
		                       .project = T("default"),
		                       .instance = T("c1"),
		                       .owner = T("op"),
		                       .memory = 5,
		                       .created = 1,
		                       .expires = 10 };
	struct db_reservations list;
	int64_t id;

	(void)arg;
	OK(db_reservation_create(tx, &wish, &id, err));
	FAILS(-EEXIST, db_reservation_create(tx, &wish, &id, err));
	wish.member = T("m9");
	wish.instance = T("c2");
	FAILS(-ENOENT, db_reservation_create(tx, &wish, &id, err));
	OK(db_reservation_list(tx, &list, err));
	assert_int_equal(list.n, 1);
	assert_int_equal(list.rows[0].memory, 5);
	assert_string_equal(list.rows[0].member, "none");
	OK(db_reservation_delete(tx, list.rows[0].id, err));
	FAILS(-ENOENT, db_reservation_delete(tx, list.rows[0].id, err));
	db_reservation_list_done(&list);
	wish.member = T("none");
	OK(db_reservation_create(tx, &wish, &id, err));
	OK(db_reservation_delete_of(tx, "default", "c2", "another", err));
	FAILS(-EEXIST, db_reservation_create(tx, &wish, &id, err));
	OK(db_reservation_delete_of(tx, "default", "c2", "op", err));
	OK(db_reservation_create(tx, &wish, &id, err));
	OK(db_reservation_delete_by(tx, "op", err));
	OK(db_reservation_create(tx, &wish, &id, err));
	OK(db_reservation_prune(tx, 9, err));
	OK(db_reservation_list(tx, &list, err));
	assert_int_equal(list.n, 1);
	db_reservation_list_done(&list);
	OK(db_reservation_prune(tx, 10, err));
	OK(db_reservation_list(tx, &list, err));
	assert_int_equal(list.n, 0);
	return 0;
}

static void reservations_live(void **state)
{
	(void)state;
	CHECK(db_write(db, live_reservation, NULL, &err));
}

static int live_config(struct db_tx *tx, void *arg, struct error **err)
{
	struct smap config = { 0 };

	(void)arg;
	OK(db_config_set(tx, "core.a", "1", err));
	OK(db_config_set(tx, "core.b", "2", err));
	OK(db_config_set(tx, "core.a", "", err));
	OK(db_config_load(tx, &config, err));
	assert_int_equal(config.n_entries, 1);
	assert_string_equal(smap_get(&config, "core.b"), "2");
	smap_clear(&config);
	smap_set(&config, "core.c", "3");
	OK(db_config_store(tx, &config, err));
	smap_done(&config);
	OK(db_config_load(tx, &config, err));
	assert_int_equal(config.n_entries, 1);
	assert_string_equal(smap_get(&config, "core.c"), "3");
	smap_done(&config);
	return 0;
}

static void config_is_replaced(void **state)
{
	(void)state;
	CHECK(db_write(db, live_config, NULL, &err));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(operations_live),
		cmocka_unit_test(warnings_count),
		cmocka_unit_test(certificates_live),
		cmocka_unit_test(a_token_is_used_once),
		cmocka_unit_test(plans_change_from_what_is_expected),
		cmocka_unit_test(reservations_live),
		cmocka_unit_test(config_is_replaced),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
