#include "lib/linux/netlink.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/alloc.h"

#define RECEIVE_SIZE (32 * 1024)
#define TIMEOUT_MS 10000

int netlink_open(struct netlink **ret_nl)
{
	scoped_fd int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	const struct sockaddr_nl address = { .nl_family = AF_NETLINK };
	int on = 1;

	if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	/* Without it older kernels ignore what they do not know in a dump's request. */
	setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on));

	struct netlink *nl = xcalloc(1, sizeof(*nl));
	nl->fd = TAKE_FD(fd);
	nl->seq = (uint32_t)time(NULL);
	*ret_nl = nl;
	return 0;
}

void netlink_free(struct netlink *nl)
{
	if (!nl)
		return;
	close(nl->fd);
	free(nl);
}

static void add_aligned(struct strbuf *msg, const void *data, size_t size)
{
	static const char zeros[NLMSG_ALIGNTO];

	strbuf_add_n(msg, data, size);
	strbuf_add_n(msg, zeros, NLMSG_ALIGN(size) - size);
}

void netlink_begin(struct strbuf *msg, uint16_t type, uint16_t flags, const void *fixed,
                   size_t fixed_size)
{
	const struct nlmsghdr header = { .nlmsg_type = type, .nlmsg_flags = NLM_F_REQUEST | flags };

	strbuf_truncate(msg, 0);
	add_aligned(msg, &header, sizeof(header));
	add_aligned(msg, fixed, fixed_size);
}

void netlink_add(struct strbuf *msg, uint16_t type, const void *data, size_t size)
{
	const struct rtattr attr = { .rta_len = (unsigned short)RTA_LENGTH(size),
		                     .rta_type = type };

	add_aligned(msg, &attr, sizeof(attr));
	if (size > 0)
		add_aligned(msg, data, size);
}

void netlink_add_u8(struct strbuf *msg, uint16_t type, uint8_t value)
{
	netlink_add(msg, type, &value, sizeof(value));
}

void netlink_add_u32(struct strbuf *msg, uint16_t type, uint32_t value)
{
	netlink_add(msg, type, &value, sizeof(value));
}

void netlink_add_text(struct strbuf *msg, uint16_t type, const char *text)
{
	netlink_add(msg, type, text, strlen(text) + 1);
}

size_t netlink_nest(struct strbuf *msg, uint16_t type)
{
	size_t at = msg->size;

	netlink_add(msg, type, NULL, 0);
	return at;
}

void netlink_close(struct strbuf *msg, size_t at)
{
	unsigned short len = (unsigned short)(msg->size - at);

	memcpy(msg->text + at + offsetof(struct rtattr, rta_len), &len, sizeof(len));
}

static int send_message(struct netlink *nl, struct strbuf *msg, uint16_t more_flags)
{
	struct nlmsghdr header;

	memcpy(&header, msg->text, sizeof(header));
	header.nlmsg_len = (uint32_t)msg->size;
	header.nlmsg_seq = ++nl->seq;
	header.nlmsg_flags |= more_flags;
	memcpy(msg->text, &header, sizeof(header));

	ssize_t n;
	do
		n = send(nl->fd, msg->text, msg->size, 0);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

/* Receives until the answer to the last request is complete. */
static int receive(struct netlink *nl, netlink_part_fn *fn, void *arg, bool one_part)
{
	scoped_free char *buffer = xmalloc(RECEIVE_SIZE);
	int result = 0;

	for (;;) {
		struct pollfd wait = { .fd = nl->fd, .events = POLLIN };
		int ready = poll(&wait, 1, TIMEOUT_MS);
		if (ready <= 0 && errno != EINTR)
			return ready < 0 ? -errno : -ETIMEDOUT;

		ssize_t n = recv(nl->fd, buffer, RECEIVE_SIZE, 0);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n < 0)
			return -errno;

		size_t left = (size_t)n;
		for (struct nlmsghdr *part = (struct nlmsghdr *)(void *)buffer;
		     NLMSG_OK(part, left); part = NLMSG_NEXT(part, left)) {
			if (part->nlmsg_seq != nl->seq)
				continue;
			if (part->nlmsg_type == NLMSG_DONE)
				return result;
			if (part->nlmsg_type == NLMSG_ERROR) {
				const struct nlmsgerr *e = NLMSG_DATA(part);
				return e->error < 0 ? e->error : result;
			}
			if (fn && result == 0)
				result = fn(part, arg);
			if (one_part)
				return result;
		}
	}
}

int netlink_request(struct netlink *nl, struct strbuf *msg)
{
	int r = send_message(nl, msg, NLM_F_ACK);

	return r < 0 ? r : receive(nl, NULL, NULL, false);
}

int netlink_dump(struct netlink *nl, struct strbuf *msg, netlink_part_fn *fn, void *arg)
{
	int r = send_message(nl, msg, NLM_F_DUMP);

	return r < 0 ? r : receive(nl, fn, arg, false);
}

int netlink_query(struct netlink *nl, struct strbuf *msg, netlink_part_fn *fn, void *arg)
{
	int r = send_message(nl, msg, 0);

	return r < 0 ? r : receive(nl, fn, arg, true);
}

void netlink_attrs(const void *first, size_t size, const struct rtattr **ret_attrs, size_t n)
{
	memset(ret_attrs, 0, n * sizeof(*ret_attrs));
	for (const struct rtattr *a = first; RTA_OK(a, size); a = RTA_NEXT(a, size)) {
		unsigned type = a->rta_type & ~(unsigned)NLA_F_NESTED;
		if (type < n)
			ret_attrs[type] = a;
	}
}

uint32_t netlink_u32(const struct rtattr *attr, uint32_t fallback)
{
	uint32_t value;

	if (!attr || RTA_PAYLOAD(attr) < sizeof(value))
		return fallback;
	memcpy(&value, RTA_DATA(attr), sizeof(value));
	return value;
}
