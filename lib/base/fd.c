#include "lib/base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/base/alloc.h"
#include "lib/base/date.h"
#include "lib/base/scoped.h"
#include "lib/base/strbuf.h"

#define COPY_CHUNK (1U << 30)
#define COPY_BUFFER ((size_t)64 * 1024)
#define MAX_FDS 253 /* SCM_MAX_FD of the kernel. */

int fd_wait(int fd, short events, int64_t deadline)
{
	struct pollfd p = { .fd = fd, .events = events };

	for (;;) {
		int r = poll(&p, 1, date_left(deadline));
		if (r > 0)
			return p.revents;
		if (r == 0 && date_left(deadline) == 0)
			return 0;
		if (r < 0 && errno != EINTR)
			return -errno;
	}
}

/* Whether to call again after -1: interrupted, or waited until the fd is ready. */
static bool may_retry(int fd, short events)
{
	if (errno == EINTR)
		return true;
	if (errno != EAGAIN)
		return false;

	return fd_wait(fd, events, DEADLINE_NEVER) > 0;
}

ssize_t fd_read_full(int fd, void *ret, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = read(fd, (char *)ret + done, size - done);
		if (n == 0)
			break;
		if (n > 0)
			done += (size_t)n;
		else if (!may_retry(fd, POLLIN))
			return -errno;
	}
	return (ssize_t)done;
}

ssize_t fd_read_full_at(int fd, void *ret, size_t size, off_t offset)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = pread(fd, (char *)ret + done, size - done, offset + (off_t)done);
		if (n == 0)
			break;
		if (n > 0)
			done += (size_t)n;
		else if (errno != EINTR)
			return -errno;
	}
	return (ssize_t)done;
}

int fd_read_all(int fd, size_t max, char **ret, size_t *ret_size)
{
	scoped(strbuf_done) struct strbuf b = { 0 };

	for (size_t chunk = 4096;; chunk = MIN_OF(chunk * 2, COPY_BUFFER * 4)) {
		/* One byte more than may be there tells too much from just enough. */
		size_t room = MIN_OF(chunk, max - b.size + (max != SIZE_MAX));
		ssize_t n = read(fd, strbuf_reserve(&b, room), room);

		if (n == 0)
			break;
		if (n < 0) {
			if (!may_retry(fd, POLLIN))
				return -errno;
			continue;
		}
		strbuf_advance(&b, (size_t)n);
		if (b.size > max)
			return -EFBIG;
	}
	*ret_size = b.size;
	*ret = strbuf_take(&b);
	return 0;
}

int fd_write_full(int fd, const void *data, size_t size)
{
	const char *at = data;
	bool is_socket = true;

	while (size) {
		ssize_t n = is_socket ? send(fd, at, size, MSG_NOSIGNAL) : write(fd, at, size);

		if (n < 0 && is_socket && errno == ENOTSOCK) {
			is_socket = false;
			continue;
		}
		if (n < 0) {
			if (!may_retry(fd, POLLOUT))
				return -errno;
			continue;
		}
		at += n;
		size -= (size_t)n;
	}
	return 0;
}

/* Copies through memory, for what the kernel cannot copy by itself. */
static int64_t copy_by_hand(int from, int to, uint64_t max)
{
	scoped_free char *buf = xmalloc(COPY_BUFFER);
	uint64_t done = 0;

	while (done < max) {
		ssize_t n = read(from, buf, MIN_OF(max - done, (uint64_t)COPY_BUFFER));
		if (n == 0)
			break;
		if (n < 0) {
			if (!may_retry(from, POLLIN))
				return -errno;
			continue;
		}

		int r = fd_write_full(to, buf, (size_t)n);
		if (r < 0)
			return r;
		done += (uint64_t)n;
	}
	return (int64_t)done;
}

int64_t fd_copy(int from, int to, uint64_t max)
{
	uint64_t done = 0;
	bool may_share = true;

	max = MIN_OF(max, (uint64_t)INT64_MAX);
	while (done < max) {
		size_t chunk = (size_t)MIN_OF(max - done, (uint64_t)COPY_CHUNK);
		ssize_t n = may_share ? copy_file_range(from, NULL, to, NULL, chunk, 0)
		                      : sendfile(to, from, NULL, chunk);

		if (n > 0) {
			done += (uint64_t)n;
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == ENOSPC)
			return -errno;
		if (may_share && (n < 0 || done == 0)) {
			/* Files of /proc say that they are empty to copy_file_range(). */
			may_share = false;
			continue;
		}
		if (n == 0 && done > 0)
			return (int64_t)done;

		int64_t rest = copy_by_hand(from, to, max - done);
		return rest < 0 ? rest : (int64_t)done + rest;
	}
	return (int64_t)done;
}

static int set_flag(int fd, int get, int set, int flag, bool on)
{
	int flags = fcntl(fd, get);
	if (flags < 0)
		return -errno;

	int wanted = on ? flags | flag : flags & ~flag;
	if (wanted != flags && fcntl(fd, set, wanted) < 0)
		return -errno;

	return 0;
}

int fd_set_nonblock(int fd, bool on)
{
	return set_flag(fd, F_GETFL, F_SETFL, O_NONBLOCK, on);
}

int fd_set_cloexec(int fd, bool on)
{
	return set_flag(fd, F_GETFD, F_SETFD, FD_CLOEXEC, on);
}

int fd_pipe(int ret[2])
{
	return pipe2(ret, O_CLOEXEC) < 0 ? -errno : 0;
}

int fd_socketpair(int type, int ret[2])
{
	return socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ret) < 0 ? -errno : 0;
}

int fd_dup(int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	return copy < 0 ? -errno : copy;
}

int fd_memfd(const char *name)
{
	int fd = memfd_create(name, MFD_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int fd_send(int sock, const void *data, size_t size, const int *fds, size_t n_fds)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int) * MAX_FDS)];
	} control = { 0 };
	struct iovec iov = { .iov_base = (void *)data, .iov_len = size };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (n_fds > MAX_FDS || !size)
		return -EINVAL;
	if (n_fds) {
		msg.msg_control = control.room;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
		control.head.cmsg_level = SOL_SOCKET;
		control.head.cmsg_type = SCM_RIGHTS;
		control.head.cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
		memcpy(CMSG_DATA(&control.head), fds, sizeof(int) * n_fds);
	}

	ssize_t n;
	do {
		n = sendmsg(sock, &msg, MSG_NOSIGNAL);
	} while (n < 0 && may_retry(sock, POLLOUT));
	if (n < 0)
		return -errno;

	/* The fds went with the first byte. */
	return fd_write_full(sock, (const char *)data + n, size - (size_t)n);
}

/* Keeps up to 'max' of the fds of a message and closes the others. */
static size_t take_fds(struct msghdr *msg, int *ret_fds, size_t max)
{
	size_t n_kept = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;

		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (n_kept < max)
				ret_fds[n_kept++] = fd;
			else
				close(fd);
		}
	}
	return n_kept;
}

ssize_t fd_receive(int sock, void *ret, size_t size, int *ret_fds, size_t max_fds,
                   size_t *ret_n_fds)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int) * MAX_FDS)];
	} control;
	struct iovec iov = { .iov_base = ret, .iov_len = size };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.room };

	ssize_t n;
	do {
		msg.msg_controllen = sizeof(control);
		n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	} while (n < 0 && may_retry(sock, POLLIN));
	if (n < 0)
		return -errno;

	*ret_n_fds = take_fds(&msg, ret_fds, max_fds);
	return n;
}

int fd_of_pid(pid_t pid)
{
	long fd = syscall(SYS_pidfd_open, pid, 0);

	return fd < 0 ? -errno : (int)fd;
}

int fd_kill(int pidfd, int sig)
{
	return syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, 0) < 0 ? -errno : 0;
}

char *fd_path(int fd, char buf[FD_PATH_SIZE])
{
	snprintf(buf, FD_PATH_SIZE, "/proc/self/fd/%d", fd);
	return buf;
}
