#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/base/macro.h"
#include "lib/linux/cgroup.h"

static const char v1_mounts[] =
	"30 25 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n"
	"31 30 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
	"32 30 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
	"33 30 0:29 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n"
	"34 30 0:30 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
	"35 25 8:1 / /home rw - ext4 /dev/sda1 rw\n";
static const char v1_init[] =
	"5:name=systemd:/init.scope\n3:memory:/member\n2:cpu,cpuacct:/\n0::/init.scope\n";

static void controllers_are_found(void **state)
{
	(void)state;
	scoped(cgroup_freep) struct cgroup *cg = NULL;

	assert_int_equal(cgroup_parse(v1_mounts, v1_init, &cg), 0);
	assert_true(cgroup_has(cg, CGROUP_CPU));
	assert_true(cgroup_has(cg, CGROUP_CPUACCT));
	assert_true(cgroup_has(cg, CGROUP_MEMORY));
	assert_false(cgroup_has(cg, CGROUP_PIDS));
	assert_false(cgroup_is_v2(cg, CGROUP_MEMORY));
	scoped_free char *cpu = cgroup_path(cg, CGROUP_CPU, "a/b");
	assert_string_equal(cpu, "/sys/fs/cgroup/cpu,cpuacct/a/b");
	scoped_free char *memory = cgroup_path(cg, CGROUP_MEMORY, "a");
	assert_string_equal(memory, "/sys/fs/cgroup/memory/member/a");
	assert_null(cgroup_path(cg, CGROUP_PIDS, "a"));
}

static void init_outside_our_namespace_is_the_root(void **state)
{
	(void)state;
	scoped(cgroup_freep) struct cgroup *cg = NULL;

	assert_int_equal(cgroup_parse("34 30 0:30 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
	                              "0::/../..\n", &cg),
	                 0);
	assert_true(cgroup_has(cg, CGROUP_FREEZER));
	scoped_free char *path = cgroup_path(cg, CGROUP_FREEZER, "a");
	assert_string_equal(path, "/sys/fs/cgroup/a");
}

static void odd_texts_do_no_harm(void **state)
{
	(void)state;
	static const char *const texts[] = { "",
		                             "\n\n",
		                             "1 2 3",
		                             "- cgroup cgroup",
		                             "1 2 3 / /x rw - cgroup",
		                             "1 2 3 / /x rw - cgroup c rw,bogus" };

	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		scoped(cgroup_freep) struct cgroup *cg = NULL;
		assert_int_equal(cgroup_parse(texts[i], v1_init, &cg), -EOPNOTSUPP);
		assert_int_equal(cgroup_parse(v1_mounts, "::::\n:\nabc", &cg), -EOPNOTSUPP);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(controllers_are_found),
		cmocka_unit_test(init_outside_our_namespace_is_the_root),
		cmocka_unit_test(odd_texts_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
