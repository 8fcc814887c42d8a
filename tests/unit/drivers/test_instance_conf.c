#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "drivers/instance/instance_conf.h"
#include "lib/base/smap.h"

/* clang-format off */
static const struct {
	const char *key, *value;
	bool good;
} cases[] = {
	{ "boot.autostart", "true", true },              { "boot.autostart", "maybe", false },
	{ "boot.autostart.priority", "-1", true },       { "boot.host_shutdown_timeout", "-1", false },
	{ "cluster.evacuate", "migrate", true },         { "cluster.evacuate", "bogus", false },
	{ "limits.cpu", "2", true },                     { "limits.cpu", "0-1,3", true },
	{ "limits.cpu", "0", false },                    { "limits.memory", "50%", true },
	{ "limits.memory", "512MiB", true },             { "limits.memory", "lots", false },
	{ "limits.processes", "100", true },             { "limits.processes", "0", false },
	{ "limits.kernel.nofile", "1:unlimited", true }, { "limits.kernel.nofile", "a", false },
	{ "limits.cpu.priority", "11", false },          { "user.anything", "a\nb", true },
	{ "environment.A", "b", true },                  { "environment.A", "b\nc", false },
	{ "raw.lxc", "lxc.cap.keep = x", true },         { "raw.lxc", "bogus", false },
	{ "raw.idmap", "both 1000 1000", true },         { "raw.idmap", "both 1000", false },
	{ "security.idmap.size", "auto", true },         { "security.syscalls.deny", "mount", true },
	{ "security.syscalls.deny", "[all]", false },    { "snapshots.expiry", "1d 3H", true },
	{ "snapshots.expiry", "soon", false },           { "volatile.eth0.hwaddr", "00:16:3e:00:00:01", true },
	{ "volatile.eth0.bogus", "1", false },           { "volatile.bogus", "1", false },
	{ "image.os", "x", true },                       { "bogus", "1", false },
	{ "limits.bogus", "1", false },                  { "user.", "1", false },
};
/* clang-format on */

static void values_are_checked(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		scoped(error_freep) struct error *err = NULL;
		int r = instance_conf_validate(INSTANCE_CONF_CLIENT, cases[i].key, cases[i].value,
		                               &err);

		if ((r == 0) != cases[i].good)
			fail_msg("%s=%s: %s", cases[i].key, cases[i].value,
			         err ? err->msg : "taken");
		if (r < 0)
			assert_int_equal(err->status, 400);
	}
}

static void profiles_have_no_memory(void **state)
{
	(void)state;
	scoped(error_freep) struct error *err = NULL, *again = NULL;

	assert_true(instance_conf_validate(INSTANCE_CONF_PROFILE, "volatile.uuid", "x", &err) < 0);
	assert_true(instance_conf_validate(INSTANCE_CONF_PROFILE, "image.os", "x", &again) < 0);
}

static void keys_must_agree(void **state)
{
	(void)state;
	scoped(smap_done) struct smap config = { 0 };
	scoped(error_freep) struct error *err = NULL;

	smap_set(&config, "security.syscalls.allow", "read");
	smap_set(&config, "security.syscalls.deny", "write");
	assert_int_equal(instance_conf_validate_map(INSTANCE_CONF_CLIENT, &config, false, &err), 0);
	assert_true(instance_conf_validate_map(INSTANCE_CONF_CLIENT, &config, true, &err) < 0);
}

static void every_key_is_documented(void **state)
{
	(void)state;
	for (const struct conf_key *key = instance_conf_keys; key->name; key++) {
		if (!key->doc)
			fail_msg("%s", key->name);
		assert_true(key->type != CONF_ENUM || key->choices);
		if (key->fallback && key->type != CONF_STRING) {
			scoped(error_freep) struct error *err = NULL;
			assert_int_equal(conf_validate_value(key, key->name, key->fallback, &err),
			                 0);
		}
	}
}

static void copies_leave_the_memory_behind(void **state)
{
	(void)state;
	assert_true(instance_conf_is_copied("user.a"));
	assert_true(instance_conf_is_copied("volatile.base_image"));
	assert_false(instance_conf_is_copied("volatile.uuid"));
	assert_false(instance_conf_is_copied("volatile.eth0.hwaddr"));
	assert_true(instance_conf_is_live("limits.memory"));
	assert_false(instance_conf_is_live("security.privileged"));
	assert_true(instance_conf_is_limit("limits.cpu"));
	assert_false(instance_conf_is_limit("limits.kernel.nofile"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_checked),
		cmocka_unit_test(profiles_have_no_memory),
		cmocka_unit_test(keys_must_agree),
		cmocka_unit_test(every_key_is_documented),
		cmocka_unit_test(copies_leave_the_memory_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
