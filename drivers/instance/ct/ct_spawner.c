#include "drivers/instance/ct/ct_spawner.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/alloc.h"
#include "lib/base/bytes.h"
#include "lib/base/date.h"
#include "lib/base/fd.h"
#include "lib/base/thread.h"

/* Linux 6.3. */
#ifndef MFD_EXEC
#	define MFD_EXEC 0x0010U
#endif

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)
#define SOCKET_BUFFER (2 * CT_JOB_MAX_SIZE)

struct ct_spawner {
	struct mutex lock;
	char *run_dir;
	int image; /* The embedded program, ready to run; -1: not yet, or none. */
	int fd;    /* Our end of the server's socket; -1: no server. */
	pid_t pid; /* 0: none. */
};

struct ct_spawner *ct_spawner_new(const char *run_dir)
{
	struct ct_spawner *spawner = xcalloc(1, sizeof(*spawner));

	mutex_init(&spawner->lock);
	spawner->run_dir = xstrdup(run_dir);
	spawner->fd = spawner->image = -1;
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
	if (spawner->image >= 0)
		close(spawner->image);
	free(spawner->run_dir);
	free(spawner);
}

/* Defined by daemon/helper/embed.py in programs that have the fork server inside. */
extern const unsigned char ct_spawner_image[] __attribute__((weak));
extern const unsigned char ct_spawner_image_end[] __attribute__((weak));

/*
 * The embedded program as a file in memory. Sealed: what runs in a privileged container can reach
 * the binary of a helper that enters it through /proc/PID/exe, and must not be able to write to it
 * (as CVE-2019-5736 did). Where such files may not be run (vm.memfd_noexec), a file without a name.
 */
static int open_image(const char *run_dir, bool in_memory)
{
	size_t size = (size_t)(ct_spawner_image_end - ct_spawner_image);
	char path[FD_PATH_SIZE];

	if (!ct_spawner_image)
		return -ENOENT;
	scoped_fd int fd = -1;
	if (in_memory)
		fd = memfd_create("forkserver", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
	if (in_memory && fd < 0 && errno == EINVAL)
		fd = memfd_create("forkserver", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (!in_memory)
		fd = open(run_dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0700);
	if (fd < 0)
		return -errno;

	int r = fd_write_full(fd, ct_spawner_image, size);
	if (r < 0)
		return r;
	if (in_memory)
		return fcntl(fd, F_ADD_SEALS, SEALS) < 0 ? -errno : TAKE_FD(fd);
	/* What is open for writing cannot be run. */
	int read_only = open(fd_path(fd, path), O_RDONLY | O_CLOEXEC);
	return read_only < 0 ? -errno : read_only;
}

static int spawn_server(struct ct_spawner *spawner, int program, int socket)
{
	char *argv[] = { (char *)"musterd", (char *)"forkserver", NULL };
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
	posix_spawn_file_actions_adddup2(&actions, program, CT_JOB_PROGRAM_FD);
	posix_spawn_file_actions_addclosefrom_np(&actions, CT_JOB_PROGRAM_FD + 1);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
	                                        POSIX_SPAWN_SETSID);
	int r = posix_spawn(&spawner->pid, "/proc/self/fd/3", &actions, &attr, argv, env);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	if (r != 0)
		spawner->pid = 0;

	return -r;
}

/* Runs the image that there is, or makes one. */
static int run_image(struct ct_spawner *spawner, int socket) REQUIRES(spawner->lock)
{
	int r = -ENOENT;

	if (spawner->image >= 0)
		return spawn_server(spawner, spawner->image, socket);
	for (int in_memory = 1; in_memory >= 0 && r < 0; in_memory--) {
		scoped_fd int image = open_image(spawner->run_dir, in_memory);
		r = image < 0 ? image : spawn_server(spawner, image, socket);
		if (r == 0)
			spawner->image = TAKE_FD(image);
	}

	return r;
}

static int start_server(struct ct_spawner *spawner) REQUIRES(spawner->lock)
{
	int pair[2], size = SOCKET_BUFFER;

	int r = fd_socketpair(SOCK_SEQPACKET, pair);
	if (r < 0)
		return r;
	setsockopt(pair[0], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	r = run_image(spawner, pair[1]);
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
