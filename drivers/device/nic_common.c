#include "drivers/device/nic_common.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "lib/base/alloc.h"
#include "lib/base/parse.h"
#include "lib/base/random.h"
#include "lib/base/smap.h"
#include "lib/base/str.h"
#include "lib/linux/net_link.h"

int nic_common_check_name(const char *value, struct error **err)
{
	if (!net_link_is_valid_name(value))
		return error_set(err, 400, "Invalid network interface name \"%s\"", value);
	return 0;
}

int nic_common_check_hwaddr(const char *value, struct error **err)
{
	uint8_t mac[NET_LINK_MAC_SIZE];

	if (!net_link_parse_mac(value, mac) || mac[0] & 1)
		return error_set(err, 400, "Invalid MAC address \"%s\"", value);
	return 0;
}

int nic_common_check_unsupported(const char *value, struct error **err)
{
	if (parse_is_false(value))
		return 0;
	return error_set(err, 400, "This option is not supported by this server");
}

/* Xensource's, as LXD uses it. */
#define MAC_PREFIX "00:16:3e"

static const char *value_of(const struct device *dev, const char *key)
{
	const char *value = smap_get_or(dev->config, key, NULL);

	return value ? value : smap_get_or(dev->volatile_config, key, NULL);
}

int nic_common_fill_volatile(const struct device *dev, struct error **err)
{
	(void)err;
	if (!value_of(dev, "hwaddr"))
		smap_set_take(dev->volatile_config, "hwaddr", random_mac(MAC_PREFIX));
	if (!value_of(dev, "host_name") && dev->is_named_by_mac) {
		uint8_t mac[NET_LINK_MAC_SIZE] = { 0 };

		/* As clients of LXD know it. */
		net_link_parse_mac(value_of(dev, "hwaddr"), mac);
		smap_setf(dev->volatile_config, "host_name", "lxd%02x%02x%02x%02x%02x%02x", mac[0],
		          mac[1], mac[2], mac[3], mac[4], mac[5]);
	} else if (!value_of(dev, "host_name")) {
		uint32_t number;

		random_bytes(&number, sizeof(number));
		smap_setf(dev->volatile_config, "host_name", "veth%08" PRIx32, number);
	}

	return 0;
}

struct run_link *nic_common_add_link(const struct device *dev, struct run_config *run)
{
	struct run_link *link = run_config_add_link(run);
	const char *name = value_of(dev, "name");

	if (!name && net_link_is_valid_name(dev->name))
		name = dev->name;
	link->name = name ? xstrdup(name) : NULL;
	link->hwaddr = xstrdup(str_or_empty(value_of(dev, "hwaddr")));
	link->host_name = xstrdup(str_or_empty(value_of(dev, "host_name")));
	parse_uint32(smap_get_or(dev->config, "mtu", "0"), &link->mtu);
	parse_uint32(smap_get_or(dev->config, "queue.tx.length", "0"), &link->tx_queue_len);
	return link;
}

int nic_common_stop(const struct device *dev, struct error **err)
{
	scoped(netlink_freep) struct netlink *nl = NULL;
	const char *host_name = value_of(dev, "host_name");

	if (!host_name)
		return 0;
	int r = netlink_open(&nl);
	if (r == 0)
		r = net_link_delete(nl, host_name);
	if (r < 0 && r != -ENODEV)
		return error_set_errno(err, r, "Failed removing link \"%s\"", host_name);
	return 0;
}
