#include "drivers/instance/ct/ct_engine.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "drivers/host/host.h"
#include "drivers/host/op.h"
#include "lib/base/alloc.h"
#include "lib/base/date.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/base/loop.h"
#include "lib/base/map.h"
#include "lib/base/path.h"
#include "lib/base/str.h"
#include "lib/linux/procfs.h"

#define REBOOT_POLL_MS 5
#define LIMITS_DELAY_MS 250
#define FIND_TIMEOUT_MS 10000
#define WAIT_SLICE_MS 200

struct ct_container {
	struct instance_engine *engine;
	char *id;
	char *run_dir;

	/* GUARDED by the engine's lock. */
	pid_t init, monitor;
	int init_fd, monitor_fd;
	int console_fd; /* Of who is on the console, or -1. */
	bool is_frozen;
	struct ct_cpu_wish cpu;
	struct ct_cpu_set cpus;   /* What its group has; all zero: not written yet. */
	struct ct_limits *limits; /* Changed since the start; NULL: none were. */

	/* For the loop thread only. */
	struct loop_watch *init_watch, *monitor_watch;
	struct loop_timer *reboot_timer, *limits_timer;
};

/* What a container of LXD finds below /proc and /sys, if the host has it. */
static const char *const bind_paths[CT_ENGINE_BIND_PATHS] = {
	"/proc/sys/fs/binfmt_misc", "/sys/firmware/efi/efivars", "/sys/fs/fuse/connections",
	"/sys/fs/pstore",           "/sys/kernel/config",        "/sys/kernel/debug",
	"/sys/kernel/security",     "/sys/kernel/tracing",       NULL,
};

static void free_container(void *arg)
{
	struct ct_container *c = arg;

	if (c->init_watch)
		loop_watch_free(c->init_watch);
	if (c->monitor_watch)
		loop_watch_free(c->monitor_watch);
	if (c->reboot_timer)
		loop_timer_free(c->reboot_timer);
	if (c->limits_timer)
		loop_timer_free(c->limits_timer);
	free(c->limits);
	if (c->init_fd >= 0)
		close(c->init_fd);
	if (c->monitor_fd >= 0)
		close(c->monitor_fd);
	if (c->console_fd >= 0)
		close(c->console_fd);
	free(c->id);
	free(c->run_dir);
	free(c);
}

/* A name for our groups that no other daemon on this machine has: its folder's. */
static char *default_tag(const char *var_dir)
{
	struct stat st;

	if (stat(var_dir, &st) < 0)
		return xstrdup("0");
	scoped_free char *text = xasprintf("%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	return xasprintf("%08" PRIx32, (uint32_t)str_hash(text));
}

int ct_engine_new(const struct instance_engine_setup *setup, struct instance_engine **ret_engine,
                  struct error **err)
{
	struct cgroup *cg;

	int r = cgroup_open(&cg);
	if (r < 0)
		return error_set_errno(err, r, "Failed finding control groups");

	struct instance_engine *engine = xcalloc(1, sizeof(*engine));
	scoped_free char *tag =
		setup->tag ? xstrdup(setup->tag) : default_tag(setup->host->var_dir);
	engine->setup = *setup;
	engine->cg = cg;
	engine->spawner = ct_spawner_new(setup->host->var_dir);
	engine->payload_group = xasprintf("muster.payload.%s", tag);
	engine->monitor_group = xasprintf("muster.monitor.%s", tag);
	engine->pivot_group = xasprintf("muster.pivot.%s", tag);
	engine->containers = map_new(free_container);
	mutex_init(&engine->lock);
	cond_init(&engine->changed);

	for (size_t i = 0, n = 0; bind_paths[i]; i++) {
		if (file_is_dir(bind_paths[i]))
			engine->bind_paths[n++] = bind_paths[i];
	}
	engine->host = (struct ct_config_host){
		.payload_group = engine->payload_group,
		.monitor_group = engine->monitor_group,
		.pivot_group = engine->pivot_group,
		.bind_paths = engine->bind_paths,
		.lxcfs_path = file_exists("/var/lib/lxcfs/proc/meminfo") ? "/var/lib/lxcfs" : NULL,
		.has_apparmor = file_is_dir("/sys/kernel/security/apparmor"),
		.has_apparmor_parser = file_exists("/sbin/apparmor_parser"),
		.debug = log_is_on(LOG_LEVEL_DEBUG),
	};
	ct_limits_host_of(cg, &engine->host.limits);
	*ret_engine = engine;
	return 0;
}

static void forget_all(void *arg)
{
	struct instance_engine *engine = arg;

	mutex_lock(&engine->lock);
	map_clear(engine->containers);
	mutex_unlock(&engine->lock);
}

void ct_engine_free(struct instance_engine *engine)
{
	if (!engine)
		return;

	bool is_empty = map_count(engine->containers) == 0;
	loop_call_wait(engine->setup.loop, forget_all, engine);
	ct_spawner_free(engine->spawner);
	if (is_empty) {
		/* Parents that are left when the last container has gone; not if others use them.
		 */
		cgroup_remove(engine->cg, engine->payload_group);
		cgroup_remove(engine->cg, engine->monitor_group);
		cgroup_remove(engine->cg, engine->pivot_group);
	}
	map_free(engine->containers);
	cond_done(&engine->changed);
	mutex_done(&engine->lock);
	cgroup_free(engine->cg);
	free(engine->payload_group);
	free(engine->monitor_group);
	free(engine->pivot_group);
	free(engine);
}

char *ct_engine_group(const struct instance_engine *engine, const char *id)
{
	return xasprintf("%s/%s", engine->payload_group, id);
}

static void report(struct instance_engine *engine, const char *id, enum instance_exit what)
{
	if (engine->setup.on_exit)
		engine->setup.on_exit(engine->setup.arg, id, what);
}

/* Nothing of the container is left. */
static void finish(struct ct_container *c)
{
	struct instance_engine *engine = c->engine;
	scoped_free char *id = xstrdup(c->id);
	scoped_free char *group = ct_engine_group(engine, id);

	/* liblxc has removed it already, unless it was killed. */
	cgroup_remove(engine->cg, group);
	mutex_lock(&engine->lock);
	map_remove(engine->containers, id);
	engine->reporting = id;
	mutex_unlock(&engine->lock);

	report(engine, id, INSTANCE_EXIT_STOPPED);

	mutex_lock(&engine->lock);
	engine->reporting = NULL;
	cond_broadcast(&engine->changed);
	mutex_unlock(&engine->lock);
}

static void monitor_gone(unsigned events, void *arg)
{
	struct ct_container *c = arg;
	struct pollfd init = { .fd = c->init_fd, .events = POLLIN };

	(void)events;
	loop_watch_free(c->monitor_watch);
	c->monitor_watch = NULL;
	if (c->init_watch && poll(&init, 1, 0) == 0) {
		/* The monitor was killed; init goes with it, by and by. */
		fd_kill(c->init_fd, SIGKILL);
		return;
	}
	finish(c);
}

static void init_gone(unsigned events, void *arg);

static void watch_init(struct ct_container *c)
{
	c->init_watch =
		loop_watch_new(c->engine->setup.loop, c->init_fd, LOOP_READABLE, init_gone, c);
}

/* A descriptor of the monitor's child that is init, once it has one. */
static int find_init(pid_t monitor, pid_t *ret_init)
{
	pid_t init, parent;

	int r = procfs_namespace_child(monitor, &init);
	if (r < 0)
		return r;
	scoped_fd int fd = fd_of_pid(init);
	if (fd < 0)
		return fd;
	/* The descriptor may be of whoever got the number since. */
	if (procfs_stat(init, &parent, NULL) < 0 || parent != monitor ||
	    !procfs_is_namespace_init(init))
		return -EAGAIN;

	*ret_init = init;
	return TAKE_FD(fd);
}

static void apply_limits_again(void *arg)
{
	struct ct_container *c = arg;
	struct instance_engine *engine = c->engine;
	scoped(error_freep) struct error *err = NULL;
	scoped_free char *group = ct_engine_group(engine, c->id);
	scoped_free struct ct_limits *limits = NULL;

	loop_timer_free(c->limits_timer);
	c->limits_timer = NULL;
	mutex_lock(&engine->lock);
	if (c->limits) {
		limits = xmalloc(sizeof(*limits));
		*limits = *c->limits;
	}
	mutex_unlock(&engine->lock);
	if (limits && ct_limits_apply(engine->cg, group, limits, &err) < 0)
		log_warn("Failed applying limits of \"%s\" after it rebooted: %s", c->id, err->msg);
	ct_engine_balance(engine, NULL, NULL);
}

static void look_for_new_init(void *arg)
{
	struct ct_container *c = arg;
	pid_t init;

	int fd = find_init(c->monitor, &init);
	if (fd < 0)
		return; /* The monitor starts it again, or ends. */
	loop_timer_free(c->reboot_timer);
	c->reboot_timer = NULL;

	mutex_lock(&c->engine->lock);
	close(c->init_fd);
	c->init_fd = fd;
	c->init = init;
	c->is_frozen = false;
	c->cpus = (struct ct_cpu_set){ { 0 } };
	mutex_unlock(&c->engine->lock);
	watch_init(c);
	/* About now liblxc sets those of the config; ours have to come after them. */
	if (!c->limits_timer)
		c->limits_timer = loop_timer_new(c->engine->setup.loop, LIMITS_DELAY_MS, 0,
		                                 apply_limits_again, c);
	report(c->engine, c->id, INSTANCE_EXIT_REBOOTED);
}

static void init_gone(unsigned events, void *arg)
{
	struct ct_container *c = arg;

	(void)events;
	loop_watch_free(c->init_watch);
	c->init_watch = NULL;
	if (!c->monitor_watch) {
		finish(c);
		return;
	}
	c->reboot_timer = loop_timer_new(c->engine->setup.loop, REBOOT_POLL_MS, REBOOT_POLL_MS,
	                                 look_for_new_init, c);
}

static void start_watching(void *arg)
{
	struct ct_container *c = arg;

	watch_init(c);
	c->monitor_watch = loop_watch_new(c->engine->setup.loop, c->monitor_fd, LOOP_READABLE,
	                                  monitor_gone, c);
}

/* Puts a container into the table; both descriptors become the table's. */
static void add(struct instance_engine *engine, const char *run_dir, struct ct_container what)
{
	struct ct_container *c = xcalloc(1, sizeof(*c));

	*c = what;
	c->engine = engine;
	c->console_fd = -1;
	c->run_dir = xstrdup(run_dir);
	c->id = xstrdup(path_base(run_dir));
	mutex_lock(&engine->lock);
	map_set(engine->containers, c->id, c);
	mutex_unlock(&engine->lock);
	loop_call(engine->setup.loop, start_watching, c);
}

int ct_engine_add(struct instance_engine *engine, const char *run_dir, pid_t init, int init_pidfd,
                  const struct ct_cpu_wish *cpu, struct error **err)
{
	scoped_fd int init_fd = init_pidfd;
	pid_t monitor = 0;

	if (procfs_stat(init, &monitor, NULL) < 0 || monitor <= 1)
		return error_set(err, 500, "The container ended while it was starting");
	scoped_fd int monitor_fd = fd_of_pid(monitor);
	/* If init still runs, then its parent was the monitor all the time. */
	if (monitor_fd < 0 || fd_wait(init_fd, POLLIN, 0) != 0)
		return error_set(err, 500, "The container ended while it was starting");

	add(engine, run_dir,
	    (struct ct_container){ .init = init,
	                           .monitor = monitor,
	                           .init_fd = TAKE_FD(init_fd),
	                           .monitor_fd = TAKE_FD(monitor_fd),
	                           .cpu = *cpu });
	return 0;
}

bool ct_engine_find(struct instance_engine *engine, const char *run_dir)
{
	const char *id = path_base(run_dir);
	scoped_free char *monitor_group = xasprintf("%s/%s", engine->monitor_group, id);
	scoped_free char *group = ct_engine_group(engine, id);
	int64_t deadline = date_deadline(FIND_TIMEOUT_MS);
	pid_t monitor, again, init;

	if (cgroup_first_pid(engine->cg, monitor_group, &monitor) < 0)
		return false;
	scoped_fd int monitor_fd = fd_of_pid(monitor);
	if (monitor_fd < 0 || cgroup_first_pid(engine->cg, monitor_group, &again) < 0 ||
	    again != monitor)
		return false;

	/* It may be about to start or to end just now. */
	int init_fd;
	while ((init_fd = find_init(monitor, &init)) < 0) {
		if (date_left(deadline) == 0 ||
		    fd_wait(monitor_fd, POLLIN, date_deadline(REBOOT_POLL_MS)) != 0)
			return false;
	}

	bool is_frozen = false;
	cgroup_is_frozen(engine->cg, group, &is_frozen);
	add(engine, run_dir,
	    (struct ct_container){ .init = init,
	                           .monitor = monitor,
	                           .init_fd = init_fd,
	                           .monitor_fd = TAKE_FD(monitor_fd),
	                           .is_frozen = is_frozen });
	return true;
}

bool ct_engine_get(struct instance_engine *engine, const char *id, struct ct_running *ret_running)
{
	mutex_lock(&engine->lock);
	const struct ct_container *c = map_get(engine->containers, id);
	if (c) {
		ret_running->init = c->init;
		ret_running->monitor = c->monitor;
		ret_running->is_frozen = c->is_frozen;
		str_copy(ret_running->run_dir, sizeof(ret_running->run_dir), c->run_dir);
	}
	mutex_unlock(&engine->lock);

	return c;
}

void ct_engine_each(struct instance_engine *engine,
                    void (*fn)(const char *id, enum instance_status status, void *arg), void *arg)
{
	mutex_lock(&engine->lock);
	MAP_FOREACH (e, engine->containers) {
		const struct ct_container *c = e->value;

		fn(e->key, c->is_frozen ? INSTANCE_FROZEN : INSTANCE_RUNNING, arg);
	}
	mutex_unlock(&engine->lock);
}

int ct_engine_need(struct instance_engine *engine, const char *id, struct ct_running *ret_running,
                   struct error **err)
{
	if (ct_engine_get(engine, id, ret_running))
		return 0;
	return error_set(err, 400, "Instance is not running");
}

int ct_engine_signal(struct instance_engine *engine, const char *id, int signal)
{
	mutex_lock(&engine->lock);
	const struct ct_container *c = map_get(engine->containers, id);
	int r = c ? fd_kill(c->init_fd, signal) : -ESRCH;
	mutex_unlock(&engine->lock);

	return r;
}

int ct_engine_signal_monitor(struct instance_engine *engine, const char *id, int signal)
{
	mutex_lock(&engine->lock);
	const struct ct_container *c = map_get(engine->containers, id);
	int r = c ? fd_kill(c->monitor_fd, signal) : -ESRCH;
	mutex_unlock(&engine->lock);

	return r;
}

/* Whether it runs, or its end is just being reported. */
static bool is_there(const struct instance_engine *engine, const char *id) REQUIRES(engine->lock)
{
	return map_has(engine->containers, id) || str_equals(engine->reporting, id);
}

int ct_engine_wait_stopped(struct instance_engine *engine, const char *id, int64_t deadline,
                           const struct op *op)
{
	int r = 0;

	mutex_lock(&engine->lock);
	while (r == 0 && is_there(engine, id)) {
		/* Cancellation is looked for now and then; the end itself wakes us. */
		int64_t slice = date_deadline(WAIT_SLICE_MS);

		thread_cond_wait_until(&engine->changed, &engine->lock, MIN_OF(slice, deadline));
		if (!is_there(engine, id))
			break;
		if (op_cancelled(op))
			r = -ECANCELED;
		else if (date_left(deadline) == 0)
			r = -ETIMEDOUT;
	}
	mutex_unlock(&engine->lock);

	return r;
}

void ct_engine_set_frozen(struct instance_engine *engine, const char *id, bool is_frozen)
{
	mutex_lock(&engine->lock);
	struct ct_container *c = map_get(engine->containers, id);
	if (c)
		c->is_frozen = is_frozen;
	mutex_unlock(&engine->lock);
}

void ct_engine_keep_limits(struct instance_engine *engine, const char *id,
                           const struct ct_limits *limits)
{
	mutex_lock(&engine->lock);
	struct ct_container *c = map_get(engine->containers, id);
	if (c) {
		if (!c->limits)
			c->limits = xmalloc(sizeof(*c->limits));
		*c->limits = *limits;
	}
	mutex_unlock(&engine->lock);
}

void ct_engine_set_console(struct instance_engine *engine, const char *id, int connection)
{
	mutex_lock(&engine->lock);
	struct ct_container *c = map_get(engine->containers, id);
	if (c) {
		if (c->console_fd >= 0)
			close(c->console_fd);
		c->console_fd = fd_dup(connection);
	}
	mutex_unlock(&engine->lock);
}

void ct_engine_end_console(struct instance_engine *engine, const char *id)
{
	mutex_lock(&engine->lock);
	struct ct_container *c = map_get(engine->containers, id);
	if (c && c->console_fd >= 0)
		shutdown(c->console_fd, SHUT_RDWR);
	mutex_unlock(&engine->lock);
}

/* The CPUs that our containers may have at all. */
static bool usable_cpus(const struct instance_engine *engine, struct ct_cpu_set *ret_set)
{
	scoped_free char *text = NULL;
	bool is_v2 = cgroup_is_v2(engine->cg, CGROUP_CPUSET);
	const char *file = is_v2 ? "cpuset.cpus.effective" : "cpuset.cpus";

	return cgroup_read(engine->cg, CGROUP_CPUSET, "", file, &text) == 0 &&
	       ct_cpu_set_parse(text, ret_set) == 0 && ct_cpu_set_count(ret_set) > 0;
}

/* Whether the CPUs of a wish depend on others. */
static bool is_free(const struct ct_cpu_wish *wish)
{
	return wish->count == 0 && ct_cpu_set_count(&wish->pin) == 0;
}

/* Balances all, and 'extra' as one more, whose set is returned. */
static struct ct_cpu_set balance(struct instance_engine *engine, const struct ct_cpu_set *usable,
                                 const struct ct_cpu_wish *extra) REQUIRES(engine->lock)
{
	size_t n = map_count(engine->containers), i = 0;
	scoped_free struct ct_cpu_wish *wishes = xcalloc(n + 1, sizeof(*wishes));
	scoped_free struct ct_cpu_set *sets = xcalloc(n + 1, sizeof(*sets));

	MAP_FOREACH (e, engine->containers) {
		const struct ct_container *c = e->value;
		wishes[i] = c->cpu;
		sets[i++] = c->cpus;
	}
	if (extra)
		wishes[n] = *extra;
	ct_cpu_balance(usable, wishes, n + (extra != NULL), sets);

	i = 0;
	MAP_FOREACH (e, engine->containers) {
		struct ct_container *c = e->value;
		const struct ct_cpu_set *set = &sets[i++];
		bool was_limited = ct_cpu_set_count(&c->cpus) > 0;

		if (memcmp(set, &c->cpus, sizeof(*set)) == 0 || (is_free(&c->cpu) && !was_limited))
			continue;
		scoped_free char *group = ct_engine_group(engine, c->id);
		scoped_free char *text = ct_cpu_set_format(set);
		if (cgroup_write(engine->cg, CGROUP_CPUSET, group, "cpuset.cpus", text) == 0)
			c->cpus = is_free(&c->cpu) ? (struct ct_cpu_set){ { 0 } } : *set;
	}

	return sets[n];
}

void ct_engine_balance(struct instance_engine *engine, const char *id,
                       const struct ct_cpu_wish *wish)
{
	struct ct_cpu_set usable;

	if (!usable_cpus(engine, &usable))
		return;
	mutex_lock(&engine->lock);
	struct ct_container *c = id ? map_get(engine->containers, id) : NULL;
	if (c)
		c->cpu = *wish;
	balance(engine, &usable, NULL);
	mutex_unlock(&engine->lock);
}

char *ct_engine_cpus_for(struct instance_engine *engine, const struct ct_cpu_wish *wish)
{
	struct ct_cpu_set usable;

	if (is_free(wish) || !usable_cpus(engine, &usable))
		return NULL;
	mutex_lock(&engine->lock);
	struct ct_cpu_set set = balance(engine, &usable, wish);
	mutex_unlock(&engine->lock);

	return ct_cpu_set_format(&set);
}
