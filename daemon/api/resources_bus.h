/* Disks, network cards, PCI and USB devices and the machine itself, for GET /1.0/resources. */
#pragma once

struct json_object;

/* All owned by the caller. */
struct json_object *resources_bus_storage(void);
struct json_object *resources_bus_network(const char *kernel_version);
struct json_object *resources_bus_gpu(const char *kernel_version);
struct json_object *resources_bus_pci(const char *kernel_version);
struct json_object *resources_bus_usb(void);
struct json_object *resources_bus_system(void);
