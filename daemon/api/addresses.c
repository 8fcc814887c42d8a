#include "daemon/api/addresses.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

#include "cluster/cluster.h"
#include "daemon/core/server_conf.h"
#include "daemon/core/state.h"
#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/data/jv.h"
#include "lib/net/netaddr.h"

#define HTTPS_PORT 8443

static bool is_shown(const struct ifaddrs *at)
{
	if (!at->ifa_addr || (at->ifa_flags & IFF_LOOPBACK))
		return false;
	if (at->ifa_addr->sa_family == AF_INET)
		return true;
	if (at->ifa_addr->sa_family != AF_INET6)
		return false;

	const struct sockaddr_in6 *in6 = (const void *)at->ifa_addr;

	return !IN6_IS_ADDR_LINKLOCAL(&in6->sin6_addr);
}

static void add_interfaces(struct json_object *list, uint16_t port)
{
	struct ifaddrs *all = NULL;

	if (getifaddrs(&all) < 0)
		return;

	for (struct ifaddrs *at = all; at; at = at->ifa_next) {
		char host[NETADDR_TEXT_SIZE];

		if (!is_shown(at))
			continue;

		netaddr_print_host(at->ifa_addr, host);

		scoped_free char *address = netaddr_join(host, port);

		jv_add_string(list, address);
	}
	freeifaddrs(all);
}

struct json_object *addresses_listening(struct state *state)
{
	struct json_object *list = jv_array();
	scoped_free char *configured = server_conf_string(state, "core.https_address");
	scoped_free char *host = NULL;
	uint16_t port;

	if (str_is_empty(configured))
		return list;
	if (netaddr_split(configured, HTTPS_PORT, &host, &port) < 0)
		return list;

	if (netaddr_is_wildcard(host)) {
		add_interfaces(list, port);
	} else {
		scoped_free char *address = netaddr_join(host, port);

		jv_add_string(list, address);
	}

	return list;
}

struct json_object *addresses_of_cluster(struct state *state)
{
	if (!state_is_clustered(state))
		return addresses_listening(state);

	struct json_object *list = jv_array();
	scoped(member_list_unrefp) struct member_list *members = cluster_members(state->cluster);

	for (size_t i = 0; i < members->n_members; i++) {
		const struct member *m = &members->members[i];

		if (m->state == MEMBER_CREATED && !str_is_empty(m->address))
			jv_add_string(list, m->address);
	}

	return list;
}
