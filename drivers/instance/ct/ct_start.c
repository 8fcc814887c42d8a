#include "drivers/instance/ct/ct_start.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "drivers/host/op.h"
#include "drivers/instance/ct/ct_seccomp.h"
#include "lib/base/alloc.h"
#include "lib/base/bytes.h"
#include "lib/base/date.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/base/path.h"
#include "lib/base/smap.h"
#include "lib/base/str.h"
#include "lib/base/tree.h"
#include "lib/linux/net_link.h"

#define START_TIMEOUT_MS 120000
#define REMOVE_TIMEOUT_MS 5000
#define LOCK_DIR "/run/lxc/lock"

/* Not synced: these files are of no use after a power cut. */
static int write_file(const char *dir, const char *name, const struct strbuf *text)
{
	scoped_free char *path = xasprintf("%s/%s", dir, name);
	scoped_fd int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);

	return fd < 0 ? -errno : fd_write_full(fd, text->text, text->size);
}

static int make_config(struct instance_engine *engine, const struct instance_spec *spec,
                       const char *cpus, struct strbuf *ret_config, struct strbuf *ret_policy,
                       struct error **err)
{
	scoped_free char *policy_path = xasprintf("%s/seccomp", spec->run_dir);

	int r = ct_seccomp_policy(spec->config, ret_policy, err);
	if (r < 0)
		return r;
	return ct_config_write(spec, &engine->host, cpus, ret_policy->size ? policy_path : NULL,
	                       ret_config, err);
}

int ct_start_validate(struct instance_engine *engine, const struct instance_spec *spec,
                      struct error **err)
{
	scoped(strbuf_done) struct strbuf config = { 0 }, policy = { 0 };
	struct ct_cpu_wish wish;

	int r = ct_cpu_wish_parse(smap_get(spec->config, "limits.cpu"), &wish, err);
	if (r < 0)
		return r;
	return make_config(engine, spec, NULL, &config, &policy, err);
}

static int make_folders(const struct instance_spec *spec, struct error **err)
{
	scoped_free char *root = xasprintf("%s/root", spec->run_dir);

	/* Root of the container, another user on the host, goes through these to its root. */
	int r = mkdir(root, 0711) < 0 && errno != EEXIST ? file_make_dirs(root, 0711) : 0;
	if (r == 0)
		r = mkdir(spec->log_dir, 0700) < 0 && errno != EEXIST
		            ? file_make_dirs(spec->log_dir, 0700)
		            : 0;
	if (r < 0)
		return error_set_errno(err, r, "Failed making \"%s\"", spec->run_dir);
	return 0;
}

static int write_files(struct instance_engine *engine, const struct instance_spec *spec,
                       const char *cpus, struct error **err)
{
	scoped(strbuf_done) struct strbuf config = { 0 }, policy = { 0 };

	int r = make_config(engine, spec, cpus, &config, &policy, err);
	if (r < 0)
		return r;
	r = make_folders(spec, err);
	if (r < 0)
		return r;
	r = write_file(spec->run_dir, "config", &config);
	if (r == 0)
		r = write_file(spec->log_dir, "lxc.conf", &config);
	if (r == 0 && policy.size > 0)
		r = write_file(spec->run_dir, "seccomp", &policy);
	if (r < 0)
		return error_set_errno(err, r, "Failed writing the configuration of \"%s\"",
		                       spec->id);
	return 0;
}

/*
 * Removes the groups that an earlier run left: liblxc would refuse to start. Nearly always there
 * are none. If there are, a monitor was killed, or a failed start is still being cleaned up;
 * processes that are dead already keep a group of version 2 busy until their parent has seen it.
 */
static void remove_groups(struct instance_engine *engine, const char *id)
{
	scoped_free char *payload = ct_engine_group(engine, id);
	scoped_free char *monitor = xasprintf("%s/%s", engine->monitor_group, id);
	int64_t deadline = date_deadline(REMOVE_TIMEOUT_MS);

	for (bool is_killed = false;;) {
		int r = cgroup_remove(engine->cg, payload);
		int r2 = cgroup_remove(engine->cg, monitor);
		if ((r == 0 && r2 == 0) || date_left(deadline) == 0)
			return;
		if (!is_killed)
			cgroup_kill(engine->cg, payload);
		is_killed = true;
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	}
}

int ct_start_tune_link(struct netlink *nl, const struct run_link *link)
{
	int r = 0;

	if (link->tx_queue_len)
		r = net_link_set_queue_len(nl, link->host_name, link->tx_queue_len);
	if (r == 0 && link->is_isolated)
		r = net_link_set_isolated(nl, link->host_name, true);

	return r;
}

static void tune_links(const struct instance_spec *spec)
{
	scoped(netlink_freep) struct netlink *nl = NULL;

	for (size_t i = 0; i < spec->n_devices; i++) {
		const struct run_config *run = spec->devices[i];
		for (size_t k = 0; k < run->n_links; k++) {
			const struct run_link *link = &run->links[k];
			if (!link->tx_queue_len && !link->is_isolated)
				continue;
			if (!nl && netlink_open(&nl) < 0)
				return;
			int r = ct_start_tune_link(nl, link);
			if (r < 0)
				log_warn("Failed setting up link \"%s\": %s", link->host_name,
				         strerror(-r));
		}
	}
}

/* What liblxc was not told since it would fail where the kernel lacks it. */
static void apply_optional(struct instance_engine *engine, const struct instance_spec *spec)
{
	scoped(error_freep) struct error *err = NULL;
	scoped_free char *group = ct_engine_group(engine, spec->id);
	struct ct_limits limits, optional = { .n_items = 0 };

	if (ct_limits_of(spec->config, &engine->host.limits, true, &limits, &err) < 0)
		return;
	for (size_t i = 0; i < limits.n_items; i++) {
		if (limits.items[i].is_optional)
			optional.items[optional.n_items++] = limits.items[i];
	}
	ct_limits_apply(engine->cg, group, &optional, &err);
}

static void add_disk(struct strbuf *payload, const struct run_mount *mount)
{
	uint32_t flags = (mount->is_file ? CT_JOB_MOUNT_FILE : 0) |
	                 (mount->is_recursive ? CT_JOB_MOUNT_RECURSIVE : 0) |
	                 (mount->is_optional ? CT_JOB_MOUNT_OPTIONAL : 0) |
	                 (mount->within ? CT_JOB_MOUNT_WITHIN : 0);

	bytes_put_le32(payload, flags);
	strbuf_add_n(payload, mount->source, strlen(mount->source) + 1);
	if (mount->within)
		strbuf_add_n(payload, mount->within, strlen(mount->within) + 1);
}

/* In the order in which the config numbers them. */
static void add_disks(struct strbuf *payload, const struct instance_spec *spec)
{
	scoped(strbuf_done) struct strbuf disks = { 0 };
	uint32_t n = 0;

	for (size_t i = 0; i < spec->n_devices; i++) {
		const struct run_config *run = spec->devices[i];

		for (size_t k = 0; k < run->n_mounts; k++) {
			if (!ct_config_is_staged(spec, &run->mounts[k]))
				continue;
			add_disk(&disks, &run->mounts[k]);
			n++;
		}
	}

	bytes_put_le32(payload, n);
	strbuf_add_n(payload, disks.text, disks.size);
}

static int run_helper(struct instance_engine *engine, const struct instance_spec *spec,
                      pid_t *ret_init, int *ret_init_fd, struct error **err)
{
	scoped(strbuf_done) struct strbuf payload = { 0 }, reply = { 0 };
	scoped_fd int job = -1;
	scoped_fd int init_fd = -1;

	strbuf_add_n(&payload, spec->run_dir, strlen(spec->run_dir) + 1);
	strbuf_addf(&payload, "%s/lxc.log", spec->log_dir);
	strbuf_add_char(&payload, '\0');
	add_disks(&payload, spec);
	int r = ct_spawner_run(engine->spawner, CT_JOB_START, &payload, NULL, 0, &job, err);
	if (r == 0)
		r = ct_spawner_reply(job, START_TIMEOUT_MS, &reply, &init_fd, 1, err);
	if (r < 0)
		return r;

	struct bytes b = { .data = (const uint8_t *)reply.text, .size = reply.size };
	pid_t init = (pid_t)bytes_le32(&b);
	if (b.is_bad || init <= 0 || init_fd < 0)
		return error_set(err, 500, "The container ended while it was starting");
	*ret_init = init;
	*ret_init_fd = TAKE_FD(init_fd);
	return 0;
}

int ct_start(struct instance_engine *engine, const struct instance_spec *spec, struct op *op,
             struct error **err)
{
	struct ct_cpu_wish wish;
	struct ct_running running;
	pid_t init = 0;
	int init_fd = -1;

	if (ct_engine_get(engine, spec->id, &running))
		return error_set(err, 400, "The instance is already running");
	int r = op_check(op, err);
	if (r == 0)
		r = ct_cpu_wish_parse(smap_get(spec->config, "limits.cpu"), &wish, err);
	if (r < 0)
		return r;

	scoped_free char *cpus = ct_engine_cpus_for(engine, &wish);
	r = write_files(engine, spec, cpus, err);
	if (r < 0)
		return r;
	remove_groups(engine, spec->id);
	r = run_helper(engine, spec, &init, &init_fd, err);
	if (r == 0)
		r = ct_engine_add(engine, spec->run_dir, init, init_fd, &wish, err);
	if (r < 0) {
		remove_groups(engine, spec->id);
		return r;
	}

	apply_optional(engine, spec);
	tune_links(spec);
	if (cpus)
		ct_engine_balance(engine, NULL, NULL);
	return 0;
}

int ct_start_update_limits(struct instance_engine *engine, const struct instance_spec *spec,
                           struct error **err)
{
	scoped_free char *group = ct_engine_group(engine, spec->id);
	struct ct_cpu_wish wish;
	struct ct_limits limits;
	struct ct_running running;

	int r = ct_engine_need(engine, spec->id, &running, err);
	if (r == 0)
		r = ct_cpu_wish_parse(smap_get(spec->config, "limits.cpu"), &wish, err);
	if (r == 0)
		r = ct_limits_of(spec->config, &engine->host.limits, false, &limits, err);
	if (r == 0)
		r = ct_limits_apply(engine->cg, group, &limits, err);
	if (r < 0)
		return r;

	ct_engine_keep_limits(engine, spec->id, &limits);
	ct_engine_balance(engine, spec->id, &wish);
	return 0;
}

/* liblxc never removes the lock file of a container, nor the folders above it. */
static void remove_lock_file(const char *run_dir)
{
	scoped_free char *parent = path_dir(run_dir);
	scoped_free char *folder = xasprintf("%s%s", LOCK_DIR, parent);
	scoped_free char *file = xasprintf("%s/.%s", folder, path_base(run_dir));

	unlink(file);
	for (size_t len = strlen(folder); len > strlen(LOCK_DIR); len = strlen(folder)) {
		if (rmdir(folder) < 0)
			return;
		*strrchr(folder, '/') = '\0';
	}
}

int ct_start_forget(struct instance_engine *engine, const struct instance_spec *spec,
                    struct error **err)
{
	struct ct_running running;

	if (ct_engine_get(engine, spec->id, &running))
		return error_set(err, 400, "Instance is running");
	int r = tree_remove(spec->run_dir, 0);
	if (r == 0)
		r = tree_remove(spec->log_dir, 0);
	if (r < 0)
		return error_set_errno(err, r, "Failed removing the folders of \"%s\"", spec->id);
	remove_lock_file(spec->run_dir);
	return 0;
}
