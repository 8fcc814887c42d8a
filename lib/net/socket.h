/*
 * Sockets as this tree wants them: close-on-exec, non-blocking, TCP without Nagle's delay, dead
 * peers noticed.
 *
 * Without TCP_NODELAY on the client's side each handshake with a client certificate takes 40 ms
 * more (Nagle against delayed ACK), so it is set on all that is opened or accepted here.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/net/netaddr.h"

struct cancel;

/* All return a descriptor (or 0) or a negative errno. */

/* Binds and listens; a stale socket file at 'path' is replaced. Mode and group are set before
 * listen. */
int socket_listen_unix(const char *path, mode_t mode, gid_t group);
int socket_listen_tcp(const struct netaddr *addr);

/*
 * Listens on each address that "host:port" stands for (an empty or wildcard host: one dual-stack
 * socket). Writes at most 'max' descriptors and returns how many. Blocks on DNS when given a name.
 */
int socket_listen_address(const char *address, uint16_t fallback, int *ret_fds, size_t max);

/* Connects, blocking for at most 'timeout_ms'; what comes back is non-blocking. */
int socket_connect_unix(const char *path, int timeout_ms);
int socket_connect_tcp(const struct netaddr *addr, int timeout_ms);

/* Tries each address of "host:port" in turn within 'timeout_ms' in all. */
int socket_connect_address(const char *address, uint16_t fallback, int timeout_ms);

/* The same until 'deadline' (date_deadline()), ended early by 'cancel' (NULL: by nothing). */
int socket_connect_cancel(const char *address, uint16_t fallback, int64_t deadline,
                          struct cancel *cancel);

/* Non-blocking, close-on-exec. Returns -EAGAIN when there is nobody to accept. */
int socket_accept(int listener, struct netaddr *ret_peer);

/* NODELAY, keepalive probes after 'idle' s, and the time after which unacknowledged data ends it.
 */
void socket_tune_tcp(int fd);

int socket_pair(int ret_fds[2]); /* AF_UNIX stream, both non-blocking and close-on-exec. */

struct socket_cred {
	pid_t pid;
	uid_t uid;
	gid_t gid;
};

int socket_peer_cred(int fd, struct socket_cred *ret_cred);

/* Whether it is AF_UNIX. */
bool socket_is_unix(int fd);

/*
 * The descriptors that systemd passed (LISTEN_FDS), made close-on-exec and non-blocking. Writes at
 * most 'max', returns how many; the environment variables are unset, so a second call returns 0.
 */
int socket_activation_fds(int *ret_fds, size_t max);

/* Blocks until 'events' (POLLIN, POLLOUT) or -ETIMEDOUT. A negative timeout waits for ever. */
int socket_wait(int fd, short events, int timeout_ms);

/* Until 'deadline' or 'cancel', and with the events that there are as its result. */
int socket_wait_cancel(int fd, short events, int64_t deadline, struct cancel *cancel);
