#include "drivers/instance/ct/ct_state.h"

#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/linux/net_link.h"
#include "lib/linux/procfs.h"

static void fill_usage(const struct instance_engine *engine, const char *id,
                       struct instance_state *state)
{
	scoped_free char *group = ct_engine_group(engine, id);
	struct cgroup_usage usage;
	uint64_t total = engine->host.limits.memory_total;

	cgroup_usage(engine->cg, group, &usage);
	procfs_started_at(state->pid, &state->started_at);
	state->processes = usage.processes;
	state->cpu_usage = usage.cpu_ns;
	state->memory_usage = usage.memory;
	state->memory_usage_peak = usage.memory_peak;
	state->memory_total = MIN_OF(usage.memory_limit, total);
	state->swap_usage = usage.swap;
	state->swap_usage_peak = usage.swap_peak;
}

static const char *type_of(const struct net_link *link)
{
	if (link->flags & IFF_LOOPBACK)
		return "loopback";
	if (link->flags & IFF_BROADCAST)
		return "broadcast";
	return link->flags & IFF_POINTOPOINT ? "point-to-point" : "unknown";
}

static const char *scope_of(const struct net_link_address *address)
{
	if (address->scope == RT_SCOPE_HOST)
		return "local";
	return address->scope == RT_SCOPE_LINK ? "link" : "global";
}

/* The host's links by index, so that a container's end finds its peer's name. */
static const char *name_by_index(const struct net_link_list *links, int index)
{
	for (size_t i = 0; index > 0 && i < links->n_links; i++) {
		if (links->links[i].index == index)
			return links->links[i].name;
	}

	return "";
}

static void fill_interface(const struct net_link_list *list, size_t at,
                           const struct net_link_list *host, struct instance_interface *out)
{
	const struct net_link *link = &list->links[at];
	size_t n = 0;

	str_copy(out->name, sizeof(out->name), link->name);
	str_copy(out->host_name, sizeof(out->host_name), name_by_index(host, link->peer_index));
	str_copy(out->hwaddr, sizeof(out->hwaddr), link->hwaddr);
	str_copy(out->state, sizeof(out->state), link->flags & IFF_UP ? "up" : "down");
	str_copy(out->type, sizeof(out->type), type_of(link));
	out->mtu = link->mtu;
	out->counters.bytes_received = link->rx_bytes;
	out->counters.bytes_sent = link->tx_bytes;
	out->counters.packets_received = link->rx_packets;
	out->counters.packets_sent = link->tx_packets;
	out->counters.errors_received = link->rx_errors;
	out->counters.errors_sent = link->tx_errors;
	out->counters.dropped_inbound = link->rx_dropped;
	out->counters.dropped_outbound = link->tx_dropped;

	for (size_t i = 0; i < list->n_addresses; i++)
		n += list->addresses[i].index == link->index;
	if (n == 0)
		return;
	out->addresses = xcalloc(n, sizeof(*out->addresses));
	for (size_t i = 0; i < list->n_addresses; i++) {
		const struct net_link_address *from = &list->addresses[i];
		if (from->index != link->index)
			continue;

		struct instance_address *to = &out->addresses[out->n_addresses++];
		str_copy(to->family, sizeof(to->family),
		         from->family == AF_INET ? "inet" : "inet6");
		str_copy(to->address, sizeof(to->address), from->text);
		snprintf(to->netmask, sizeof(to->netmask), "%u", from->prefix_len);
		str_copy(to->scope, sizeof(to->scope), scope_of(from));
	}
}

static void fill_network(struct netlink *nl, const struct net_link_list *host,
                         struct instance_state *state)
{
	struct net_link_list list;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/net", state->pid);
	scoped_fd int netns = open(path, O_RDONLY | O_CLOEXEC);
	if (netns < 0 || net_link_list(nl, netns, &list) < 0)
		return; /* It ended meanwhile. */

	state->interfaces = xcalloc(list.n_links, sizeof(*state->interfaces));
	for (; state->n_interfaces < list.n_links; state->n_interfaces++)
		fill_interface(&list, state->n_interfaces, host,
		               &state->interfaces[state->n_interfaces]);
	net_link_list_done(&list);
}

int ct_state(struct instance_engine *engine, const char *const *ids, size_t n_ids, uint32_t parts,
             struct instance_state *ret_states, struct error **err)
{
	scoped(netlink_freep) struct netlink *nl = NULL;
	scoped(net_link_list_done) struct net_link_list host = { 0 };

	for (size_t i = 0; i < n_ids; i++) {
		struct instance_state *state = &ret_states[i];
		struct ct_running running;

		*state = (struct instance_state){ .status = INSTANCE_STOPPED };
		if (!ct_engine_get(engine, ids[i], &running))
			continue;
		state->status = running.is_frozen ? INSTANCE_FROZEN : INSTANCE_RUNNING;
		state->pid = running.init;
		if (parts & INSTANCE_STATE_USAGE)
			fill_usage(engine, ids[i], state);
		if (!(parts & INSTANCE_STATE_NETWORK))
			continue;
		if (!nl) {
			int r = netlink_open(&nl);
			if (r == 0)
				r = net_link_list(nl, -1, &host);
			if (r < 0)
				return error_set_errno(err, r, "Failed reading network links");
		}
		fill_network(nl, &host, state);
	}

	return 0;
}
