#include "drivers/device/nic_p2p.h"

#include "drivers/device/nic_common.h"

/* clang-format off */
static const struct conf_key keys[] = {
	{ .name = "name", .type = CONF_STRING, .check = nic_common_check_name,
	  .doc = "Name of the interface inside; the device's own name otherwise." },
	{ .name = "host_name", .type = CONF_STRING, .check = nic_common_check_name,
	  .doc = "Name of the interface on the host; chosen at random otherwise." },
	{ .name = "hwaddr", .type = CONF_STRING, .check = nic_common_check_hwaddr,
	  .doc = "MAC address; chosen once at random otherwise." },
	{ .name = "mtu", .type = CONF_UINT, .min = 68, .max = 65535,
	  .doc = "MTU of both ends." },
	{ .name = "queue.tx.length", .type = CONF_UINT, .max = UINT32_MAX,
	  .doc = "Length of the transmit queue." },
	{ .name = "boot.priority", .type = CONF_UINT, .flags = CONF_VM,
	  .doc = "Order in which a virtual machine boots from its devices." },
	{ .name = "limits.ingress", .type = CONF_STRING, .check = nic_common_check_unsupported,
	  .doc = "Most bits a second that come in; not supported yet." },
	{ .name = "limits.egress", .type = CONF_STRING, .check = nic_common_check_unsupported,
	  .doc = "Most bits a second that go out; not supported yet." },
	{ .name = "limits.max", .type = CONF_STRING, .check = nic_common_check_unsupported,
	  .doc = "Most bits a second each way; not supported yet." },
	{ .name = "limits.priority", .type = CONF_STRING, .check = nic_common_check_unsupported,
	  .doc = "Priority of outgoing packets; not supported yet." },
	{ .name = "ipv4.routes", .type = CONF_STRING, .check = nic_common_check_unsupported,
	  .doc = "Routes of the host to the NIC; not supported yet." },
	{ .name = "ipv6.routes", .type = CONF_STRING, .check = nic_common_check_unsupported,
	  .doc = "Routes of the host to the NIC; not supported yet." },
	{ .name = NULL },
};
/* clang-format on */

static int start(const struct device *dev, struct run_config *run, struct error **err)
{
	(void)err;
	nic_common_add_link(dev, run)->kind = RUN_LINK_P2P;
	return 0;
}

const struct device_driver nic_p2p = {
	.type = "nic",
	.nictype = "p2p",
	.caps = DEVICE_CAP_HOTPLUG,
	.keys = keys,
	.fill_volatile = nic_common_fill_volatile,
	.start = start,
	.stop = nic_common_stop,
};
