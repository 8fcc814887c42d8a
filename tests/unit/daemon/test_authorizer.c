#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/auth/authorizer.h"
#include "daemon/core/access.h"
#include "lib/base/strv.h"

static int check(const struct requestor *who, const char *entity, const char *entitlement,
                 const char *project)
{
	scoped(error_freep) struct error *err = NULL;

	int r = authorizer_check(who, entity, entitlement, project, &err);
	if (r < 0)
		assert_int_equal(err->status, 403);

	return r == 0;
}

static void administrators_may_everything(void **state)
{
	struct requestor *admin = access_new(REQUESTOR_ADMIN, "root", "unix", "@");

	(void)state;
	assert_true(check(admin, "server", "can_edit", NULL));
	assert_true(check(admin, "instance", "can_delete", "any"));
	assert_true(check(access_daemon(), "server", "can_edit", NULL));
	access_unref(admin);
}

static void guests_and_metrics_may_nothing(void **state)
{
	struct requestor *guest = access_new(REQUESTOR_GUEST, "", "tls", "");
	struct requestor *metrics = access_new(REQUESTOR_METRICS, "f", "tls", "");

	(void)state;
	assert_false(check(guest, "image", "can_view", "default"));
	assert_false(check(guest, "unheard_of", "can_view", "default"));
	assert_false(check(metrics, "server", "can_edit", NULL));
	assert_false(check(metrics, "instance", "can_view", "default"));
	access_unref(guest);
	access_unref(metrics);
}

static void restricted_clients_stay_in_their_projects(void **state)
{
	struct requestor *who = access_new(REQUESTOR_CLIENT, "f", "tls", "");

	(void)state;
	who->is_restricted = true;
	who->projects = strv_new("mine", NULL);
	assert_true(check(who, "instance", "can_delete", "mine"));
	assert_true(check(who, "project", "can_view", "mine"));
	assert_true(check(who, "project", "can_create_instances", "mine"));
	assert_true(check(who, "storage_pool", "can_view", NULL));
	assert_false(check(who, "project", "can_edit", "mine"));
	assert_false(check(who, "project", "can_delete", "mine"));
	assert_false(check(who, "project", "can_view", "other"));
	assert_false(check(who, "instance", "can_view", "other"));
	assert_false(check(who, "instance", "can_view", NULL));
	assert_false(check(who, "storage_pool", "can_edit", NULL));
	assert_false(check(who, "server", "can_edit", NULL));
	assert_false(check(who, "unheard_of", "can_view", "mine"));
	assert_true(access_may_enter(who, "mine"));
	assert_false(access_may_enter(who, "default"));
	assert_false(access_is_admin(who));
	access_unref(who);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(administrators_may_everything),
		cmocka_unit_test(guests_and_metrics_may_nothing),
		cmocka_unit_test(restricted_clients_stay_in_their_projects),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
