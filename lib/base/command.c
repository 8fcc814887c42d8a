#include "lib/base/command.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/alloc.h"
#include "lib/base/date.h"
#include "lib/base/fd.h"
#include "lib/base/str.h"
#include "lib/base/strbuf.h"

#define MAX_OUTPUT ((size_t)1024 * 1024)
#define MAX_FDS 16

/* Not $PATH: who starts the daemon does not choose the programs that run as root. */
static const char *const folders[] = {
	"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin",
};

static const char *const minimal_env[] = {
	"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
	"HOME=/",
	"LC_ALL=C.UTF-8",
	NULL,
};

/* The path of a program in 'buf' of PATH_MAX, or NULL. */
static const char *find_program(const char *name, char *buf)
{
	if (strchr(name, '/'))
		return access(name, X_OK) == 0 ? name : NULL;

	for (size_t i = 0; i < COUNT_OF(folders); i++) {
		snprintf(buf, PATH_MAX, "%s/%s", folders[i], name);
		if (access(buf, X_OK) == 0)
			return buf;
	}
	return NULL;
}

bool command_exists(const char *name)
{
	char buf[PATH_MAX];

	return find_program(name, buf) != NULL;
}

struct plan {
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	int copies[3 + MAX_FDS]; /* Out of the way of the numbers that the child wants. */
	int n_copies;
};

static void plan_done(struct plan *p)
{
	posix_spawn_file_actions_destroy(&p->actions);
	posix_spawnattr_destroy(&p->attr);
	for (int i = 0; i < p->n_copies; i++)
		close(p->copies[i]);
}

/* The child's fd 'number' becomes 'fd', or /dev/null if that is 0. */
static int plan_fd(struct plan *p, int fd, int number, size_t n_fds)
{
	if (fd == 0)
		return -posix_spawn_file_actions_addopen(&p->actions, number, "/dev/null", O_RDWR,
		                                         0);

	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3 + (int)n_fds);
	if (copy < 0)
		return -errno;

	p->copies[p->n_copies++] = copy;
	return -posix_spawn_file_actions_adddup2(&p->actions, copy, number);
}

static int plan_fds(struct plan *p, const struct command *c, const int stdio[3])
{
	int r = 0;

	for (int i = 0; i < 3 && r == 0; i++)
		r = plan_fd(p, stdio[i], i, c->n_fds);
	for (size_t i = 0; i < c->n_fds && r == 0; i++)
		r = plan_fd(p, c->fds[i], 3 + (int)i, c->n_fds);
	if (r == 0)
		r = -posix_spawn_file_actions_addclosefrom_np(&p->actions, 3 + (int)c->n_fds);
	if (r == 0)
		r = -posix_spawn_file_actions_addchdir_np(&p->actions, c->cwd ? c->cwd : "/");
	return r;
}

static void plan_attributes(struct plan *p, bool own_session)
{
	sigset_t none, all;
	short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_setsigmask(&p->attr, &none);
	posix_spawnattr_setsigdefault(&p->attr, &all);
	posix_spawnattr_setpgroup(&p->attr, 0);
	posix_spawnattr_setflags(&p->attr, (short)(flags | (own_session ? POSIX_SPAWN_SETSID
	                                                                : POSIX_SPAWN_SETPGROUP)));
}

static int spawn(const struct command *c, const int stdio[3], pid_t *ret_pid)
{
	scoped_free char *buf = xmalloc(PATH_MAX);
	struct plan p = { .n_copies = 0 };

	if (c->n_fds > MAX_FDS)
		return -E2BIG;

	const char *program = find_program(c->argv[0], buf);
	if (!program)
		return -ENOENT;

	posix_spawn_file_actions_init(&p.actions);
	posix_spawnattr_init(&p.attr);
	plan_attributes(&p, c->own_session);
	int r = plan_fds(&p, c, stdio);
	if (r == 0)
		r = -posix_spawn(ret_pid, program, &p.actions, &p.attr, (char *const *)c->argv,
		                 (char *const *)(c->env ? c->env : minimal_env));
	plan_done(&p);
	return r;
}

int command_start(const struct command *c, pid_t *ret_pid)
{
	int stdio[3] = { c->stdin_fd, c->stdout_fd, c->stderr_fd };

	return spawn(c, stdio, ret_pid);
}

int command_wait(pid_t pid, int *ret_status)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;

	*ret_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	return 0;
}

/* A pipe end of ours and what flows through it. */
struct flow {
	int fd; /* -1: none or closed. */
	struct strbuf text;
	size_t written;
};

struct run {
	struct command *c;
	struct flow in, out, err;
	int pidfd;
	int64_t deadline;
};

static void close_flow(struct flow *f)
{
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
}

/* Makes the pipes. 'ret_stdio' are the child's ends (or the caller's fds), owned where >= 3. */
static int open_flows(struct run *run, int ret_stdio[3], bool is_ours[3])
{
	struct command *c = run->c;
	struct flow *flows[] = { &run->in, &run->out, &run->err };
	const int given[] = { c->stdin_fd, c->stdout_fd, c->stderr_fd };

	for (int i = 0; i < 3; i++) {
		int ends[2], ours = i == 0;

		ret_stdio[i] = given[i];
		if (given[i] || (i == 0 && !c->input_size))
			continue;

		int r = fd_pipe(ends);
		if (r < 0)
			return r;

		flows[i]->fd = ends[ours];
		ret_stdio[i] = ends[!ours];
		is_ours[i] = true;
		fd_set_nonblock(flows[i]->fd, true);
	}
	return 0;
}

static void feed(struct run *run)
{
	const struct command *c = run->c;
	ssize_t n = write(run->in.fd, (const char *)c->input + run->in.written,
	                  c->input_size - run->in.written);

	if (n > 0)
		run->in.written += (size_t)n;
	/* A program that does not read all of it is no failure. */
	if ((n < 0 && errno != EAGAIN && errno != EINTR) || run->in.written == c->input_size)
		close_flow(&run->in);
}

/* Takes what is there. */
static int drain(struct run *run, struct flow *f)
{
	size_t max = run->c->max_output ? run->c->max_output : MAX_OUTPUT;

	while (f->fd >= 0) {
		ssize_t n = read(f->fd, strbuf_reserve(&f->text, 4096), 4096);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return 0;
		if (n <= 0) {
			close_flow(f);
			return 0;
		}
		strbuf_advance(&f->text, (size_t)n);
		if (f->text.size > max)
			return -EFBIG;
	}
	return 0;
}

/* Moves data until the program ends. Returns 0, or why it has to be killed. */
static int pump(struct run *run)
{
	for (;;) {
		struct pollfd fds[] = {
			{ .fd = run->pidfd, .events = POLLIN },
			{ .fd = cancel_fd(run->c->cancel), .events = POLLIN },
			{ .fd = run->in.fd, .events = POLLOUT },
			{ .fd = run->out.fd, .events = POLLIN },
			{ .fd = run->err.fd, .events = POLLIN },
		};
		int64_t deadline = MIN_OF(run->deadline, cancel_deadline(run->c->cancel));

		if (poll(fds, COUNT_OF(fds), date_left(deadline)) < 0 && errno != EINTR)
			return -errno;
		if (fds[2].revents)
			feed(run);

		int r = drain(run, &run->out);
		if (r == 0)
			r = drain(run, &run->err);
		if (r < 0 || fds[0].revents)
			return r;

		r = cancel_code(run->c->cancel);
		if (r < 0)
			return r;
		if (date_left(run->deadline) == 0)
			return -ETIMEDOUT;
	}
}

static void keep_output(struct flow *f, char **ret, size_t *ret_size)
{
	*ret_size = f->text.size;
	*ret = f->text.size ? strbuf_take(&f->text) : NULL;
	strbuf_done(&f->text);
}

int command_run(struct command *c)
{
	struct run run = {
		.c = c,
		.in = { .fd = -1 },
		.out = { .fd = -1 },
		.err = { .fd = -1 },
		.pidfd = -1,
		.deadline = date_deadline(c->timeout_ms ? c->timeout_ms : -1),
	};
	int stdio[3] = { 0 };
	bool is_ours[3] = { false };
	pid_t pid = -1;

	command_done(c);
	int r = cancel_code(c->cancel);
	if (r == 0)
		r = open_flows(&run, stdio, is_ours);
	if (r == 0)
		r = spawn(c, stdio, &pid);
	for (int i = 0; i < 3; i++)
		if (is_ours[i])
			close(stdio[i]);

	if (pid > 0) {
		run.pidfd = fd_of_pid(pid);
		r = run.pidfd < 0 ? run.pidfd : pump(&run);
		if (r < 0)
			kill(-pid, SIGKILL);

		int waited = command_wait(pid, &c->status);
		if (r == 0)
			r = waited;

		/* What it wrote last; its children may hold the pipes open, that is their matter.
		 */
		int drained = drain(&run, &run.out);
		if (drained == 0)
			drained = drain(&run, &run.err);
		if (r == 0)
			r = drained;
	}

	close_flow(&run.in);
	close_flow(&run.out);
	close_flow(&run.err);
	if (run.pidfd >= 0)
		close(run.pidfd);
	keep_output(&run.out, &c->output, &c->output_size);
	keep_output(&run.err, &c->errors, &c->errors_size);
	return r;
}

int command_check(struct command *c, struct error **err)
{
	int r = command_run(c);
	if (r < 0)
		return error_set_errno(err, r, "Failed running \"%s\"", c->argv[0]);
	if (c->status == 0)
		return 0;

	scoped_free char *errors = str_trim(c->errors);
	return error_set(err, 500, "Failed running \"%s\": exit status %d%s%s%s", c->argv[0],
	                 c->status, *errors ? " (" : "", errors, *errors ? ")" : "");
}

void command_done(struct command *c)
{
	free(c->output);
	free(c->errors);
	c->status = 0;
	c->output = c->errors = NULL;
	c->output_size = c->errors_size = 0;
}
