#include "daemon/api/resources_bus.h"

#include <dirent.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/alloc.h"
#include "lib/base/file.h"
#include "lib/base/parse.h"
#include "lib/base/path.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/data/jv.h"

/* A file below /sys without its line break; NULL if there is none. */
static char *text_of(const char *dir, const char *name)
{
	scoped_free char *path = xasprintf("%s/%s", dir, name);
	scoped_free char *text = NULL;

	return file_read(path, 65536, &text, NULL) < 0 ? NULL : str_trim(text);
}

static int64_t number_of(const char *dir, const char *name, int64_t fallback)
{
	scoped_free char *text = text_of(dir, name);
	int64_t value = fallback;

	if (text)
		parse_int64(text, &value);

	return value;
}

/* What the last part of a link's target is called; NULL if it is no link. */
static char *target_of(const char *dir, const char *name)
{
	scoped_free char *path = xasprintf("%s/%s", dir, name);
	char target[PATH_MAX];
	ssize_t n = readlink(path, target, sizeof(target) - 1);

	if (n < 0)
		return NULL;

	target[n] = '\0';
	return xstrdup(path_base(target));
}

/* The names in a directory, sorted. */
static char **entries_of(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	char **names = NULL;

	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] != '.')
			strv_add(&names, entry->d_name);
	}
	if (dir)
		closedir(dir);

	strv_sort(names);
	return names;
}

static void set_text(struct json_object *o, const char *key, const char *dir, const char *file)
{
	scoped_free char *text = text_of(dir, file);

	if (!str_is_empty(text))
		jv_set_string(o, key, text);
}

/* "0x1af4" as "1af4". */
static char *hex_of(const char *dir, const char *file)
{
	scoped_free char *text = text_of(dir, file);

	if (!text)
		return xstrdup("");

	return xstrdup(str_starts(text, "0x") ? text + 2 : text);
}

static struct json_object *counted(const char *key, struct json_object *list)
{
	struct json_object *o = jv_object();

	jv_set_int(o, "total", (int64_t)jv_len(list));
	jv_set_take(o, key, list);
	return o;
}

/* Whether a device or one of its partitions is mounted, by "254:0" in mountinfo. */
static bool is_mounted(const char *mountinfo, const char *device)
{
	scoped_free char *needle = xasprintf(" %s ", device);

	return mountinfo && !str_is_empty(device) && strstr(mountinfo, needle);
}

static const char *disk_type(const char *name, const char *path)
{
	if (str_starts(name, "nvme"))
		return "nvme";
	if (str_starts(name, "vd"))
		return "virtio";
	if (strstr(path, "/usb"))
		return "usb";

	return str_starts(name, "sd") ? "scsi" : "";
}

static struct json_object *partitions_of(const char *dir, const char *disk, const char *mountinfo)
{
	struct json_object *list = jv_array();
	scoped(strv_freep) char **names = entries_of(dir);

	STRV_FOREACH (name, names) {
		scoped_free char *part = xasprintf("%s/%s", dir, name);
		scoped_free char *device = text_of(part, "dev");
		struct json_object *o;

		if (!str_starts(name, disk) || !device)
			continue;

		o = jv_object();
		jv_set_string(o, "id", name);
		jv_set_string(o, "device", device);
		jv_set_bool(o, "read_only", number_of(part, "ro", 0) != 0);
		jv_set_int(o, "size", number_of(part, "size", 0) * 512);
		jv_set_int(o, "partition", number_of(part, "partition", 0));
		jv_set_bool(o, "mounted", is_mounted(mountinfo, device));
		jv_set_string(o, "device_fs_uuid", "");
		jv_add_take(list, o);
	}

	return list;
}

static struct json_object *disk_json(const char *name, const char *mountinfo)
{
	struct json_object *o = jv_object();
	scoped_free char *dir = xasprintf("/sys/block/%s", name);
	scoped_free char *queue = xasprintf("%s/queue", dir);
	scoped_free char *device_dir = xasprintf("%s/device", dir);
	scoped_free char *device = text_of(dir, "dev");
	char resolved[PATH_MAX];

	if (!realpath(dir, resolved))
		resolved[0] = '\0';

	jv_set_string(o, "id", name);
	jv_set_string(o, "device", device);
	set_text(o, "model", device_dir, "model");
	jv_set_string(o, "type", disk_type(name, resolved));
	jv_set_bool(o, "read_only", number_of(dir, "ro", 0) != 0);
	jv_set_bool(o, "mounted", is_mounted(mountinfo, device));
	jv_set_int(o, "size", number_of(dir, "size", 0) * 512);
	jv_set_bool(o, "removable", number_of(dir, "removable", 0) != 0);
	set_text(o, "wwn", device_dir, "wwid");
	jv_set_int(o, "numa_node", 0);
	set_text(o, "serial", dir, "serial");
	jv_set_int(o, "block_size", number_of(queue, "physical_block_size", 0));
	set_text(o, "firmware_version", device_dir, "firmware_rev");
	jv_set_int(o, "rpm", number_of(queue, "rotational", 0));
	jv_set_string(o, "device_id", "");
	jv_set_take(o, "partitions", partitions_of(dir, name, mountinfo));
	jv_set_string(o, "device_fs_uuid", "");
	return o;
}

struct json_object *resources_bus_storage(void)
{
	static const char *const virtual_names[] = {
		"loop", "ram", "zram", "dm-", "md", "nbd", "fd"
	};
	struct json_object *disks = jv_array();
	scoped(strv_freep) char **names = entries_of("/sys/block");
	scoped_free char *mountinfo = NULL;

	file_read("/proc/self/mountinfo", 4U << 20, &mountinfo, NULL);
	STRV_FOREACH (name, names) {
		bool is_virtual = false;

		for (size_t i = 0; i < COUNT_OF(virtual_names); i++)
			is_virtual |= str_starts(name, virtual_names[i]);
		if (!is_virtual)
			jv_add_take(disks, disk_json(name, mountinfo));
	}

	return counted("disks", disks);
}

static void set_pci(struct json_object *o, const char *dir, const char *address,
                    const char *kernel_version)
{
	scoped_free char *driver = target_of(dir, "driver");
	scoped_free char *vendor = hex_of(dir, "vendor");
	scoped_free char *product = hex_of(dir, "device");
	int64_t node = number_of(dir, "numa_node", 0);

	jv_set_string(o, "driver", driver);
	jv_set_string(o, "driver_version", driver ? kernel_version : "");
	jv_set_int(o, "numa_node", node < 0 ? 0 : node);
	jv_set_string(o, "pci_address", address);
	jv_set_string(o, "vendor", "");
	jv_set_string(o, "vendor_id", vendor);
	jv_set_string(o, "product", "");
	jv_set_string(o, "product_id", product);
}

/* Ports of a card: the network interfaces below its device (virtio has a device of its own). */
static struct json_object *ports_of(const char *dir)
{
	struct json_object *ports = jv_array();
	scoped(strv_freep) char **below = entries_of(dir);

	strv_add(&below, ".");
	STRV_FOREACH (sub, below) {
		scoped_free char *net = xasprintf("%s/%s/net", dir, sub);
		scoped(strv_freep) char **names = entries_of(net);

		STRV_FOREACH (name, names) {
			scoped_free char *port = xasprintf("%s/%s", net, name);
			scoped_free char *duplex = text_of(port, "duplex");
			int64_t speed = number_of(port, "speed", 0);
			struct json_object *o = jv_object();

			jv_set_string(o, "id", name);
			set_text(o, "address", port, "address");
			jv_set_int(o, "port", number_of(port, "dev_port", 0));
			jv_set_string(o, "protocol", "ethernet");
			jv_set_bool(o, "auto_negotiation", false);
			jv_set_bool(o, "link_detected", number_of(port, "carrier", 0) != 0);
			if (speed > 0)
				jv_set_int(o, "link_speed", speed);
			if (!str_is_empty(duplex))
				jv_set_string(o, "link_duplex", duplex);
			jv_add_take(ports, o);
		}
	}

	return ports;
}

/* PCI devices whose class begins with 'class' ("0x02": network cards). */
static struct json_object *cards_of(const char *class, const char *kernel_version, bool has_ports)
{
	struct json_object *cards = jv_array();
	scoped(strv_freep) char **names = entries_of("/sys/bus/pci/devices");

	STRV_FOREACH (name, names) {
		scoped_free char *dir = xasprintf("/sys/bus/pci/devices/%s", name);
		scoped_free char *its_class = text_of(dir, "class");
		struct json_object *o;

		if (!str_starts(its_class, class))
			continue;

		o = jv_object();
		set_pci(o, dir, name, kernel_version);
		if (has_ports)
			jv_set_take(o, "ports", ports_of(dir));
		jv_add_take(cards, o);
	}

	return counted("cards", cards);
}

struct json_object *resources_bus_network(const char *kernel_version)
{
	return cards_of("0x02", kernel_version, true);
}

struct json_object *resources_bus_gpu(const char *kernel_version)
{
	return cards_of("0x03", kernel_version, false);
}

struct json_object *resources_bus_pci(const char *kernel_version)
{
	struct json_object *devices = jv_array();
	scoped(strv_freep) char **names = entries_of("/sys/bus/pci/devices");

	STRV_FOREACH (name, names) {
		scoped_free char *dir = xasprintf("/sys/bus/pci/devices/%s", name);
		scoped_free char *group = target_of(dir, "iommu_group");
		struct json_object *o = jv_object();

		set_pci(o, dir, name, kernel_version);
		jv_set_int(o, "iommu_group", group ? strtoll(group, NULL, 10) : 0);
		jv_set_take(o, "vpd", jv_object());
		jv_add_take(devices, o);
	}

	return counted("devices", devices);
}

static struct json_object *usb_interfaces(const char *dir, const char *device)
{
	struct json_object *list = jv_array();
	scoped(strv_freep) char **names = entries_of(dir);

	STRV_FOREACH (name, names) {
		scoped_free char *sub = xasprintf("%s/%s", dir, name);
		scoped_free char *class = text_of(sub, "bInterfaceClass");
		scoped_free char *driver = target_of(sub, "driver");
		struct json_object *o;

		if (!str_starts(name, device) || !class)
			continue;

		o = jv_object();
		jv_set_string(o, "class", "");
		jv_set_int(o, "class_id", strtoll(class, NULL, 16));
		jv_set_string(o, "driver", driver);
		jv_set_string(o, "driver_version", "");
		jv_set_int(o, "number", number_of(sub, "bInterfaceNumber", 0));
		jv_set_string(o, "subclass", "");
		jv_set_int(o, "subclass_id", number_of(sub, "bInterfaceSubClass", 0));
		jv_add_take(list, o);
	}

	return list;
}

struct json_object *resources_bus_usb(void)
{
	struct json_object *devices = jv_array();
	scoped(strv_freep) char **names = entries_of("/sys/bus/usb/devices");

	STRV_FOREACH (name, names) {
		scoped_free char *dir = xasprintf("/sys/bus/usb/devices/%s", name);
		scoped_free char *vendor = text_of(dir, "idVendor");
		scoped_free char *product = text_of(dir, "idProduct");
		scoped_free char *vendor_name = text_of(dir, "manufacturer");
		scoped_free char *product_name = text_of(dir, "product");
		scoped_free char *serial = text_of(dir, "serial");
		scoped_free char *speed = text_of(dir, "speed");
		struct json_object *o;

		if (!vendor)
			continue;

		o = jv_object();
		jv_set_int(o, "bus_address", number_of(dir, "busnum", 0));
		jv_set_int(o, "device_address", number_of(dir, "devnum", 0));
		jv_set_string(o, "serial", serial);
		jv_set_take(o, "interfaces", usb_interfaces(dir, name));
		jv_set_string(o, "product", product_name);
		jv_set_string(o, "product_id", product);
		jv_set_string(o, "vendor", vendor_name);
		jv_set_string(o, "vendor_id", vendor);
		jv_set_double(o, "speed", speed ? strtod(speed, NULL) : 0);
		jv_add_take(devices, o);
	}

	return counted("devices", devices);
}

static struct json_object *dmi_group(const char *const *pairs)
{
	struct json_object *o = jv_object();

	for (; pairs[0]; pairs += 2) {
		scoped_free char *text = text_of("/sys/class/dmi/id", pairs[1]);

		jv_set_string(o, pairs[0], text);
	}

	return o;
}

struct json_object *resources_bus_system(void)
{
	static const char *const system[] = {
		"uuid",   "product_uuid",   "vendor",  "sys_vendor",      "product", "product_name",
		"family", "product_family", "version", "product_version", "sku",     "product_sku",
		"serial", "product_serial", NULL
	};
	static const char *const firmware[] = { "vendor",  "bios_vendor",  "date", "bios_date",
		                                "version", "bios_version", NULL };
	static const char *const chassis[] = { "vendor",       "chassis_vendor",  "type",
		                               "chassis_type", "serial",          "chassis_serial",
		                               "version",      "chassis_version", NULL };
	static const char *const board[] = { "vendor",     "board_vendor",  "product",
		                             "board_name", "serial",        "board_serial",
		                             "version",    "board_version", NULL };
	struct json_object *o = dmi_group(system);

	jv_set_string(o, "type", file_exists("/proc/1/root/.dockerenv") ? "container" : "physical");
	jv_set_take(o, "firmware", dmi_group(firmware));
	jv_set_take(o, "chassis", dmi_group(chassis));
	jv_set_take(o, "motherboard", dmi_group(board));
	return o;
}
