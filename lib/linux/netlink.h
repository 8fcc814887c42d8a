/*
 * rtnetlink: requests and dumps over one socket.
 *
 * Messages are built in a strbuf and parsed in place; nothing is kept between calls, and a socket
 * serves one thread at a time. Returns negative errno, also the one that the kernel answers with.
 */
#pragma once

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/scoped.h"
#include "lib/base/strbuf.h"

struct netlink {
	int fd;
	uint32_t seq;
};

/* A socket in the network namespace of the calling thread. */
int netlink_open(struct netlink **ret_nl);
void netlink_free(struct netlink *nl);
DEFINE_SCOPED(struct netlink *, netlink_free);

/* Begins a message with the fixed part of its type ("struct ifinfomsg"). */
void netlink_begin(struct strbuf *msg, uint16_t type, uint16_t flags, const void *fixed,
                   size_t fixed_size);
void netlink_add(struct strbuf *msg, uint16_t type, const void *data, size_t size);
void netlink_add_u8(struct strbuf *msg, uint16_t type, uint8_t value);
void netlink_add_u32(struct strbuf *msg, uint16_t type, uint32_t value);
void netlink_add_text(struct strbuf *msg, uint16_t type, const char *text);

/* An attribute that holds others: what is added until netlink_close(msg, at). */
size_t netlink_nest(struct strbuf *msg, uint16_t type);
void netlink_close(struct strbuf *msg, size_t at);

/* Sends the message and waits for the kernel's yes or no. */
int netlink_request(struct netlink *nl, struct strbuf *msg);

/* Sends the message and calls 'fn' for each part of the answer; stops if that returns non-zero. */
typedef int netlink_part_fn(const struct nlmsghdr *part, void *arg);
int netlink_dump(struct netlink *nl, struct strbuf *msg, netlink_part_fn *fn, void *arg);

/* Sends a message that is answered by exactly one part. */
int netlink_query(struct netlink *nl, struct strbuf *msg, netlink_part_fn *fn, void *arg);

/*
 * Spreads the attributes behind a fixed part over 'ret_attrs', which has room for types below 'n'.
 * Absent ones are NULL; borrowed from the message.
 */
void netlink_attrs(const void *first, size_t size, const struct rtattr **ret_attrs, size_t n);

/* The attribute's number, or 'fallback' if it is NULL or too short. */
uint32_t netlink_u32(const struct rtattr *attr, uint32_t fallback);
