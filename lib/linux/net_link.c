#include "lib/linux/net_link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/net_namespace.h>
#include <linux/veth.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/array.h"
#include "lib/base/str.h"

bool net_link_is_valid_name(const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || len >= NET_LINK_NAME_SIZE || str_equals(name, ".") ||
	    str_equals(name, ".."))
		return false;
	for (const unsigned char *c = (const unsigned char *)name; *c; c++) {
		if (*c <= ' ' || *c >= 0x7f || *c == '/' || *c == ':')
			return false;
	}

	return true;
}

bool net_link_parse_mac(const char *text, uint8_t ret_mac[NET_LINK_MAC_SIZE])
{
	if (strlen(text) != NET_LINK_MAC_SIZE * 3 - 1)
		return false;
	for (size_t i = 0; i < NET_LINK_MAC_SIZE; i++) {
		unsigned value = 0;
		for (size_t k = 0; k < 2; k++) {
			char c = text[i * 3 + k];
			if (c >= '0' && c <= '9')
				value = value * 16 + (unsigned)(c - '0');
			else if ((c | 32) >= 'a' && (c | 32) <= 'f')
				value = value * 16 + (unsigned)((c | 32) - 'a') + 10;
			else
				return false;
		}
		if (i + 1 < NET_LINK_MAC_SIZE && text[i * 3 + 2] != ':')
			return false;
		ret_mac[i] = (uint8_t)value;
	}

	return true;
}

static void begin_change(struct strbuf *msg, uint16_t type, uint16_t flags, const char *name,
                         unsigned up_mask, bool up)
{
	const struct ifinfomsg info = { .ifi_change = up_mask, .ifi_flags = up ? IFF_UP : 0 };

	netlink_begin(msg, type, flags, &info, sizeof(info));
	netlink_add_text(msg, IFLA_IFNAME, name);
}

int net_link_add_veth(struct netlink *nl, const struct net_link_veth *veth)
{
	scoped(strbuf_done) struct strbuf msg = { 0 };
	const struct ifinfomsg peer_info = { 0 };
	uint8_t mac[NET_LINK_MAC_SIZE];

	if (veth->peer_hwaddr && !net_link_parse_mac(veth->peer_hwaddr, mac))
		return -EINVAL;

	begin_change(&msg, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, veth->name, 0, false);
	if (veth->mtu > 0)
		netlink_add_u32(&msg, IFLA_MTU, veth->mtu);
	if (veth->tx_queue_len > 0)
		netlink_add_u32(&msg, IFLA_TXQLEN, veth->tx_queue_len);
	size_t info = netlink_nest(&msg, IFLA_LINKINFO);
	netlink_add_text(&msg, IFLA_INFO_KIND, "veth");
	size_t data = netlink_nest(&msg, IFLA_INFO_DATA);
	size_t peer = netlink_nest(&msg, VETH_INFO_PEER);
	strbuf_add_n(&msg, &peer_info, sizeof(peer_info));
	netlink_add_text(&msg, IFLA_IFNAME, veth->peer_name);
	if (veth->peer_mtu > 0)
		netlink_add_u32(&msg, IFLA_MTU, veth->peer_mtu);
	if (veth->tx_queue_len > 0)
		netlink_add_u32(&msg, IFLA_TXQLEN, veth->tx_queue_len);
	if (veth->peer_hwaddr)
		netlink_add(&msg, IFLA_ADDRESS, mac, sizeof(mac));
	if (veth->peer_netns_fd >= 0)
		netlink_add_u32(&msg, IFLA_NET_NS_FD, (uint32_t)veth->peer_netns_fd);
	netlink_close(&msg, peer);
	netlink_close(&msg, data);
	netlink_close(&msg, info);
	return netlink_request(nl, &msg);
}

int net_link_add_bridge(struct netlink *nl, const char *name)
{
	scoped(strbuf_done) struct strbuf msg = { 0 };

	begin_change(&msg, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, name, 0, false);
	size_t info = netlink_nest(&msg, IFLA_LINKINFO);
	netlink_add_text(&msg, IFLA_INFO_KIND, "bridge");
	netlink_close(&msg, info);
	return netlink_request(nl, &msg);
}

int net_link_delete(struct netlink *nl, const char *name)
{
	scoped(strbuf_done) struct strbuf msg = { 0 };

	begin_change(&msg, RTM_DELLINK, 0, name, 0, false);
	return netlink_request(nl, &msg);
}

int net_link_set_up(struct netlink *nl, const char *name, bool up)
{
	scoped(strbuf_done) struct strbuf msg = { 0 };

	begin_change(&msg, RTM_NEWLINK, 0, name, IFF_UP, up);
	return netlink_request(nl, &msg);
}

static int set_number(struct netlink *nl, const char *name, uint16_t type, uint32_t value)
{
	scoped(strbuf_done) struct strbuf msg = { 0 };

	begin_change(&msg, RTM_NEWLINK, 0, name, 0, false);
	netlink_add_u32(&msg, type, value);
	return netlink_request(nl, &msg);
}

int net_link_set_master(struct netlink *nl, const char *name, const char *master)
{
	int index = 0;
	int r = master ? net_link_index(nl, master, &index) : 0;

	return r < 0 ? r : set_number(nl, name, IFLA_MASTER, (uint32_t)index);
}

int net_link_set_mtu(struct netlink *nl, const char *name, uint32_t mtu)
{
	return set_number(nl, name, IFLA_MTU, mtu);
}

int net_link_set_queue_len(struct netlink *nl, const char *name, uint32_t len)
{
	return set_number(nl, name, IFLA_TXQLEN, len);
}

int net_link_rename(struct netlink *nl, const char *name, const char *new_name)
{
	scoped(strbuf_done) struct strbuf msg = { 0 };
	struct ifinfomsg info = { 0 };

	int r = net_link_index(nl, name, &info.ifi_index);
	if (r < 0)
		return r;
	netlink_begin(&msg, RTM_NEWLINK, 0, &info, sizeof(info));
	netlink_add_text(&msg, IFLA_IFNAME, new_name);
	return netlink_request(nl, &msg);
}

static void format_hwaddr(const struct rtattr *attr, char *buf, size_t size)
{
	const uint8_t *bytes = attr ? RTA_DATA(attr) : NULL;
	size_t n = attr ? RTA_PAYLOAD(attr) : 0, at = 0;
	bool is_zero = true;

	buf[0] = '\0';
	for (size_t i = 0; i < n; i++)
		is_zero = is_zero && bytes[i] == 0;
	for (size_t i = 0; !is_zero && i < n && at + 4 < size; i++)
		at += (size_t)snprintf(buf + at, size - at, i ? ":%02x" : "%02x", bytes[i]);
}

static void read_counters(const struct rtattr *attr, struct net_link *link)
{
	struct rtnl_link_stats64 stats = { 0 };

	if (!attr)
		return;
	memcpy(&stats, RTA_DATA(attr), MIN_OF((size_t)RTA_PAYLOAD(attr), sizeof(stats)));
	link->rx_bytes = stats.rx_bytes;
	link->tx_bytes = stats.tx_bytes;
	link->rx_packets = stats.rx_packets;
	link->tx_packets = stats.tx_packets;
	link->rx_errors = stats.rx_errors;
	link->tx_errors = stats.tx_errors;
	link->rx_dropped = stats.rx_dropped;
	link->tx_dropped = stats.tx_dropped;
}

static bool read_link(const struct nlmsghdr *part, struct net_link *link)
{
	const struct rtattr *attrs[IFLA_MAX + 1];

	if (part->nlmsg_type != RTM_NEWLINK ||
	    part->nlmsg_len < NLMSG_LENGTH(sizeof(struct ifinfomsg)))
		return false;
	const struct ifinfomsg *info = NLMSG_DATA(part);
	netlink_attrs(IFLA_RTA(info), IFLA_PAYLOAD(part), attrs, COUNT_OF(attrs));

	*link = (struct net_link){
		.index = info->ifi_index,
		.arp_type = info->ifi_type,
		.flags = info->ifi_flags,
		.mtu = netlink_u32(attrs[IFLA_MTU], 0),
		.peer_index = (int)netlink_u32(attrs[IFLA_LINK], 0),
	};
	if (attrs[IFLA_IFNAME])
		str_copy(link->name, sizeof(link->name), RTA_DATA(attrs[IFLA_IFNAME]));
	format_hwaddr(attrs[IFLA_ADDRESS], link->hwaddr, sizeof(link->hwaddr));
	read_counters(attrs[IFLA_STATS64], link);
	return true;
}

static int take_link(const struct nlmsghdr *part, void *arg)
{
	return read_link(part, arg) ? 0 : -EPROTO;
}

static int get_link(struct netlink *nl, const char *name, int index, struct net_link *ret_link)
{
	scoped(strbuf_done) struct strbuf msg = { 0 };
	const struct ifinfomsg info = { .ifi_index = index };

	netlink_begin(&msg, RTM_GETLINK, 0, &info, sizeof(info));
	if (name)
		netlink_add_text(&msg, IFLA_IFNAME, name);
	return netlink_query(nl, &msg, take_link, ret_link);
}

int net_link_index(struct netlink *nl, const char *name, int *ret_index)
{
	struct net_link link;

	int r = get_link(nl, name, 0, &link);
	if (r == 0)
		*ret_index = link.index;
	return r;
}

int net_link_mtu(struct netlink *nl, const char *name, uint32_t *ret_mtu)
{
	struct net_link link;

	int r = get_link(nl, name, 0, &link);
	if (r == 0)
		*ret_mtu = link.mtu;
	return r;
}

int net_link_name(struct netlink *nl, int index, char ret_name[NET_LINK_NAME_SIZE])
{
	struct net_link link;

	int r = get_link(nl, NULL, index, &link);
	if (r == 0)
		memcpy(ret_name, link.name, NET_LINK_NAME_SIZE);
	return r;
}

static int take_kind(const struct nlmsghdr *part, void *arg)
{
	const struct rtattr *attrs[IFLA_MAX + 1], *inner[IFLA_INFO_MAX + 1];
	const struct ifinfomsg *info = NLMSG_DATA(part);

	if (part->nlmsg_type != RTM_NEWLINK)
		return -EPROTO;
	netlink_attrs(IFLA_RTA(info), IFLA_PAYLOAD(part), attrs, COUNT_OF(attrs));
	if (!attrs[IFLA_LINKINFO])
		return 0;
	netlink_attrs(RTA_DATA(attrs[IFLA_LINKINFO]), RTA_PAYLOAD(attrs[IFLA_LINKINFO]), inner,
	              COUNT_OF(inner));
	if (inner[IFLA_INFO_KIND])
		*(bool *)arg = str_equals(RTA_DATA(inner[IFLA_INFO_KIND]), "bridge");
	return 0;
}

bool net_link_is_bridge(struct netlink *nl, const char *name)
{
	scoped(strbuf_done) struct strbuf msg = { 0 };
	const struct ifinfomsg info = { 0 };
	bool is_bridge = false;

	netlink_begin(&msg, RTM_GETLINK, 0, &info, sizeof(info));
	netlink_add_text(&msg, IFLA_IFNAME, name);
	return netlink_query(nl, &msg, take_kind, &is_bridge) == 0 && is_bridge;
}

int net_link_set_isolated(struct netlink *nl, const char *name, bool isolated)
{
	scoped(strbuf_done) struct strbuf msg = { 0 };
	struct ifinfomsg info = { .ifi_family = AF_BRIDGE };

	int r = net_link_index(nl, name, &info.ifi_index);
	if (r < 0)
		return r;
	netlink_begin(&msg, RTM_SETLINK, 0, &info, sizeof(info));
	size_t at = netlink_nest(&msg, IFLA_PROTINFO | NLA_F_NESTED);
	netlink_add_u8(&msg, IFLA_BRPORT_ISOLATED, isolated);
	netlink_close(&msg, at);
	return netlink_request(nl, &msg);
}

static int take_nsid(const struct nlmsghdr *part, void *arg)
{
	const struct rtattr *attrs[NETNSA_MAX + 1];
	const struct rtgenmsg *fixed = NLMSG_DATA(part);

	if (part->nlmsg_type != RTM_NEWNSID)
		return -EPROTO;
	netlink_attrs((const char *)fixed + NLMSG_ALIGN(sizeof(*fixed)),
	              part->nlmsg_len - NLMSG_SPACE(sizeof(*fixed)), attrs, COUNT_OF(attrs));
	*(int32_t *)arg = (int32_t)netlink_u32(attrs[NETNSA_NSID], (uint32_t)-1);
	return 0;
}

/* The number by which the kernel lets us name that namespace; it is made if there is none. */
static int netns_id(struct netlink *nl, int netns_fd, int32_t *ret_id)
{
	const struct rtgenmsg fixed = { .rtgen_family = AF_UNSPEC };

	for (int attempt = 0; attempt < 2; attempt++) {
		scoped(strbuf_done) struct strbuf msg = { 0 };
		int32_t id = -1;

		netlink_begin(&msg, RTM_GETNSID, 0, &fixed, sizeof(fixed));
		netlink_add_u32(&msg, NETNSA_FD, (uint32_t)netns_fd);
		int r = netlink_query(nl, &msg, take_nsid, &id);
		if (r < 0)
			return r;
		if (id >= 0) {
			*ret_id = id;
			return 0;
		}

		netlink_begin(&msg, RTM_NEWNSID, 0, &fixed, sizeof(fixed));
		netlink_add_u32(&msg, NETNSA_FD, (uint32_t)netns_fd);
		netlink_add_u32(&msg, NETNSA_NSID, (uint32_t)-1);
		r = netlink_request(nl, &msg);
		if (r < 0 && r != -EEXIST)
			return r;
	}

	return -EAGAIN;
}

struct listing {
	ARRAY_OF(struct net_link) links;
	ARRAY_OF(struct net_link_address) addresses;
};

static int add_link(const struct nlmsghdr *part, void *arg)
{
	struct listing *listing = arg;
	struct net_link link;

	if (read_link(part, &link))
		ARRAY_ADD(&listing->links, link);
	return 0;
}

static int add_address(const struct nlmsghdr *part, void *arg)
{
	struct listing *listing = arg;
	const struct rtattr *attrs[IFA_MAX + 1];

	if (part->nlmsg_type != RTM_NEWADDR ||
	    part->nlmsg_len < NLMSG_LENGTH(sizeof(struct ifaddrmsg)))
		return 0;
	const struct ifaddrmsg *info = NLMSG_DATA(part);
	netlink_attrs(IFA_RTA(info), IFA_PAYLOAD(part), attrs, COUNT_OF(attrs));

	struct net_link_address address = {
		.index = (int)info->ifa_index,
		.family = info->ifa_family,
		.scope = info->ifa_scope,
		.prefix_len = info->ifa_prefixlen,
	};
	const struct rtattr *value = attrs[IFA_LOCAL] ? attrs[IFA_LOCAL] : attrs[IFA_ADDRESS];
	size_t size = info->ifa_family == AF_INET ? 4 : 16;
	if (!value || RTA_PAYLOAD(value) != size ||
	    !inet_ntop(info->ifa_family, RTA_DATA(value), address.text, sizeof(address.text)))
		return 0;
	ARRAY_ADD(&listing->addresses, address);
	return 0;
}

int net_link_list(struct netlink *nl, int netns_fd, struct net_link_list *ret_list)
{
	scoped(strbuf_done) struct strbuf msg = { 0 };
	const struct ifinfomsg link_info = { .ifi_family = AF_UNSPEC };
	const struct ifaddrmsg address_info = { .ifa_family = AF_UNSPEC };
	struct listing listing = { 0 };
	int32_t id = -1;

	int r = netns_fd >= 0 ? netns_id(nl, netns_fd, &id) : 0;
	if (r < 0)
		return r;

	netlink_begin(&msg, RTM_GETLINK, 0, &link_info, sizeof(link_info));
	if (id >= 0)
		netlink_add_u32(&msg, IFLA_TARGET_NETNSID, (uint32_t)id);
	r = netlink_dump(nl, &msg, add_link, &listing);
	if (r == 0) {
		netlink_begin(&msg, RTM_GETADDR, 0, &address_info, sizeof(address_info));
		if (id >= 0)
			netlink_add_u32(&msg, IFA_TARGET_NETNSID, (uint32_t)id);
		r = netlink_dump(nl, &msg, add_address, &listing);
	}
	if (r < 0) {
		ARRAY_DONE(&listing.links);
		ARRAY_DONE(&listing.addresses);
		return r;
	}

	*ret_list = (struct net_link_list){
		.links = listing.links.items,
		.n_links = listing.links.n_items,
		.addresses = listing.addresses.items,
		.n_addresses = listing.addresses.n_items,
	};
	return 0;
}

void net_link_list_done(struct net_link_list *list)
{
	free(list->links);
	free(list->addresses);
	*list = (struct net_link_list){ 0 };
}
