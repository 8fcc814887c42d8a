/*
 * Runs one command inside a container, and stays until it ends to tell its status.
 *
 * liblxc enters the namespaces, control groups, capabilities and filters that the container has.
 * Terminals are made from the container's own devpts, so that "tty" inside has a name for them.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <lxc/attach_options.h>
#include <lxc/lxccontainer.h>

#include "daemon/helper/helper_job.h"
#include "lib/base/alloc.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/path.h"
#include "lib/base/scoped.h"
#include "lib/base/strv.h"

#define CANNOT_RUN 126
#define NOT_FOUND 127

struct request {
	const char *run_dir;
	bool is_interactive;
	uid_t uid;
	gid_t gid;
	uint16_t width, height;
	const char *cwd;
	char **argv;
	char **env;
};

static char **read_strings(struct bytes *b)
{
	uint32_t n = bytes_le32(b);
	char **strings = NULL;

	for (uint32_t i = 0; i < n && !b->is_bad; i++) {
		const char *s = bytes_text(b);
		if (s)
			strv_add(&strings, s);
	}

	return strings;
}

static bool read_request(struct bytes *b, struct request *req)
{
	req->run_dir = bytes_text(b);
	req->is_interactive = bytes_u8(b) != 0;
	req->uid = bytes_le32(b);
	req->gid = bytes_le32(b);
	req->width = bytes_le16(b);
	req->height = bytes_le16(b);
	req->cwd = bytes_text(b);
	req->argv = read_strings(b);
	req->env = read_strings(b);
	return !b->is_bad && req->run_dir && req->cwd && req->argv;
}

/* The id on the host for an id inside, by /proc/PID/uid_map or gid_map; itself if that fails. */
static unsigned host_id(pid_t init, const char *map, unsigned id)
{
	char path[64];
	scoped_free char *text = NULL;

	snprintf(path, sizeof(path), "/proc/%d/%s", init, map);
	if (file_read(path, 1 << 20, &text, NULL) < 0)
		return id;
	scoped(strv_freep) char **lines = strv_split_trimmed(text, '\n');
	STRV_FOREACH (line, lines) {
		char *at;
		unsigned long inside = strtoul(line, &at, 10);
		unsigned long outside = strtoul(at, &at, 10);
		unsigned long n = strtoul(at, &at, 10);

		if (id >= inside && id - inside < n)
			return (unsigned)(outside + (id - inside));
	}

	return id;
}

/* A terminal of the container's devpts: [0] is the master, [1] what the command gets. */
static int open_terminal(struct lxc_container *c, const struct request *req, pid_t init,
                         int ret_pair[2])
{
	scoped_fd int devpts = c->devpts_fd(c);
	int zero = 0;

	scoped_fd int master = devpts >= 0 ? openat(devpts, "ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)
	                                   : posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (master < 0 || ioctl(master, TIOCSPTLCK, &zero) < 0)
		return -errno;
	scoped_fd int slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave < 0)
		return -errno;

	const struct winsize size = { .ws_col = req->width, .ws_row = req->height };
	if (req->width && req->height)
		ioctl(master, TIOCSWINSZ, &size);
	/* "mesg n" as default: group tty may not write. */
	if (fchown(slave, host_id(init, "uid_map", req->uid), (gid_t)-1) < 0 ||
	    fchmod(slave, 0620) < 0)
		return -errno;
	ret_pair[0] = TAKE_FD(master);
	ret_pair[1] = TAKE_FD(slave);
	return 0;
}

/* In the attached process, as the user that was asked for. */
static int run_command(void *arg)
{
	const struct request *req = arg;

	setsid();
	if (req->is_interactive)
		ioctl(STDIN_FILENO, TIOCSCTTY, 0);
	if (*req->cwd ? chdir(req->cwd) < 0 : req->uid != 0 || chdir("/root") < 0) {
		if (chdir("/") < 0)
			return CANNOT_RUN;
	}
	execvp(req->argv[0], req->argv);
	return errno == ENOENT || errno == ENOTDIR ? NOT_FOUND : CANNOT_RUN;
}

static void put_container(struct lxc_container **c)
{
	if (*c)
		lxc_container_put(*c);
}

/* execvp() looks in PATH of its own environment, which liblxc has replaced by then. */
static pid_t attach(struct lxc_container *c, struct request *req, const int *fds)
{
	lxc_attach_options_t options = LXC_ATTACH_OPTIONS_DEFAULT;
	pid_t pid = -1;

	options.env_policy = LXC_ATTACH_CLEAR_ENV;
	options.extra_env_vars = req->env;
	options.uid = req->uid;
	options.gid = req->gid;
	options.stdin_fd = fds[0];
	options.stdout_fd = fds[1];
	options.stderr_fd = fds[2];
	if (c->attach(c, run_command, req, &options, &pid) < 0)
		return -1;
	return pid;
}

int helper_exec_run(struct helper_job *job)
{
	struct request req = { 0 };
	int terminal[2] = { -1, -1 }, status;

	if (!read_request(&job->payload, &req) || (!req.is_interactive && job->n_fds != 3))
		return helper_job_fail(job, -EINVAL, 500, "Bad request") < 0;

	scoped_free char *parent = path_dir(req.run_dir);
	scoped(put_container) struct lxc_container *c =
		lxc_container_new(path_base(req.run_dir), parent);
	pid_t init = c ? c->init_pid(c) : -1;
	if (init <= 0)
		return helper_job_fail(job, -ESRCH, 400, "Instance is not running") < 0;
	if (req.is_interactive) {
		int r = open_terminal(c, &req, init, terminal);
		if (r < 0)
			return helper_job_fail(job, r, 0, "Failed opening a terminal") < 0;
	}

	const int ends[3] = { terminal[1], terminal[1], terminal[1] };
	pid_t pid = attach(c, &req, req.is_interactive ? ends : job->fds);
	if (pid < 0)
		return helper_job_fail(job, -EIO, 500, "Failed to attach to the container") < 0;

	int reply_fds[2] = { fd_of_pid(pid), terminal[0] };
	scoped(strbuf_done) struct strbuf more = { 0 };
	bytes_put_le32(&more, (uint32_t)pid);
	helper_job_ok(job, &more, reply_fds, req.is_interactive ? 2 : 1);

	/* Whatever this process holds open would keep readers from seeing the end. */
	close(reply_fds[0]);
	for (size_t i = 0; i < 2; i++) {
		if (terminal[i] >= 0)
			close(terminal[i]);
	}
	for (size_t i = 0; i < job->n_fds; i++)
		close(job->fds[i]);
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return 1;
	}
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	return helper_job_number(job, code) < 0;
}
