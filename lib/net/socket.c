#include "lib/net/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/base/cancel.h"
#include "lib/base/date.h"
#include "lib/base/scoped.h"

enum { BACKLOG = 1024, MAX_ADDRESSES = 8 };

static int open_socket(int family)
{
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	return fd < 0 ? -errno : fd;
}

static int set_option(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value));
}

void socket_tune_tcp(int fd)
{
	/* All of these fail on other sockets than TCP, which is fine. */
	(void)set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	(void)set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	(void)set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, 30);
	(void)set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, 10);
	(void)set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, 3);
	(void)set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 60000);
}

static int unix_address(const char *path, struct sockaddr_un *ret_addr)
{
	*ret_addr = (struct sockaddr_un){ .sun_family = AF_UNIX };
	size_t size = strlen(path);

	if (size == 0 || size >= sizeof(ret_addr->sun_path))
		return -ENAMETOOLONG;
	memcpy(ret_addr->sun_path, path, size);
	return 0;
}

int socket_listen_unix(const char *path, mode_t mode, gid_t group)
{
	struct sockaddr_un addr;
	int r = unix_address(path, &addr);
	if (r < 0)
		return r;

	struct stat st;
	if (lstat(path, &st) == 0) {
		if (!S_ISSOCK(st.st_mode))
			return -EEXIST;
		if (unlink(path) < 0)
			return -errno;
	}

	scoped_fd int fd = open_socket(AF_UNIX);
	if (fd < 0)
		return fd;

	/* Nobody can connect before listen(), so mode and owner are right from the first moment. */
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
	    chown(path, (uid_t)-1, group) < 0 || chmod(path, mode) < 0 || listen(fd, BACKLOG) < 0)
		return -errno;

	return TAKE_FD(fd);
}

int socket_listen_tcp(const struct netaddr *addr)
{
	scoped_fd int fd = open_socket(addr->storage.ss_family);
	if (fd < 0)
		return fd;

	(void)set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (addr->storage.ss_family == AF_INET6) {
		struct sockaddr_in6 in6;
		memcpy(&in6, &addr->storage, sizeof(in6));
		bool is_any = IN6_IS_ADDR_UNSPECIFIED(&in6.sin6_addr);
		(void)set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, !is_any);
	}
	(void)set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);

	if (bind(fd, (const struct sockaddr *)&addr->storage, addr->size) < 0 ||
	    listen(fd, BACKLOG) < 0)
		return -errno;

	return TAKE_FD(fd);
}

static int resolve(const char *address, uint16_t fallback, struct netaddr *addrs, char **ret_host)
{
	uint16_t port;
	int r = netaddr_split(address, fallback, ret_host, &port);
	if (r < 0)
		return r;

	if (netaddr_parse(*ret_host, port, &addrs[0]) == 0)
		return 1;
	return netaddr_resolve(*ret_host, port, addrs, MAX_ADDRESSES);
}

static int listen_any(uint16_t port)
{
	struct netaddr any;
	int r = netaddr_parse("::", port, &any);
	if (r == 0)
		r = socket_listen_tcp(&any);
	if (r != -EAFNOSUPPORT && r != -EADDRNOTAVAIL)
		return r;

	r = netaddr_parse("0.0.0.0", port, &any);
	return r < 0 ? r : socket_listen_tcp(&any);
}

int socket_listen_address(const char *address, uint16_t fallback, int *ret_fds, size_t max)
{
	scoped_free char *host = NULL;
	uint16_t port;
	int r = netaddr_split(address, fallback, &host, &port);
	if (r < 0)
		return r;
	if (max == 0)
		return -EINVAL;

	if (!*host || strcmp(host, "::") == 0) {
		r = listen_any(port);
		if (r < 0)
			return r;
		ret_fds[0] = r;
		return 1;
	}

	struct netaddr addrs[MAX_ADDRESSES];
	scoped_free char *again = NULL;
	int n = resolve(address, fallback, addrs, &again);
	if (n < 0)
		return n;

	size_t n_fds = 0;
	for (int i = 0; i < n && n_fds < max; i++) {
		r = socket_listen_tcp(&addrs[i]);
		if (r < 0) {
			while (n_fds > 0)
				close(ret_fds[--n_fds]);
			return r;
		}
		ret_fds[n_fds++] = r;
	}
	return (int)n_fds;
}

int socket_wait_cancel(int fd, short events, int64_t deadline, struct cancel *cancel)
{
	struct pollfd fds[] = { { .fd = fd, .events = events },
		                { .fd = cancel_fd(cancel), .events = POLLIN } };

	for (;;) {
		int r = cancel_code(cancel);
		if (r < 0)
			return r;
		r = poll(fds, COUNT_OF(fds), date_left(deadline));
		if (r == 0)
			return -ETIMEDOUT;
		if (r < 0 && errno != EINTR)
			return -errno;
		if (r > 0 && fds[0].revents)
			return fds[0].revents;
	}
}

int socket_wait(int fd, short events, int timeout_ms)
{
	int r = socket_wait_cancel(fd, events, date_deadline(timeout_ms), NULL);

	return r < 0 ? r : 0;
}

static int connect_within(int fd, const struct sockaddr *addr, socklen_t size, int64_t deadline,
                          struct cancel *cancel)
{
	while (connect(fd, addr, size) < 0) {
		/* A full backlog of a unix socket: nothing to poll for but time. */
		if (errno == EAGAIN) {
			if (date_left(deadline) == 0)
				return -ETIMEDOUT;
			(void)poll(NULL, 0, 5);
			continue;
		}
		if (errno != EINPROGRESS && errno != EINTR)
			return -errno;

		int r = socket_wait_cancel(fd, POLLOUT, deadline, cancel);
		if (r < 0)
			return r;

		int failure = 0;
		socklen_t failure_size = sizeof(failure);
		if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &failure_size) < 0)
			return -errno;
		return -failure;
	}
	return 0;
}

int socket_connect_unix(const char *path, int timeout_ms)
{
	struct sockaddr_un addr;
	int r = unix_address(path, &addr);
	if (r < 0)
		return r;

	scoped_fd int fd = open_socket(AF_UNIX);
	if (fd < 0)
		return fd;

	r = connect_within(fd, (struct sockaddr *)&addr, sizeof(addr), date_deadline(timeout_ms),
	                   NULL);
	return r < 0 ? r : TAKE_FD(fd);
}

static int connect_tcp(const struct netaddr *addr, int64_t deadline, struct cancel *cancel)
{
	scoped_fd int fd = open_socket(addr->storage.ss_family);
	if (fd < 0)
		return fd;

	socket_tune_tcp(fd);
	int r = connect_within(fd, (const struct sockaddr *)&addr->storage, addr->size, deadline,
	                       cancel);
	return r < 0 ? r : TAKE_FD(fd);
}

int socket_connect_tcp(const struct netaddr *addr, int timeout_ms)
{
	return connect_tcp(addr, date_deadline(timeout_ms), NULL);
}

int socket_connect_cancel(const char *address, uint16_t fallback, int64_t deadline,
                          struct cancel *cancel)
{
	struct netaddr addrs[MAX_ADDRESSES];
	scoped_free char *host = NULL;
	int n = resolve(address, fallback, addrs, &host);
	if (n < 0)
		return n;

	int r = -EHOSTUNREACH;
	for (int i = 0; i < n; i++) {
		int left = date_left(deadline);
		if (left > 0 && i + 1 < n)
			left /= 2; /* The next address gets its chance too. */
		r = connect_tcp(&addrs[i], date_deadline(left), cancel);
		if (r >= 0 || r == -ECANCELED)
			break;
	}
	return r;
}

int socket_connect_address(const char *address, uint16_t fallback, int timeout_ms)
{
	return socket_connect_cancel(address, fallback, date_deadline(timeout_ms), NULL);
}

int socket_accept(int listener, struct netaddr *ret_peer)
{
	*ret_peer = (struct netaddr){ .size = sizeof(ret_peer->storage) };
	int fd = accept4(listener, (struct sockaddr *)&ret_peer->storage, &ret_peer->size,
	                 SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0)
		return -errno;

	if (ret_peer->storage.ss_family != AF_UNIX)
		socket_tune_tcp(fd);
	return fd;
}

int socket_pair(int ret_fds[2])
{
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ret_fds) < 0)
		return -errno;
	return 0;
}

int socket_peer_cred(int fd, struct socket_cred *ret_cred)
{
	struct ucred cred;
	socklen_t size = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &size) < 0)
		return -errno;
	*ret_cred = (struct socket_cred){ .pid = cred.pid, .uid = cred.uid, .gid = cred.gid };
	return 0;
}

bool socket_is_unix(int fd)
{
	int domain = 0;
	socklen_t size = sizeof(domain);

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_UNIX;
}

int socket_activation_fds(int *ret_fds, size_t max)
{
	const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
	int n = 0;

	if (pid && count && strtol(pid, NULL, 10) == getpid())
		n = (int)strtol(count, NULL, 10);
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");

	int n_taken = 0;
	for (int fd = 3; fd < 3 + n && n <= 64; fd++) {
		if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
			continue;
		if ((size_t)n_taken == max) {
			close(fd);
			continue;
		}
		int flags = fcntl(fd, F_GETFL);
		(void)fcntl(fd, F_SETFL, flags | O_NONBLOCK);
		ret_fds[n_taken++] = fd;
	}
	return n_taken;
}
