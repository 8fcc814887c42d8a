/*
 * Network links: making, changing, removing and listing them, here or in another namespace.
 *
 * Functions act in the network namespace of the calling thread, whose socket they are given; a
 * listing may name another namespace by descriptor, without entering it. Returns negative errno;
 * -ENODEV if there is no such link.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/linux/netlink.h"

#define NET_LINK_NAME_SIZE 16
#define NET_LINK_MAC_SIZE 6

struct net_link_veth {
	const char *name;        /* Of the end that stays here. */
	const char *peer_name;   /* Of the end in the other namespace. */
	int peer_netns_fd;       /* -1: here as well. */
	const char *peer_hwaddr; /* "00:16:3e:..", or NULL: the kernel chooses. */
	uint32_t mtu, peer_mtu;  /* 0: the kernel's. */
	uint32_t tx_queue_len;   /* 0: the kernel's; for both. */
};

int net_link_add_veth(struct netlink *nl, const struct net_link_veth *veth);
int net_link_add_bridge(struct netlink *nl, const char *name);
int net_link_delete(struct netlink *nl, const char *name);

/* Index of a link; also says whether there is one. */
int net_link_index(struct netlink *nl, const char *name, int *ret_index);

/* Brings it up or down. */
int net_link_set_up(struct netlink *nl, const char *name, bool up);

/* Makes it a port of 'master', or of nothing (NULL). */
int net_link_set_master(struct netlink *nl, const char *name, const char *master);
int net_link_set_mtu(struct netlink *nl, const char *name, uint32_t mtu);
int net_link_mtu(struct netlink *nl, const char *name, uint32_t *ret_mtu);
int net_link_set_queue_len(struct netlink *nl, const char *name, uint32_t len);

/* Whether there is a bridge of that name. */
bool net_link_is_bridge(struct netlink *nl, const char *name);

/* Keeps a port of a bridge from other isolated ports. */
int net_link_set_isolated(struct netlink *nl, const char *name, bool isolated);

/* Renames a link, which must be down on older kernels. */
int net_link_rename(struct netlink *nl, const char *name, const char *new_name);

struct net_link {
	int index;
	int peer_index; /* Of the other end of a veth in its namespace; 0 if there is none. */
	uint16_t arp_type;
	uint32_t flags; /* IFF_ bits. */
	uint32_t mtu;
	char name[NET_LINK_NAME_SIZE];
	char hwaddr[64]; /* "" if it has none, or all zero. */
	uint64_t rx_bytes, tx_bytes, rx_packets, tx_packets;
	uint64_t rx_errors, tx_errors, rx_dropped, tx_dropped;
};

struct net_link_address {
	int index; /* Of the link. */
	uint8_t family, scope, prefix_len;
	char text[46];
};

/* All links of a namespace with their addresses, both in the kernel's order. */
struct net_link_list {
	struct net_link *links;
	size_t n_links;
	struct net_link_address *addresses;
	size_t n_addresses;
};

/* 'netns_fd' of -1 means this one. Does not enter the namespace; needs root there. */
int net_link_list(struct netlink *nl, int netns_fd, struct net_link_list *ret_list);
void net_link_list_done(struct net_link_list *list);

/* The name of the link with that index here. */
int net_link_name(struct netlink *nl, int index, char ret_name[NET_LINK_NAME_SIZE]);

/* Reads "00:16:3e:01:02:03"; false if it is not an Ethernet address. */
bool net_link_parse_mac(const char *text, uint8_t ret_mac[NET_LINK_MAC_SIZE]);

/* Whether 'name' may be a link's: 1 to 15 bytes, no slash, colon, space or control character. */
bool net_link_is_valid_name(const char *name);
