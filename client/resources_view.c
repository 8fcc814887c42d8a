#include "client/resources_view.h"

#include <stdlib.h>
#include <string.h>

#include "client/output.h"
#include "lib/base/str.h"
#include "lib/data/jv.h"

static void print_text(FILE *out, const char *indent, const char *label, struct json_object *o,
                       const char *key)
{
	if (!str_is_empty(jv_text(o, key)))
		fprintf(out, "%s%s: %s\n", indent, label, jv_text(o, key));
}

static void print_size(FILE *out, const char *indent, const char *label, int64_t bytes)
{
	scoped_free char *text = output_size_iec(bytes);

	fprintf(out, "%s%s: %s\n", indent, label, text);
}

static void print_core(FILE *out, struct json_object *core)
{
	struct json_object *threads = jv_member(core, "threads");

	fprintf(out, "    - Core %lld\n      Frequency: %lldMhz\n      Threads:\n",
	        (long long)jv_number(core, "core"), (long long)jv_number(core, "frequency"));
	for (size_t i = 0; i < jv_len(threads); i++) {
		struct json_object *t = jv_item(threads, i);

		fprintf(out, "        - %lld (id: %lld, online: %s, NUMA node: %lld)\n",
		        (long long)jv_number(t, "thread"), (long long)jv_number(t, "id"),
		        jv_flag(t, "online") ? "true" : "false",
		        (long long)jv_number(t, "numa_node"));
	}
}

static void print_socket(FILE *out, struct json_object *socket)
{
	struct json_object *caches = jv_member(socket, "cache"),
			   *cores = jv_member(socket, "cores");

	print_text(out, "  ", "Vendor", socket, "vendor");
	print_text(out, "  ", "Name", socket, "name");
	if (jv_len(caches))
		fputs("  Caches:\n", out);
	for (size_t i = 0; i < jv_len(caches); i++) {
		struct json_object *c = jv_item(caches, i);
		int64_t size = jv_number(c, "size");
		bool whole = size >= 1024 && size % 1024 == 0;
		bool mega = size >= 1 << 20 && size % (1 << 20) == 0;

		fprintf(out, "    - Level %lld (type: %s): %lld%s\n",
		        (long long)jv_number(c, "level"), str_or_empty(jv_text(c, "type")),
		        (long long)(mega    ? size >> 20
		                    : whole ? size >> 10
		                            : size),
		        mega    ? "MiB"
		        : whole ? "KiB"
		                : "B");
	}
	fputs("  Cores:\n", out);
	for (size_t i = 0; i < jv_len(cores); i++)
		print_core(out, jv_item(cores, i));
}

static void print_cpu(FILE *out, struct json_object *cpu)
{
	struct json_object *sockets = jv_member(cpu, "sockets");
	size_t n = jv_len(sockets);

	if (n == 1) {
		fprintf(out, "CPU (%s):\n", str_or_empty(jv_text(cpu, "architecture")));
		print_socket(out, jv_item(sockets, 0));
		return;
	}
	fprintf(out, "CPUs (%s):\n", str_or_empty(jv_text(cpu, "architecture")));
	for (size_t i = 0; i < n; i++) {
		fprintf(out, "  Socket %lld:\n",
		        (long long)jv_number(jv_item(sockets, i), "socket"));
		print_socket(out, jv_item(sockets, i));
	}
}

static void print_memory(FILE *out, struct json_object *memory)
{
	int64_t total = jv_number(memory, "total"), used = jv_number(memory, "used");

	fputs("\nMemory:\n", out);
	print_size(out, "  ", "Free", total - used);
	print_size(out, "  ", "Used", used);
	print_size(out, "  ", "Total", total);
}

/* A card or a disk; several of a kind are numbered. */
static void print_cards(FILE *out, const char *one, const char *many, struct json_object *cards,
                        void (*print)(FILE *, struct json_object *, const char *))
{
	size_t n = jv_len(cards);

	if (n == 0)
		return;
	fprintf(out, "\n%s:\n", n == 1 ? one : many);
	for (size_t i = 0; i < n; i++) {
		if (n > 1)
			fprintf(out, "  %s %zu:\n", one, i);
		print(out, jv_item(cards, i), n > 1 ? "    " : "  ");
	}
}

static void print_nic(FILE *out, struct json_object *card, const char *indent)
{
	fprintf(out, "%sNUMA node: %lld\n", indent, (long long)jv_number(card, "numa_node"));
	print_text(out, indent, "Vendor", card, "vendor");
	print_text(out, indent, "Product", card, "product");
	print_text(out, indent, "PCI address", card, "pci_address");
	if (!str_is_empty(jv_text(card, "driver")))
		fprintf(out, "%sDriver: %s (%s)\n", indent, jv_text(card, "driver"),
		        str_or_empty(jv_text(card, "driver_version")));
}

static void print_disk(FILE *out, struct json_object *disk, const char *indent)
{
	fprintf(out, "%sNUMA node: %lld\n", indent, (long long)jv_number(disk, "numa_node"));
	print_text(out, indent, "ID", disk, "id");
	print_text(out, indent, "Device", disk, "device");
	print_text(out, indent, "Model", disk, "model");
	print_text(out, indent, "Type", disk, "type");
	print_size(out, indent, "Size", jv_number(disk, "size"));
	fprintf(out, "%sRead-Only: %s\n%sRemovable: %s\n", indent,
	        jv_flag(disk, "read_only") ? "true" : "false", indent,
	        jv_flag(disk, "removable") ? "true" : "false");
}

void resources_view_print(struct json_object *resources, FILE *out)
{
	print_cpu(out, jv_member(resources, "cpu"));
	print_memory(out, jv_member(resources, "memory"));
	print_cards(out, "GPU", "GPUs", jv_member(jv_member(resources, "gpu"), "cards"), print_nic);
	print_cards(out, "NIC", "NICs", jv_member(jv_member(resources, "network"), "cards"),
	            print_nic);
	print_cards(out, "Disk", "Disks", jv_member(jv_member(resources, "storage"), "disks"),
	            print_disk);
}
