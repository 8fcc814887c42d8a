/* File descriptors: whole reads and writes, flags, passing them on. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/base/macro.h"

/* Reads 'size' bytes or up to the end of the file. Returns the count or a negative errno. */
ssize_t fd_read_full(int fd, void *ret, size_t size);
ssize_t fd_read_full_at(int fd, void *ret, size_t size, off_t offset);

/* Reads up to the end. -EFBIG beyond 'max' bytes. '*ret' is owned by the caller; a NUL follows. */
int fd_read_all(int fd, size_t max, char **ret, size_t *ret_size) NONNULL;

/* Writes all, waiting if the fd does not block. No SIGPIPE on sockets. Returns 0 or -errno. */
int fd_write_full(int fd, const void *data, size_t size);

/* Copies up to 'max' bytes (UINT64_MAX: to the end) the fastest way. Returns the count or -errno.
 */
int64_t fd_copy(int from, int to, uint64_t max);

int fd_set_nonblock(int fd, bool on);
int fd_set_cloexec(int fd, bool on);

/* A pipe that is closed on exec; [0] is read from. */
int fd_pipe(int ret[2]);

/* A connected pair of unix sockets, closed on exec; 'type' as for socketpair(). */
int fd_socketpair(int type, int ret[2]);

/* A duplicate that is closed on exec and not below 3. */
int fd_dup(int fd);

/* An anonymous file in memory. */
int fd_memfd(const char *name);

/*
 * Waits for 'events' (as for poll) until 'deadline' (date_deadline()). Returns the events that
 * there are, 0 at the deadline, or a negative errno.
 */
int fd_wait(int fd, short events, int64_t deadline);

/* Sends 'data' (at least a byte) over a unix socket together with fds, which stay open here. */
int fd_send(int sock, const void *data, size_t size, const int *fds, size_t n_fds);

/*
 * Receives up to 'size' bytes and 'max_fds' fds (closed on exec, owned by the caller). Returns the
 * count of bytes or a negative errno; surplus fds are closed.
 */
ssize_t fd_receive(int sock, void *ret, size_t size, int *ret_fds, size_t max_fds,
                   size_t *ret_n_fds);

/* A pidfd for a child or any process, closed on exec. */
int fd_of_pid(pid_t pid);

/* Sends a signal through a pidfd. */
int fd_kill(int pidfd, int sig);

/* "/proc/self/fd/N" for 'fd', to open or name what it refers to. */
#define FD_PATH_SIZE 32
char *fd_path(int fd, char buf[FD_PATH_SIZE]) NONNULL;
