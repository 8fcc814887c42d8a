#include "drivers/instance/ct/ct_spawner.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/alloc.h"
#include "lib/base/bytes.h"
#include "lib/base/date.h"
#include "lib/base/fd.h"
#include "lib/base/thread.h"

#define SOCKET_BUFFER (2 * CT_JOB_MAX_SIZE)

struct ct_spawner {
	struct mutex lock;
	const char *program;
	int fd;    /* Our end of the server's socket; -1: no server. */
	pid_t pid; /* 0: none. */
};

struct ct_spawner *ct_spawner_new(const char *program)
{
	struct ct_spawner *spawner = xcalloc(1, sizeof(*spawner));

	mutex_init(&spawner->lock);
	spawner->program = program;
	spawner->fd = -1;
	return spawner;
}

static void end_server(struct ct_spawner *spawner) REQUIRES(spawner->lock)
{
	if (spawner->fd >= 0)
		close(spawner->fd);
	spawner->fd = -1;
	if (spawner->pid > 0)
		waitpid(spawner->pid, NULL, 0);
	spawner->pid = 0;
}

void ct_spawner_free(struct ct_spawner *spawner)
{
	if (!spawner)
		return;
	mutex_lock(&spawner->lock);
	end_server(spawner);
	mutex_unlock(&spawner->lock);
	mutex_done(&spawner->lock);
	free(spawner);
}

/*
 * Our program on a read-only mount of its own, which is nowhere in the tree: what runs in a
 * privileged container can reach the binary through /proc/PID/exe of a helper that enters it, and
 * must not be able to write to it (as CVE-2019-5736 did). -1 where the kernel cannot: then it is
 * run as it is.
 */
static int open_readonly(const char *program)
{
	char path[4096];
	ssize_t n = readlink(program, path, sizeof(path) - 1);
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };

	/* The magic link of /proc/self/exe names a file, not a place where it is mounted. */
	if (n > 0)
		path[n] = '\0';
	int fd = (int)syscall(SYS_open_tree, AT_FDCWD, n > 0 ? path : program,
	                      OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (fd < 0)
		return -1;
	if (syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0) {
		close(fd);
		return -1;
	}

	return fd;
}

/* 'program' is a descriptor of what to run, or -1 to run the path that the spawner was given. */
static int spawn_server(struct ct_spawner *spawner, int program, int socket)
{
	const char *path = program < 0 ? spawner->program : "/proc/self/fd/3";
	char *argv[] = { (char *)"musterd", (char *)CT_JOB_HELPER, NULL };
	/*
	 * No PATH with newuidmap in it: liblxc writes id maps itself then, which is all that root
	 * needs, instead of running two set-uid programs per start.
	 */
	char *env[] = { (char *)"PATH=/nonexistent", (char *)"HOME=/", (char *)"LC_ALL=C.UTF-8",
		        NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none, all;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, socket, CT_JOB_SERVER_FD);
	posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
	/* The server closes it; close-on-exec would be too early for the path. */
	if (program >= 0)
		posix_spawn_file_actions_adddup2(&actions, program, 3);
	posix_spawn_file_actions_addclosefrom_np(&actions, program < 0 ? 3 : 4);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
	                                        POSIX_SPAWN_SETSID);
	int r = posix_spawn(&spawner->pid, path, &actions, &attr, argv, env);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	if (r != 0)
		spawner->pid = 0;

	return -r;
}

static int start_server(struct ct_spawner *spawner) REQUIRES(spawner->lock)
{
	int pair[2], size = SOCKET_BUFFER;

	int r = fd_socketpair(SOCK_SEQPACKET, pair);
	if (r < 0)
		return r;
	setsockopt(pair[0], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));

	scoped_fd int program = open_readonly(spawner->program);
	r = program >= 0 ? spawn_server(spawner, program, pair[1]) : -ENOSYS;
	if (r < 0)
		r = spawn_server(spawner, -1, pair[1]);
	close(pair[1]);
	if (r < 0) {
		close(pair[0]);
		return r;
	}

	spawner->fd = pair[0];
	return 0;
}

static int send_job(struct ct_spawner *spawner, const struct strbuf *packet, const int *fds,
                    size_t n_fds) REQUIRES(spawner->lock)
{
	if (spawner->fd < 0)
		return -ENOTCONN;
	return fd_send(spawner->fd, packet->text, packet->size, fds, n_fds);
}

int ct_spawner_run(struct ct_spawner *spawner, enum ct_job job, const struct strbuf *payload,
                   const int *fds, size_t n_fds, int *ret_socket, struct error **err)
{
	scoped(strbuf_done) struct strbuf packet = { 0 };
	int all_fds[CT_JOB_MAX_FDS], pair[2];

	assert(n_fds < CT_JOB_MAX_FDS);
	bytes_put_le32(&packet, job);
	strbuf_add_n(&packet, payload->text, payload->size);
	if (packet.size > CT_JOB_MAX_SIZE)
		return error_set(err, 400, "Request is too large");

	int r = fd_socketpair(SOCK_SEQPACKET, pair);
	if (r < 0)
		return error_set_errno(err, r, "Failed making a socket pair");
	all_fds[0] = pair[1];
	if (n_fds > 0)
		memcpy(all_fds + 1, fds, n_fds * sizeof(*fds));

	/* The first failure tells that the server has ended, being idle or killed. */
	mutex_lock(&spawner->lock);
	r = send_job(spawner, &packet, all_fds, n_fds + 1);
	if (r < 0) {
		end_server(spawner);
		r = start_server(spawner);
		if (r == 0)
			r = send_job(spawner, &packet, all_fds, n_fds + 1);
	}
	mutex_unlock(&spawner->lock);
	close(pair[1]);
	if (r < 0) {
		close(pair[0]);
		return error_set_errno(err, r, "Failed starting helper");
	}

	*ret_socket = pair[0];
	return 0;
}

int ct_spawner_reply(int job_socket, int timeout_ms, struct strbuf *ret_reply, int *ret_fds,
                     size_t max_fds, struct error **err)
{
	scoped(strbuf_done) struct strbuf reply = { 0 };
	size_t n_fds = 0;

	for (size_t i = 0; i < max_fds; i++)
		ret_fds[i] = -1;
	int r = fd_wait(job_socket, POLLIN, date_deadline(timeout_ms));
	if (r == 0)
		return error_set_errno(err, -ETIMEDOUT, "Helper does not answer");

	char *buffer = strbuf_reserve(&reply, CT_JOB_MAX_SIZE);
	ssize_t n = fd_receive(job_socket, buffer, CT_JOB_MAX_SIZE, ret_fds, max_fds, &n_fds);
	if (n <= 0)
		return error_set(err, 500, "Helper ended unexpectedly");
	strbuf_advance(&reply, (size_t)n);

	struct bytes b = { .data = (const uint8_t *)reply.text, .size = reply.size };
	int32_t status = (int32_t)bytes_le32(&b);
	if (status < 0) {
		uint32_t http = bytes_le32(&b);
		const char *sentence = bytes_text(&b);
		if (b.is_bad || !sentence)
			return error_set(err, 500, "Helper gave a wrong answer");
		if (http == 0)
			return error_set_errno(err, status, "%s", sentence);
		error_set(err, (int)http, "%s", sentence);
		return status;
	}

	strbuf_add_n(ret_reply, b.data, b.size);
	return 0;
}
