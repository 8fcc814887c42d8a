/*
 * Real containers through the driver: a busybox root, unprivileged and privileged.
 *
 * Needs root; skipped otherwise. Runs in mount and network namespaces of its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "drivers/device/device_driver.h"
#include "drivers/host/host.h"
#include "drivers/instance/instance_driver.h"
#include "drivers/instance/instance_environment.h"
#include "lib/base/alloc.h"
#include "lib/base/date.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/loop.h"
#include "lib/base/smap.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/base/tree.h"
#include "lib/linux/cgroup.h"
#include "lib/linux/idmap.h"
#include "lib/linux/net_link.h"
#include "lib/linux/procfs.h"

#define SKIPPED 77

static struct {
	char *dir;
	struct host host;
	struct loop *loop;
	const struct instance_driver *driver;
	struct instance_engine *engine;
	struct idmap idmap;
	atomic_int stops, reboots;
	bool is_v1;
	char tag[32];
} t;

/* One container and what its spec points to. */
struct fixture {
	struct instance_spec spec;
	struct smap config;
	char *rootfs, *run_dir, *log_dir;
	const struct run_config *devices[4];
};

static void on_exit_event(void *arg, const char *id, enum instance_exit what)
{
	(void)arg;
	(void)id;
	if (what == INSTANCE_EXIT_STOPPED)
		t.stops++;
	else
		t.reboots++;
}

#define OK(call)                                                              \
	do {                                                                  \
		scoped(error_freep) struct error *err = NULL;                 \
		int ok_result = (call);                                       \
		if (ok_result < 0)                                            \
			fail_msg("%s: %s", #call, err ? err->msg : "(none)"); \
	} while (0)

static void make_link(const char *root, const char *name, const char *target)
{
	scoped_free char *path = xasprintf("%s/%s", root, name);

	assert_int_equal(symlink(target, path), 0);
}

static void make_rootfs(const char *root)
{
	static const char *const folders[] = { "bin", "sbin", "dev",  "proc", "sys",
		                               "etc", "tmp",  "root", "run" };
	static const char *const tools[] = { "sh",    "ls",   "cat",  "sleep", "id",
		                             "kill",  "stty", "ip",   "halt",  "reboot",
		                             "mount", "true", "pwd",  "env",   "dd",
		                             "head",  "seq",  "stat", "tty",   "poweroff" };

	for (size_t i = 0; i < COUNT_OF(folders); i++) {
		scoped_free char *path = xasprintf("%s/%s", root, folders[i]);
		assert_int_equal(file_make_dirs(path, 0755), 0);
	}
	scoped_free char *busybox = xasprintf("%s/bin/busybox", root);
	scoped_fd int from = open("/bin/busybox", O_RDONLY | O_CLOEXEC);
	scoped_fd int to = open(busybox, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	assert_true(fd_copy(from, to, UINT64_MAX) > 0);
	fchmod(to, 0755);
	for (size_t i = 0; i < COUNT_OF(tools); i++) {
		scoped_free char *name = xasprintf("bin/%s", tools[i]);
		make_link(root, name, "busybox");
	}
	make_link(root, "sbin/init", "../bin/busybox");
}

static void fixture_init(struct fixture *f, const char *id, bool is_privileged)
{
	*f = (struct fixture){ 0 };
	f->rootfs = xasprintf("%s/rootfs/%s", t.dir, id);
	f->run_dir = xasprintf("%s/run/containers/%s", t.dir, id);
	f->log_dir = xasprintf("%s/logs/%s", t.dir, id);
	file_make_dirs(f->rootfs, 0755);
	make_rootfs(f->rootfs);
	if (is_privileged)
		smap_set(&f->config, "security.privileged", "true");
	f->spec = (struct instance_spec){
		.project = "default",
		.name = id,
		.id = xstrdup(id),
		.config = &f->config,
		.rootfs_path = f->rootfs,
		.rootfs_shift = is_privileged ? ROOTFS_SHIFT_NONE : ROOTFS_SHIFT_IDMAPPED,
		.is_privileged = is_privileged,
		.idmap = is_privileged ? NULL : &t.idmap,
		.devices = f->devices,
		.run_dir = f->run_dir,
		.log_dir = f->log_dir,
	};
}

static void fixture_done(struct fixture *f)
{
	OK(t.driver->stop(t.engine, f->spec.id, &err));
	OK(t.driver->forget(t.engine, &f->spec, &err));
	assert_false(file_exists(f->run_dir));
	tree_remove(f->rootfs, 0);
	smap_done(&f->config);
	free(f->rootfs);
	free(f->run_dir);
	free(f->log_dir);
	free((char *)f->spec.id);
}

/* Runs a shell line inside; returns its status and what it wrote to both outputs. */
static int run_as(struct fixture *f, uid_t uid, const char *line, char **ret_output)
{
	const char *argv[] = { "sh", "-c", line, NULL };
	scoped(smap_done) struct smap environment = { 0 };
	char **env = NULL;
	struct instance_process *p = NULL;

	instance_environment_complete(&f->config, uid, &environment);
	SMAP_FOREACH (e, &environment)
		strv_addf(&env, "%s=%s", e->key, e->value);
	const struct instance_exec exec = {
		.argv = argv,
		.environment = (const char *const *)env,
		.uid = uid,
		.gid = uid,
		.stdin_fd = open("/dev/null", O_RDONLY | O_CLOEXEC),
		.stdout_fd = -1,
		.stderr_fd = -1,
	};
	OK(t.driver->exec(t.engine, &f->spec, &exec, &p, &err));
	close(exec.stdin_fd);
	strv_free(env);

	fd_set_nonblock(instance_process_fd(p, 1), false);
	fd_set_nonblock(instance_process_fd(p, 2), false);
	scoped_free char *out = NULL, *errors = NULL;
	size_t size;
	fd_read_all(instance_process_fd(p, INSTANCE_PROCESS_STDOUT), 1 << 20, &out, &size);
	fd_read_all(instance_process_fd(p, INSTANCE_PROCESS_STDERR), 1 << 20, &errors, &size);
	int status = instance_process_wait(p, 10000);
	instance_process_free(p);
	if (ret_output)
		*ret_output = xasprintf("%s%s", out, errors);
	return status;
}

static void expect(struct fixture *f, const char *line, const char *output)
{
	scoped_free char *got = NULL;

	assert_int_equal(run_as(f, 0, line, &got), 0);
	assert_string_equal(got, output);
}

static uint64_t pss_of(pid_t pid)
{
	scoped_free char *path = xasprintf("/proc/%d/smaps_rollup", pid);
	scoped_free char *text = NULL;

	if (file_read(path, 65536, &text, NULL) < 0)
		return 0;
	const char *line = strstr(text, "\nPss:");
	return line ? strtoull(line + 5, NULL, 10) : 0;
}

static void unprivileged_container_runs(void **state)
{
	struct fixture f;
	pid_t monitor;

	(void)state;
	fixture_init(&f, "c1", false);
	smap_set(&f.config, "environment.FOO", "b ar");
	int64_t start = date_monotonic_ns();
	OK(t.driver->start(t.engine, &f.spec, NULL, &err));
	printf("start %.1f ms\n", (double)(date_monotonic_ns() - start) / 1e6);
	assert_int_equal(t.driver->status(t.engine, "c1"), INSTANCE_RUNNING);

	expect(&f, "id -u; pwd; echo $FOO; echo $HOME", "0\n/root\nb ar\n/root\n");
	scoped_free char *map = NULL;
	assert_int_equal(run_as(&f, 0, "cat /proc/self/uid_map", &map), 0);
	assert_non_null(strstr(map, "100000"));
	assert_int_equal(run_as(&f, 0, "exit 7", NULL), 7);
	assert_int_equal(run_as(&f, 0, "kill -9 $$", NULL), 128 + 9);
	assert_int_equal(run_as(&f, 0, "/no/such/thing", NULL), 127);
	start = date_monotonic_ns();
	assert_int_equal(run_as(&f, 0, "true", NULL), 0);
	printf("exec %.1f ms\n", (double)(date_monotonic_ns() - start) / 1e6);

	procfs_stat(t.driver->pid(t.engine, "c1"), &monitor, NULL);
	printf("monitor %llu kB\n", (unsigned long long)pss_of(monitor));

	start = date_monotonic_ns();
	OK(t.driver->stop(t.engine, "c1", &err));
	printf("stop %.1f ms\n", (double)(date_monotonic_ns() - start) / 1e6);
	assert_int_equal(t.driver->status(t.engine, "c1"), INSTANCE_STOPPED);
	fixture_done(&f);
}

static void read_cgroup(const char *controller, const char *id, const char *file, char *buf,
                        size_t size)
{
	scoped(cgroup_freep) struct cgroup *cg = NULL;
	scoped_free char *text = NULL;
	scoped_free char *group = xasprintf("muster.payload.%s/%s", t.tag, id);
	enum cgroup_controller c = str_equals(controller, "memory")   ? CGROUP_MEMORY
	                           : str_equals(controller, "cpuset") ? CGROUP_CPUSET
	                           : str_equals(controller, "cpu")    ? CGROUP_CPU
	                                                              : CGROUP_PIDS;

	assert_int_equal(cgroup_open(&cg), 0);
	assert_int_equal(cgroup_read(cg, c, group, file, &text), 0);
	str_copy(buf, size, text);
}

/* Waits for a state that only the kernel's events bring about. */
#define WAIT_UNTIL(condition)                                      \
	do {                                                       \
		int64_t wait_deadline = date_deadline(10000);      \
		while (!(condition)) {                             \
			assert_true(date_left(wait_deadline) > 0); \
			poll(NULL, 0, 1);                          \
		}                                                  \
	} while (0)

static void limits_apply_at_start_and_live(void **state)
{
	struct fixture f;
	char text[64];

	(void)state;
	fixture_init(&f, "limits", false);
	smap_set(&f.config, "limits.processes", "100");
	smap_set(&f.config, "limits.memory", "64MiB");
	smap_set(&f.config, "limits.cpu", "1");
	smap_set(&f.config, "limits.cpu.allowance", "25ms/100ms");
	OK(t.driver->start(t.engine, &f.spec, NULL, &err));
	if (t.is_v1) {
		read_cgroup("memory", "limits", "memory.limit_in_bytes", text, sizeof(text));
		assert_string_equal(text, "67108864");
		read_cgroup("cpu", "limits", "cpu.cfs_quota_us", text, sizeof(text));
		assert_string_equal(text, "25000");
	}
	read_cgroup("pids", "limits", "pids.max", text, sizeof(text));
	assert_string_equal(text, "100");
	read_cgroup("cpuset", "limits", "cpuset.cpus", text, sizeof(text));
	assert_null(strchr(text, '-'));

	smap_set(&f.config, "limits.memory", "128MiB");
	smap_unset(&f.config, "limits.processes");
	smap_set(&f.config, "limits.cpu.allowance", "50%");
	smap_unset(&f.config, "limits.cpu");
	OK(t.driver->update_limits(t.engine, &f.spec, &err));
	read_cgroup("pids", "limits", "pids.max", text, sizeof(text));
	assert_string_equal(text, "max");
	if (t.is_v1) {
		read_cgroup("memory", "limits", "memory.limit_in_bytes", text, sizeof(text));
		assert_string_equal(text, "134217728");
		read_cgroup("cpu", "limits", "cpu.shares", text, sizeof(text));
		assert_string_equal(text, "512");
		read_cgroup("cpu", "limits", "cpu.cfs_quota_us", text, sizeof(text));
		assert_string_equal(text, "-1");
	}

	smap_set(&f.config, "limits.memory", "32MiB");
	OK(t.driver->update_limits(t.engine, &f.spec, &err));
	smap_unset(&f.config, "limits.memory");
	OK(t.driver->update_limits(t.engine, &f.spec, &err));
	scoped(error_freep) struct error *failure = NULL;
	smap_set(&f.config, "limits.memory", "zero");
	assert_int_equal(t.driver->update_limits(t.engine, &f.spec, &failure), -EINVAL);
	fixture_done(&f);
}

static void privileged_container_runs(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f, "priv", true);
	OK(t.driver->start(t.engine, &f.spec, NULL, &err));
	expect(&f, "id -u; head -n 1 /proc/self/uid_map | grep -c 4294967295", "0\n1\n");
	fixture_done(&f);
}

static void freezing_and_states(void **state)
{
	struct fixture f;
	const char *id = "froze";
	struct instance_state st;
	scoped(error_freep) struct error *failure = NULL;

	(void)state;
	fixture_init(&f, id, false);
	OK(t.driver->start(t.engine, &f.spec, NULL, &err));
	OK(t.driver->freeze(t.engine, id, &err));
	assert_int_equal(t.driver->status(t.engine, id), INSTANCE_FROZEN);
	assert_true(t.driver->freeze(t.engine, id, &failure) < 0);
	assert_int_equal(failure->status, 400);
	OK(t.driver->states(t.engine, &id, 1, INSTANCE_STATE_USAGE | INSTANCE_STATE_NETWORK, &st,
	                    &err));
	assert_int_equal(st.status, INSTANCE_FROZEN);
	assert_true(st.processes >= 1);
	assert_true(st.memory_usage > 0);
	assert_true(st.cpu_usage > 0);
	assert_int_equal(st.n_interfaces, 1);
	assert_string_equal(st.interfaces[0].name, "lo");
	assert_string_equal(st.interfaces[0].type, "loopback");
	instance_state_done(&st);
	OK(t.driver->unfreeze(t.engine, id, &err));
	expect(&f, "echo on", "on\n");

	/* Stopping a frozen one. */
	OK(t.driver->freeze(t.engine, id, &err));
	fixture_done(&f);
	OK(t.driver->states(t.engine, &id, 1, INSTANCE_STATE_USAGE | INSTANCE_STATE_NETWORK, &st,
	                    &err));
	assert_int_equal(st.pid, 0);
	assert_null(st.interfaces);
}

static void shutting_down_and_rebooting(void **state)
{
	struct fixture f;
	const char *id = "boot";
	int stops = t.stops, reboots = t.reboots;
	scoped(error_freep) struct error *failure = NULL;

	(void)state;
	fixture_init(&f, id, false);
	OK(t.driver->start(t.engine, &f.spec, NULL, &err));
	assert_true(t.driver->start(t.engine, &f.spec, NULL, &failure) < 0);
	smap_set(&f.config, "limits.processes", "77");
	OK(t.driver->update_limits(t.engine, &f.spec, &err));
	pid_t before = t.driver->pid(t.engine, id);
	run_as(&f, 0, "reboot -f", NULL);
	WAIT_UNTIL(t.reboots > reboots);
	assert_int_not_equal(t.driver->pid(t.engine, id), before);
	assert_int_equal(t.driver->status(t.engine, id), INSTANCE_RUNNING);
	expect(&f, "echo again", "again\n");
	assert_int_equal(t.stops, stops);
	char text[64] = "";
	for (int64_t deadline = date_deadline(5000);
	     !str_equals(text, "77") && date_left(deadline) > 0;)
		read_cgroup("pids", id, "pids.max", text, sizeof(text));
	assert_string_equal(text, "77");

	OK(t.driver->shutdown(t.engine, id, 20, NULL, &err));
	assert_int_equal(t.driver->status(t.engine, id), INSTANCE_STOPPED);
	assert_int_equal(t.stops, stops + 1);

	/* Halted from inside. */
	OK(t.driver->start(t.engine, &f.spec, NULL, &err));
	run_as(&f, 0, "halt -f", NULL);
	WAIT_UNTIL(t.stops == stops + 2);
	assert_int_equal(t.driver->status(t.engine, id), INSTANCE_STOPPED);

	/* An init that does not listen. */
	scoped_free char *init = xasprintf("%s/sbin/init", f.rootfs);
	unlink(init);
	scoped_fd int fd = open(init, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	static const char script[] = "#!/bin/sh\ntrap '' PWR\nwhile :; do sleep 1000; done\n";
	assert_int_equal(fd_write_full(fd, script, strlen(script)), 0);
	close(TAKE_FD(fd));
	OK(t.driver->start(t.engine, &f.spec, NULL, &err));
	expect(&f, "echo up", "up\n");
	scoped(error_freep) struct error *late = NULL;
	assert_int_equal(t.driver->shutdown(t.engine, id, 0, NULL, &late), -ETIMEDOUT);
	assert_int_equal(t.driver->status(t.engine, id), INSTANCE_RUNNING);
	fixture_done(&f);
}

static void failing_to_start_says_why(void **state)
{
	struct fixture f;
	scoped(error_freep) struct error *err = NULL;

	(void)state;
	fixture_init(&f, "broken", false);
	scoped_free char *init = xasprintf("%s/sbin/init", f.rootfs);
	unlink(init);
	assert_true(t.driver->start(t.engine, &f.spec, NULL, &err) < 0);
	assert_non_null(err->msg);
	printf("says: %s\n", err->msg);
	assert_int_equal(t.driver->status(t.engine, "broken"), INSTANCE_STOPPED);
	fixture_done(&f);
}

/* Another daemon: starts containers and is killed at once. */
static void found_after_a_crash(void **state)
{
	struct fixture f;
	const char *dirs[2];
	bool running[2];

	(void)state;
	fixture_init(&f, "crash", false);
	pid_t child = fork();
	if (child == 0) {
		struct instance_engine *engine;
		struct loop *loop = loop_new("child");
		const struct instance_engine_setup setup = { .host = &t.host,
			                                     .loop = loop,
			                                     .tag = t.tag };
		scoped(error_freep) struct error *failure = NULL;

		if (t.driver->engine_new(&setup, &engine, &failure) < 0 ||
		    t.driver->start(engine, &f.spec, NULL, &failure) < 0)
			_exit(1);
		kill(getpid(), SIGKILL);
	}
	int status;
	waitpid(child, &status, 0);
	assert_true(WIFSIGNALED(status));

	assert_int_equal(t.driver->status(t.engine, "crash"), INSTANCE_STOPPED);
	scoped_free char *other = xasprintf("%s/run/containers/none", t.dir);
	dirs[0] = f.run_dir;
	dirs[1] = other;
	OK(t.driver->find(t.engine, dirs, 2, running, &err));
	assert_true(running[0]);
	assert_false(running[1]);
	assert_int_equal(t.driver->status(t.engine, "crash"), INSTANCE_RUNNING);
	expect(&f, "echo alive", "alive\n");

	/* Its monitor is killed: init goes with it, and nothing is left. */
	pid_t monitor;
	int stops = t.stops;
	procfs_stat(t.driver->pid(t.engine, "crash"), &monitor, NULL);
	kill(monitor, SIGKILL);
	WAIT_UNTIL(t.stops > stops);
	assert_int_equal(t.driver->status(t.engine, "crash"), INSTANCE_STOPPED);
	OK(t.driver->start(t.engine, &f.spec, NULL, &err));
	expect(&f, "echo anew", "anew\n");
	fixture_done(&f);
}

static void terminals_and_signals(void **state)
{
	struct fixture f;
	const char *argv[] = {
		"sh", "-c",
		"tty; stty size; trap 'echo winch' WINCH; read x; stty size; sleep 1000", NULL
	};
	const char *env[] = { "PATH=/bin", "TERM=xterm", NULL };
	struct instance_process *p = NULL;
	char buf[4096] = "";
	size_t n = 0;

	(void)state;
	fixture_init(&f, "tty", false);
	OK(t.driver->start(t.engine, &f.spec, NULL, &err));
	const struct instance_exec exec = { .argv = argv,
		                            .environment = env,
		                            .is_interactive = true,
		                            .width = 77,
		                            .height = 33,
		                            .stdin_fd = -1,
		                            .stdout_fd = -1,
		                            .stderr_fd = -1 };
	OK(t.driver->exec(t.engine, &f.spec, &exec, &p, &err));
	int fd = instance_process_fd(p, INSTANCE_PROCESS_TERMINAL);
	fd_set_nonblock(fd, false);
	while (!strstr(buf, "33 77"))
		n += (size_t)read(fd, buf + n, sizeof(buf) - 1 - n);
	assert_non_null(strstr(buf, "/dev/pts/"));
	assert_int_equal(instance_process_resize(p, 100, 50), 0);
	assert_int_equal(write(fd, "\n", 1), 1);
	while (!strstr(buf, "50 100"))
		n += (size_t)read(fd, buf + n, sizeof(buf) - 1 - n);
	assert_int_equal(instance_process_signal(p, SIGTERM), 0);
	assert_int_equal(instance_process_wait(p, 10000), 128 + SIGTERM);
	assert_int_equal(instance_process_signal(p, SIGTERM), -ESRCH);
	instance_process_free(p);
	fixture_done(&f);
}

struct told {
	atomic_int n;
	int status;
};

static void exited(void *arg, int status)
{
	struct told *told = arg;

	told->status = status;
	told->n++;
}

static void ends_are_told_once(void **state)
{
	struct fixture f;
	struct instance_process *p = NULL;
	const char *argv[] = { "/bin/sh", "-c", "cat; exit 3", NULL };
	struct told told = { 0 };

	(void)state;
	fixture_init(&f, "async", false);
	OK(t.driver->start(t.engine, &f.spec, NULL, &err));
	const struct instance_exec exec = { .argv = argv,
		                            .uid = 1000,
		                            .gid = 1000,
		                            .stdin_fd = -1,
		                            .stdout_fd = -1,
		                            .stderr_fd = -1 };
	OK(t.driver->exec(t.engine, &f.spec, &exec, &p, &err));
	instance_process_on_exit(p, exited, &told);
	assert_int_equal(write(instance_process_fd(p, 0), "hello", 5), 5);
	close(instance_process_take_fd(p, 0));
	WAIT_UNTIL(told.n > 0);
	assert_int_equal(told.status, 3);
	char buf[16] = "";
	assert_int_equal(read(instance_process_fd(p, 1), buf, sizeof(buf)), 5);
	assert_string_equal(buf, "hello");
	instance_process_free(p);
	assert_int_equal(told.n, 1);
	fixture_done(&f);
}

static void console_is_there(void **state)
{
	struct fixture f;
	struct instance_process *p = NULL, *second = NULL;
	char buf[4096] = "";
	size_t n = 0, size = 0;
	scoped(error_freep) struct error *failure = NULL;

	(void)state;
	fixture_init(&f, "cons", false);
	scoped_free char *inittab = xasprintf("%s/etc/inittab", f.rootfs);
	static const char lines[] =
		"::sysinit:/bin/sh -c 'echo ready'\nconsole::respawn:/bin/cat\n";
	scoped_fd int tab = open(inittab, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_int_equal(fd_write_full(tab, lines, strlen(lines)), 0);
	OK(t.driver->start(t.engine, &f.spec, NULL, &err));

	OK(t.driver->console(t.engine, "cons", false, &p, &err));
	assert_true(t.driver->console(t.engine, "cons", false, &second, &failure) < 0);
	assert_int_equal(failure->status, 400);
	OK(t.driver->console(t.engine, "cons", true, &second, &err));
	instance_process_free(p);
	p = second;
	int fd = instance_process_fd(p, INSTANCE_PROCESS_TERMINAL);
	fd_set_nonblock(fd, false);
	assert_int_equal(write(fd, "ping\n", 5), 5);
	while (!strstr(buf, "ping\r\nping"))
		n += (size_t)read(fd, buf + n, sizeof(buf) - 1 - n);

	scoped_free char *log = NULL;
	OK(t.driver->console_log(t.engine, &f.spec, &log, &size, &err));
	assert_non_null(strstr(log, "ready"));
	OK(t.driver->console_clear(t.engine, &f.spec, &err));
	free(TAKE_PTR(log));
	OK(t.driver->console_log(t.engine, &f.spec, &log, &size, &err));
	assert_int_equal(size, 0);

	OK(t.driver->stop(t.engine, "cons", &err));
	assert_int_equal(instance_process_wait(p, 10000), 0);
	instance_process_free(p);
	fixture_done(&f);
}

static int file_with(const char *content)
{
	int fd = fd_memfd("content");

	fd_write_full(fd, content, strlen(content));
	lseek(fd, 0, SEEK_SET);
	return fd;
}

static void expect_file(struct instance_files *files, const char *path, const char *content)
{
	struct instance_file_info info;
	char **names = NULL;
	int fd = -1;
	scoped_free char *text = NULL;
	size_t size;

	OK(instance_files_get(files, path, &info, &fd, &names, &err));
	assert_int_equal(info.type, INSTANCE_FILE_REGULAR);
	assert_int_equal(fd_read_all(fd, 1 << 20, &text, &size), 0);
	assert_string_equal(text, content);
	close(fd);
}

#define EXPECT_ERROR(call, http, text)                        \
	do {                                                  \
		scoped(error_freep) struct error *err = NULL; \
		assert_true((call) < 0);                      \
		assert_string_equal(err->msg, text);          \
		assert_int_equal(err->status, http);          \
	} while (0)

static void check_files(struct fixture *f)
{
	const struct instance_file_attr none = { -1, -1, -1 }, own = { 0640, 12, 34 };
	struct instance_files *files = NULL;
	struct instance_file_info info;
	char **names = NULL;
	int fd = -1;
	scoped_fd int hello = file_with("hello"), world = file_with(" world");

	OK(t.driver->files_open(t.engine, &f->spec, &files, &err));
	OK(instance_files_put(files, "/root/f1", hello, &own, INSTANCE_FILE_OVERWRITE, &err));
	OK(instance_files_put(files, "root/f1", world, &none, INSTANCE_FILE_APPEND, &err));
	expect_file(files, "/root/f1", "hello world");
	OK(instance_files_stat(files, "/root/f1", &info, &err));
	assert_int_equal(info.mode, 0640);
	assert_int_equal(info.uid, 12);
	assert_int_equal(info.gid, 34);
	assert_int_equal(info.size, 11);

	OK(instance_files_mkdir(files, "/root/d1", &none, &err));
	OK(instance_files_symlink(files, "/root/l1", "f1", &none, &err));
	OK(instance_files_get(files, "/root", &info, &fd, &names, &err));
	assert_int_equal(info.type, INSTANCE_FILE_DIRECTORY);
	assert_int_equal(strv_len(names), 3);
	strv_free(TAKE_PTR(names));
	OK(instance_files_get(files, "/root/l1", &info, &fd, &names, &err));
	assert_int_equal(info.type, INSTANCE_FILE_SYMLINK);
	assert_string_equal(names[0], "f1");
	strv_free(TAKE_PTR(names));

	/* Links of the guest lead nowhere outside. */
	OK(instance_files_symlink(files, "/root/out", "../../../../etc", &none, &err));
	lseek(hello, 0, SEEK_SET);
	OK(instance_files_put(files, "/root/out/inside", hello, &none, INSTANCE_FILE_OVERWRITE,
	                      &err));
	expect_file(files, "/etc/inside", "hello");
	assert_false(file_exists("/etc/inside"));
	OK(instance_files_delete(files, "/etc/inside", false, &err));
	EXPECT_ERROR(instance_files_get(files, "../../etc/passwd", &info, &fd, &names, &err), 404,
	             "file does not exist");

	EXPECT_ERROR(instance_files_get(files, "/root/nope", &info, &fd, &names, &err), 404,
	             "file does not exist");
	EXPECT_ERROR(instance_files_delete(files, "/root", false, &err), 400,
	             "directory not empty");
	EXPECT_ERROR(
		instance_files_put(files, "/root/d1", hello, &none, INSTANCE_FILE_OVERWRITE, &err),
		400, "is a directory");
	OK(instance_files_delete(files, "/root/l1", false, &err));
	OK(instance_files_delete(files, "/root/d1", false, &err));
	OK(instance_files_delete(files, "/root/out", false, &err));
	OK(instance_files_delete(files, "/root/f1", true, &err));
	instance_files_free(files);
}

static void files_stopped_and_running(void **state)
{
	(void)state;
	for (int privileged = 0; privileged < 2; privileged++) {
		struct fixture f;

		fixture_init(&f, privileged ? "filesp" : "files", privileged);
		check_files(&f);
		OK(t.driver->start(t.engine, &f.spec, NULL, &err));
		check_files(&f);
		/* What the guest made itself, and a fifo that would block. */
		run_as(&f, 0, "mkfifo /root/fifo || busybox mkfifo /root/fifo", NULL);
		struct instance_files *files = NULL;
		struct instance_file_info info;
		const struct instance_file_attr none = { -1, -1, -1 };
		char **names = NULL;
		int fd = -1;
		scoped_fd int hello = file_with("hello");
		OK(t.driver->files_open(t.engine, &f.spec, &files, &err));
		EXPECT_ERROR(instance_files_get(files, "/root/fifo", &info, &fd, &names, &err), 400,
		             "not a regular file");
		EXPECT_ERROR(instance_files_put(files, "/root/fifo", hello, &none,
		                                INSTANCE_FILE_OVERWRITE, &err),
		             400, "invalid argument");
		instance_files_free(files);
		fixture_done(&f);
	}
}

static struct run_config *start_device(const char *name, struct smap *config, struct smap *vol)
{
	const struct device dev = { .host = &t.host,
		                    .project = "default",
		                    .instance = "dev",
		                    .name = name,
		                    .config = config,
		                    .volatile_config = vol };
	struct run_config *run = NULL;

	OK(device_driver_validate(name, config, &err));
	OK(device_driver_volatile(&dev, &err));
	OK(device_driver_start(&dev, &run, &err));
	return run;
}

static void devices_at_start_and_later(void **state)
{
	struct fixture f;
	scoped(smap_done) struct smap disk = { 0 }, nic = { 0 }, disk2 = { 0 }, nic2 = { 0 };
	scoped(smap_done) struct smap none = { 0 }, eth0 = { 0 }, eth1 = { 0 };
	scoped(netlink_freep) struct netlink *nl = NULL;
	const char *id = "dev";
	struct instance_state st;
	int index;

	(void)state;
	assert_int_equal(netlink_open(&nl), 0);
	assert_int_equal(net_link_add_bridge(nl, "mbr0"), 0);
	assert_int_equal(net_link_set_up(nl, "mbr0", true), 0);
	scoped_free char *shared = xasprintf("%s/a b", t.dir);
	scoped_free char *file = xasprintf("%s/a b/file", t.dir);
	file_make_dirs(shared, 0755);
	scoped_fd int content = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_int_equal(write(content, "hi\n", 3), 3);

	smap_set(&disk, "type", "disk");
	smap_set(&disk, "source", shared);
	smap_set(&disk, "path", "/mnt/x y");
	smap_set(&disk, "shift", "true");
	smap_set(&nic, "type", "nic");
	smap_set(&nic, "nictype", "bridged");
	smap_set(&nic, "parent", "mbr0");
	smap_set(&nic, "mtu", "1400");
	smap_copy(&nic2, &nic);
	smap_set(&nic2, "nictype", "p2p");
	smap_unset(&nic2, "parent");
	smap_copy(&disk2, &disk);
	smap_set(&disk2, "path", "/data/later");
	smap_set(&disk2, "readonly", "true");

	fixture_init(&f, id, false);
	f.devices[0] = start_device("data", &disk, &none);
	f.devices[1] = start_device("eth0", &nic, &eth0);
	f.spec.n_devices = 2;
	OK(t.driver->start(t.engine, &f.spec, NULL, &err));
	expect(&f, "cat '/mnt/x y/file'; busybox stat -c %u '/mnt/x y/file'", "hi\n0\n");
	expect(&f, "cat /sys/class/net/eth0/mtu", "1400\n");
	scoped_free char *hwaddr = xasprintf("%s\n", smap_get(&eth0, "hwaddr"));
	expect(&f, "cat /sys/class/net/eth0/address", hwaddr);
	assert_int_equal(net_link_index(nl, smap_get(&eth0, "host_name"), &index), 0);

	struct run_config *later = start_device("later", &disk2, &none);
	OK(t.driver->device_add(t.engine, &f.spec, later, &err));
	expect(&f, "cat /data/later/file; echo x 2>/dev/null >/data/later/new || echo no",
	       "hi\nno\n");
	OK(t.driver->device_remove(t.engine, &f.spec, later, &err));
	expect(&f, "ls /data/later", "");

	struct run_config *eth = start_device("eth1", &nic2, &eth1);
	OK(t.driver->device_add(t.engine, &f.spec, eth, &err));
	expect(&f, "cat /sys/class/net/eth1/mtu; ip addr add 10.1.2.3/24 dev eth1", "1400\n");
	OK(t.driver->states(t.engine, &id, 1, INSTANCE_STATE_NETWORK, &st, &err));
	assert_int_equal(st.n_interfaces, 3);
	bool seen = false;
	for (size_t i = 0; i < st.n_interfaces; i++) {
		const struct instance_interface *ifc = &st.interfaces[i];
		if (!str_equals(ifc->name, "eth1"))
			continue;
		seen = true;
		assert_string_equal(ifc->host_name, smap_get(&eth1, "host_name"));
		assert_string_equal(ifc->state, "up");
		assert_string_equal(ifc->type, "broadcast");
		assert_string_equal(ifc->addresses[0].address, "10.1.2.3");
		assert_string_equal(ifc->addresses[0].netmask, "24");
		assert_string_equal(ifc->addresses[0].scope, "global");
	}
	assert_true(seen);
	instance_state_done(&st);
	OK(t.driver->device_remove(t.engine, &f.spec, eth, &err));
	assert_int_equal(net_link_index(nl, smap_get(&eth1, "host_name"), &index), -ENODEV);

	OK(t.driver->stop(t.engine, id, &err));
	assert_int_equal(net_link_index(nl, smap_get(&eth0, "host_name"), &index), -ENODEV);
	run_config_free((struct run_config *)f.devices[0]);
	run_config_free((struct run_config *)f.devices[1]);
	run_config_free(later);
	run_config_free(eth);
	f.spec.n_devices = 0;
	fixture_done(&f);
	net_link_delete(nl, "mbr0");
}

/* The memory that running containers cost us. */
static void monitors_are_small(void **state)
{
	enum { N = 6 };
	struct fixture f[N];
	uint64_t sum = 0;

	(void)state;
	for (size_t i = 0; i < N; i++) {
		scoped_free char *id = xasprintf("small%zu", i);
		fixture_init(&f[i], id, false);
		OK(t.driver->start(t.engine, &f[i].spec, NULL, &err));
	}
	const char *ids[N];
	struct instance_state states[N];
	for (size_t i = 0; i < N; i++)
		ids[i] = f[i].spec.id;
	int64_t before = date_monotonic_ns();
	OK(t.driver->states(t.engine, ids, N, INSTANCE_STATE_USAGE | INSTANCE_STATE_NETWORK, states,
	                    &err));
	printf("%.2f ms per state\n", (double)(date_monotonic_ns() - before) / N / 1e6);
	for (size_t i = 0; i < N; i++) {
		assert_int_equal(states[i].status, INSTANCE_RUNNING);
		instance_state_done(&states[i]);
	}
	for (size_t i = 0; i < N; i++) {
		pid_t monitor;
		procfs_stat(t.driver->pid(t.engine, f[i].spec.id), &monitor, NULL);
		sum += pss_of(monitor);
	}
	printf("%llu kB per monitor\n", (unsigned long long)(sum / N));
	assert_true(sum / N < 2048);
	for (size_t i = 0; i < N; i++)
		fixture_done(&f[i]);
}

static void speed(void **state)
{
	enum { N = 20 };
	struct fixture f;
	int64_t start_ns = 0, stop_ns = 0, exec_ns = 0, best_start = INT64_MAX,
		best_exec = INT64_MAX, best_stop = INT64_MAX;

	(void)state;
	fixture_init(&f, "speed", false);
	if (getenv("LEAK")) {
		OK(t.driver->start(t.engine, &f.spec, NULL, &err));
		for (int i = 0; i < 200; i++) {
			scoped_free char *out = NULL;
			run_as(&f, 0, "true", &out);
			if (*out)
				printf("%d: %s\n", i, out);
		}
		fixture_done(&f);
		return;
	}
	for (int i = 0; i < N; i++) {
		int64_t a = date_monotonic_ns();
		OK(t.driver->start(t.engine, &f.spec, NULL, &err));
		int64_t b = date_monotonic_ns();
		run_as(&f, 0, "true", NULL);
		int64_t c = date_monotonic_ns();
		OK(t.driver->stop(t.engine, "speed", &err));
		int64_t d = date_monotonic_ns();
		start_ns += b - a;
		exec_ns += c - b;
		stop_ns += d - c;
		best_start = MIN_OF(best_start, b - a);
		best_exec = MIN_OF(best_exec, c - b);
		best_stop = MIN_OF(best_stop, d - c);
	}
	printf("mean (best) ms: start %.1f (%.1f), exec %.1f (%.1f), stop %.1f (%.1f)\n",
	       (double)start_ns / N / 1e6, (double)best_start / 1e6, (double)exec_ns / N / 1e6,
	       (double)best_exec / 1e6, (double)stop_ns / N / 1e6, (double)best_stop / 1e6);
	fixture_done(&f);
}

/* A /sys that shows our network namespace, with the control groups in it. */
static bool mount_sys(void)
{
	char dir[] = "/tmp/driver_ct.sys.XXXXXX";

	if (!mkdtemp(dir))
		return false;
	bool good = mount("/sys/fs/cgroup", dir, NULL, MS_BIND | MS_REC, NULL) == 0 &&
	            mount("sysfs", "/sys", "sysfs", 0, NULL) == 0 &&
	            mount(dir, "/sys/fs/cgroup", NULL, MS_BIND | MS_REC, NULL) == 0 &&
	            umount2(dir, MNT_DETACH) == 0;
	rmdir(dir);
	return good;
}

static int set_up(void **state)
{
	char dir[] = "/tmp/driver_ct.XXXXXX";

	(void)state;
	if (!mkdtemp(dir))
		return -1;
	chmod(dir, 0711);
	t.dir = xstrdup(dir);
	t.host = (struct host){ .var_dir = t.dir };
	snprintf(t.tag, sizeof(t.tag), "driver-ct-%d", getpid());
	t.loop = loop_new("loop");
	t.driver = instance_driver_find("container");
	idmap_of_host(NULL, NULL, &t.idmap);
	const struct instance_engine_setup setup = {
		.host = &t.host, .loop = t.loop, .on_exit = on_exit_event, .tag = t.tag
	};
	OK(t.driver->engine_new(&setup, &t.engine, &err));
	scoped(cgroup_freep) struct cgroup *cg = NULL;
	t.is_v1 = cgroup_open(&cg) == 0 && !cgroup_is_v2(cg, CGROUP_MEMORY);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	t.driver->engine_free(t.engine);
	loop_free(t.loop);
	idmap_done(&t.idmap);
	tree_remove(t.dir, 0);
	free(t.dir);
	return 0;
}

int main(int argc, char **argv)
{
	if (geteuid() != 0 || unshare(CLONE_NEWNS | CLONE_NEWNET) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 || !mount_sys()) {
		puts("needs root");
		return SKIPPED;
	}
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unprivileged_container_runs),
		cmocka_unit_test(privileged_container_runs),
		cmocka_unit_test(limits_apply_at_start_and_live),
		cmocka_unit_test(freezing_and_states),
		cmocka_unit_test(shutting_down_and_rebooting),
		cmocka_unit_test(failing_to_start_says_why),
		cmocka_unit_test(found_after_a_crash),
		cmocka_unit_test(terminals_and_signals),
		cmocka_unit_test(ends_are_told_once),
		cmocka_unit_test(console_is_there),
		cmocka_unit_test(files_stopped_and_running),
		cmocka_unit_test(devices_at_start_and_later),
		cmocka_unit_test(monitors_are_small),
		cmocka_unit_test(speed),
	};
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
