#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "drivers/instance/ct/ct_config.h"
#include "drivers/instance/instance_driver.h"
#include "lib/base/alloc.h"
#include "lib/base/file.h"
#include "lib/base/smap.h"
#include "lib/base/str.h"
#include "lib/linux/idmap.h"

/*
 * Golden files: what must come out is in tests/golden/ct_config. GOLDEN_UPDATE=1 rewrites them.
 */

static struct idmap_entry entries[] = {
	{ .is_uid = true, .host_id = 1000000, .range = 65536 },
	{ .is_gid = true, .host_id = 2000000, .range = 65536 },
};
static const struct idmap map = { entries, 2 };

static struct run_mount mounts[] = {
	{ .source = (char *)"/srv/a b",
	  .target = (char *)"mnt/c#d",
	  .is_readonly = true,
	  .is_recursive = true,
	  .shift = true },
	{ .source = (char *)"/etc/hosts",
	  .target = (char *)"etc/hosts",
	  .is_file = true,
	  .is_optional = true,
	  .propagation = (char *)"rslave" },
};
static struct run_link links[] = {
	{ .kind = RUN_LINK_BRIDGED,
	  .parent = (char *)"br0",
	  .host_name = (char *)"veth1",
	  .name = (char *)"eth0",
	  .hwaddr = (char *)"00:16:3e:00:00:01",
	  .mtu = 1400 },
	{ .kind = RUN_LINK_P2P,
	  .host_name = (char *)"veth2",
	  .name = (char *)"eth1",
	  .hwaddr = (char *)"00:16:3e:00:00:02" },
};
static const struct run_config disks = { .mounts = mounts, .n_mounts = 2 };
static const struct run_config nics = { .links = links, .n_links = 2 };
static const struct run_config *const devices[] = { &disks, &nics };

static const char *const bind_paths[] = { "/sys/kernel/security", NULL };

static struct ct_config_host host_of(bool is_v2)
{
	struct ct_config_host host = { .payload_group = "muster.payload.t",
		                       .monitor_group = "muster.monitor.t",
		                       .pivot_group = "muster.pivot.t",
		                       .bind_paths = bind_paths,
		                       .limits.memory_total = UINT64_C(1) << 30 };

	for (int c = 0; c < N_CGROUP_CONTROLLERS; c++) {
		host.limits.has[c] = true;
		host.limits.is_v2[c] = is_v2;
	}
	return host;
}

static struct instance_spec spec_of(const struct smap *config)
{
	return (struct instance_spec){ .project = "default",
		                       .name = "c1",
		                       .id = "c1",
		                       .config = config,
		                       .rootfs_path = "/pool/c1/rootfs",
		                       .rootfs_shift = ROOTFS_SHIFT_IDMAPPED,
		                       .idmap = &map,
		                       .devices = devices,
		                       .run_dir = "/run/c1",
		                       .log_dir = "/logs/c1" };
}

static void check_golden(const char *name, const struct strbuf *text)
{
	const char *root = getenv("GOLDEN");
	scoped_free char *path =
		xasprintf("%s/ct_config/%s.conf", root ? root : "tests/golden", name);
	scoped_free char *expected = NULL;

	if (getenv("GOLDEN_UPDATE"))
		file_replace(path, text->text, text->size, 0644);
	assert_int_equal(file_read(path, 1 << 20, &expected, NULL), 0);
	assert_string_equal(strbuf_text(text), expected);
}

static void unprivileged_with_everything(void **state)
{
	(void)state;
	scoped(smap_done) struct smap config = { 0 };
	scoped(strbuf_done) struct strbuf text = { 0 };
	scoped(error_freep) struct error *err = NULL;
	struct ct_config_host host = host_of(false);
	struct instance_spec spec = spec_of(&config);

	smap_set(&config, "environment.FOO", "a \"b\" = c");
	smap_set(&config, "limits.kernel.nofile", "1000:2000");
	smap_set(&config, "linux.sysctl.net.ipv4.ip_forward", "1");
	smap_set(&config, "limits.memory", "50%");
	smap_set(&config, "limits.processes", "50");
	smap_set(&config, "security.nesting", "true");
	smap_set(&config, "raw.lxc",
	         "# a note\nlxc.tty.dir = x\n  lxc.net.0.ipv4.address=10.0.0.2/24  ");
	spec.n_devices = 2;
	host.lxcfs_path = "/var/lib/lxcfs";
	assert_int_equal(ct_config_write(&spec, &host, "0-1", "/run/c1/seccomp", &text, &err), 0);
	check_golden("unprivileged", &text);
}

static void privileged_v2(void **state)
{
	(void)state;
	scoped(smap_done) struct smap config = { 0 };
	scoped(strbuf_done) struct strbuf text = { 0 };
	scoped(error_freep) struct error *err = NULL;
	const struct ct_config_host host = host_of(true);
	struct instance_spec spec = spec_of(&config);

	smap_set(&config, "security.privileged", "true");
	smap_set(&config, "limits.memory", "128MiB");
	smap_set(&config, "limits.cpu.allowance", "25ms/100ms");
	spec.is_privileged = true;
	spec.idmap = NULL;
	spec.rootfs_shift = ROOTFS_SHIFT_NONE;
	spec.hostname = "other";
	assert_int_equal(ct_config_write(&spec, &host, NULL, NULL, &text, &err), 0);
	check_golden("privileged_v2", &text);
}

/* Whatever is copied into the text must not be able to end its line. */
static void line_breaks_are_refused(void **state)
{
	(void)state;
	static const char *const keys[] = { "environment.X", "linux.sysctl.a",
		                            "limits.kernel.nofile" };
	const struct ct_config_host host = host_of(false);

	for (size_t i = 0; i < COUNT_OF(keys) + 3; i++) {
		scoped(smap_done) struct smap config = { 0 };
		scoped(strbuf_done) struct strbuf text = { 0 };
		scoped(error_freep) struct error *err = NULL;
		struct instance_spec spec = spec_of(&config);

		if (i < COUNT_OF(keys))
			smap_set(&config, keys[i], "a\nlxc.hook.start = /bin/sh");
		else if (i == COUNT_OF(keys))
			spec.rootfs_path = "/a\nlxc.hook.start = /bin/sh";
		else if (i == COUNT_OF(keys) + 1)
			spec.hostname = "a\nlxc.hook.start = /bin/sh";
		else
			smap_set(&config, "environment.X\nlxc.hook.start ", "/bin/sh");
		assert_true(ct_config_write(&spec, &host, NULL, NULL, &text, &err) < 0);
		assert_int_equal(err->status, 400);
		assert_int_equal(text.size, 0);
	}
}

static void raw_lines_are_checked(void **state)
{
	(void)state;
	static const char *const good[] = { "", "# note", "lxc.cap.keep = x",
		                            "lxc.mount.entry =\t/a b none bind 0 0",
		                            "lxc.net.0.ipv6.gateway = auto" };
	static const char *const wrong[] = {
		"lxc.cap.keep",      "lxc.log.file = x",
		"LXC.LOG.LEVEL=1",   "lxc.net.0.type = phys",
		"other.key = 1",     "lxc.ephemeral = 1",
		"lxc.a b = c",       "lxc.cgroup.dir.container = x",
		"lxc.prlimit.a = 1", "lxc.tty.dir = a\rb",
		"lxc.monitor.x = 1", "lxc.cgroup.dir=x",
	};

	for (size_t i = 0; i < COUNT_OF(good); i++) {
		scoped(error_freep) struct error *err = NULL;
		assert_int_equal(ct_config_check_raw(good[i], &err), 0);
	}
	for (size_t i = 0; i < COUNT_OF(wrong); i++) {
		scoped(error_freep) struct error *err = NULL;
		if (ct_config_check_raw(wrong[i], &err) == 0)
			fail_msg("\"%s\" was taken", wrong[i]);
		assert_int_equal(err->status, 400);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unprivileged_with_everything),
		cmocka_unit_test(privileged_v2),
		cmocka_unit_test(line_breaks_are_refused),
		cmocka_unit_test(raw_lines_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
