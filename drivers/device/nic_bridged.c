#include "drivers/device/nic_bridged.h"

#include "drivers/device/nic_common.h"
#include "lib/base/alloc.h"
#include "lib/base/smap.h"
#include "lib/linux/net_link.h"

/* clang-format off */
static const struct conf_key keys[] = {
	{ .name = "parent", .type = CONF_STRING, .flags = CONF_REQUIRED, .check = nic_common_check_name,
	  .doc = "Bridge of the host that the NIC is connected to." },
	{ .name = "name", .type = CONF_STRING, .check = nic_common_check_name,
	  .doc = "Name of the interface inside; the device's own name otherwise." },
	{ .name = "host_name", .type = CONF_STRING, .check = nic_common_check_name,
	  .doc = "Name of the interface on the host; chosen at random otherwise." },
	{ .name = "hwaddr", .type = CONF_STRING, .check = nic_common_check_hwaddr,
	  .doc = "MAC address; chosen once at random otherwise." },
	{ .name = "mtu", .type = CONF_UINT, .min = 68, .max = 65535,
	  .doc = "MTU of both ends; the bridge's otherwise." },
	{ .name = "queue.tx.length", .type = CONF_UINT, .max = UINT32_MAX,
	  .doc = "Length of the transmit queue." },
	{ .name = "security.port_isolation", .type = CONF_BOOL, .fallback = "false",
	  .doc = "Keep the NIC from other isolated ports of the bridge." },
	{ .name = "boot.priority", .type = CONF_UINT, .flags = CONF_VM,
	  .doc = "Order in which a virtual machine boots from its devices." },
	{ .name = "security.mac_filtering", .type = CONF_BOOL, .check = nic_common_check_unsupported,
	  .doc = "Drop frames with another sender; not supported yet." },
	{ .name = "security.ipv4_filtering", .type = CONF_BOOL, .check = nic_common_check_unsupported,
	  .doc = "Drop packets with another IPv4 sender; not supported yet." },
	{ .name = "security.ipv6_filtering", .type = CONF_BOOL, .check = nic_common_check_unsupported,
	  .doc = "Drop packets with another IPv6 sender; not supported yet." },
	{ .name = "limits.ingress", .type = CONF_STRING, .check = nic_common_check_unsupported,
	  .doc = "Most bits a second that come in; not supported yet." },
	{ .name = "limits.egress", .type = CONF_STRING, .check = nic_common_check_unsupported,
	  .doc = "Most bits a second that go out; not supported yet." },
	{ .name = "limits.max", .type = CONF_STRING, .check = nic_common_check_unsupported,
	  .doc = "Most bits a second each way; not supported yet." },
	{ .name = "limits.priority", .type = CONF_STRING, .check = nic_common_check_unsupported,
	  .doc = "Priority of outgoing packets; not supported yet." },
	{ .name = "ipv4.address", .type = CONF_STRING, .check = nic_common_check_unsupported,
	  .doc = "Address to give by DHCP; needs a managed network." },
	{ .name = "ipv6.address", .type = CONF_STRING, .check = nic_common_check_unsupported,
	  .doc = "Address to give by DHCP; needs a managed network." },
	{ .name = "ipv4.routes", .type = CONF_STRING, .check = nic_common_check_unsupported,
	  .doc = "Routes of the host to the NIC; not supported yet." },
	{ .name = "ipv6.routes", .type = CONF_STRING, .check = nic_common_check_unsupported,
	  .doc = "Routes of the host to the NIC; not supported yet." },
	{ .name = "ipv4.routes.external", .type = CONF_STRING, .check = nic_common_check_unsupported,
	  .doc = "Routes to announce; needs a managed network." },
	{ .name = "ipv6.routes.external", .type = CONF_STRING, .check = nic_common_check_unsupported,
	  .doc = "Routes to announce; needs a managed network." },
	{ .name = "vlan", .type = CONF_STRING, .check = nic_common_check_unsupported,
	  .doc = "VLAN of untagged frames; not supported yet." },
	{ .name = "vlan.tagged", .type = CONF_STRING, .check = nic_common_check_unsupported,
	  .doc = "VLANs of tagged frames; not supported yet." },
	{ .name = NULL },
};
/* clang-format on */

static int start(const struct device *dev, struct run_config *run, struct error **err)
{
	const char *parent = smap_get_or(dev->config, "parent", "");
	scoped(netlink_freep) struct netlink *nl = NULL;

	int r = netlink_open(&nl);
	if (r < 0)
		return error_set_errno(err, r, "Failed opening netlink");
	if (!net_link_is_bridge(nl, parent))
		return error_set(err, 400, "Parent device \"%s\" does not exist or is not a bridge",
		                 parent);
	struct run_link *link = nic_common_add_link(dev, run);
	link->kind = RUN_LINK_BRIDGED;
	link->parent = xstrdup(parent);
	link->is_isolated = smap_is_true(dev->config, "security.port_isolation");
	return 0;
}

const struct device_driver nic_bridged = {
	.type = "nic",
	.nictype = "bridged",
	.caps = DEVICE_CAP_HOTPLUG,
	.keys = keys,
	.fill_volatile = nic_common_fill_volatile,
	.start = start,
	.stop = nic_common_stop,
};
