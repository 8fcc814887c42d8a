/* "muster info": a server, its hardware, or one instance. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/commands.h"
#include "client/output.h"
#include "client/resources_view.h"
#include "lib/base/alloc.h"
#include "lib/base/date.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/data/jv.h"

static void print_line(const char *label, const char *value)
{
	if (!str_is_empty(value))
		printf("%s: %s\n", label, value);
}

static void print_size(const char *indent, const char *label, struct json_object *o,
                       const char *key)
{
	if (jv_number(o, key) > 0) {
		scoped_free char *text = output_size_iec(jv_number(o, key));

		printf("%s%s: %s\n", indent, label, text);
	}
}

static void print_disks(struct json_object *disks)
{
	bool first = true;

	JV_FOREACH (disks, name, disk) {
		if (jv_number(disk, "usage") <= 0)
			continue;
		scoped_free char *text = output_size_iec(jv_number(disk, "usage"));

		if (first)
			printf("  Disk usage:\n");
		first = false;
		printf("    %s: %s\n", name, text);
	}
}

static void print_memory(struct json_object *memory)
{
	static const char *const labels[][2] = { { "usage", "Memory (current)" },
		                                 { "usage_peak", "Memory (peak)" },
		                                 { "swap_usage", "Swap (current)" },
		                                 { "swap_usage_peak", "Swap (peak)" } };
	bool first = true;

	for (size_t i = 0; i < COUNT_OF(labels); i++) {
		if (jv_number(memory, labels[i][0]) <= 0)
			continue;
		if (first)
			printf("  Memory usage:\n");
		first = false;
		print_size("    ", labels[i][1], memory, labels[i][0]);
	}
}

static void print_addresses(struct json_object *list)
{
	printf("      IP addresses:\n");
	for (size_t i = 0; i < jv_len(list); i++) {
		struct json_object *a = jv_item(list, i);

		printf("        %s:  %s/%s (%s)\n", str_or_empty(jv_text(a, "family")),
		       str_or_empty(jv_text(a, "address")), str_or_empty(jv_text(a, "netmask")),
		       str_or_empty(jv_text(a, "scope")));
	}
}

static void print_nic(const char *name, struct json_object *net)
{
	struct json_object *counters = jv_member(net, "counters");
	scoped_free char *state = output_upper(jv_text(net, "state"));
	scoped_free char *received = output_size_si(jv_number(counters, "bytes_received"));
	scoped_free char *sent = output_size_si(jv_number(counters, "bytes_sent"));

	printf("    %s:\n", name);
	printf("      Type: %s\n", str_or_empty(jv_text(net, "type")));
	printf("      State: %s\n", state);
	if (!str_is_empty(jv_text(net, "host_name")))
		printf("      Host interface: %s\n", jv_text(net, "host_name"));
	if (!str_is_empty(jv_text(net, "hwaddr")))
		printf("      MAC address: %s\n", jv_text(net, "hwaddr"));
	if (jv_number(net, "mtu"))
		printf("      MTU: %lld\n", (long long)jv_number(net, "mtu"));
	printf("      Bytes received: %s\n      Bytes sent: %s\n", received, sent);
	printf("      Packets received: %lld\n      Packets sent: %lld\n",
	       (long long)jv_number(counters, "packets_received"),
	       (long long)jv_number(counters, "packets_sent"));
	print_addresses(jv_member(net, "addresses"));
}

static void print_networks(struct json_object *networks)
{
	scoped(strv_freep) char **names = NULL;

	JV_FOREACH (networks, name, unused) {
		(void)unused;
		strv_add(&names, name);
	}
	strv_sort(names);
	if (names)
		printf("  Network usage:\n");
	STRV_FOREACH (name, names) {
		print_nic(name, jv_member(networks, name));
	}
}

static void print_state(struct json_object *state)
{
	if (jv_number(state, "pid") <= 0)
		return;
	printf("\nResources:\n");
	printf("  Processes: %lld\n", (long long)jv_number(state, "processes"));
	print_disks(jv_member(state, "disk"));
	printf("  CPU usage:\n    CPU usage (in seconds): %lld\n",
	       (long long)(jv_number(jv_member(state, "cpu"), "usage") / DATE_SECOND));
	print_memory(jv_member(state, "memory"));
	print_networks(jv_member(state, "network"));
}

static void print_snapshots(struct json_object *list)
{
	static const char *const headers[] = { "NAME", "TAKEN AT", "EXPIRES AT", "STATEFUL", NULL };
	scoped(table_freep) struct table *table = table_new(headers);

	if (!jv_len(list))
		return;
	for (size_t i = 0; i < jv_len(list); i++) {
		struct json_object *s = jv_item(list, i);
		const char *name = str_or_empty(jv_text(s, "name"));
		const char *slash = strchr(name, '/');

		table_add(table, slash ? slash + 1 : name);
		table_add_take(table, output_date(jv_text(s, "created_at")));
		table_add_take(table, output_date(jv_text(s, "expires_at")));
		table_add(table, output_yes(jv_flag(s, "stateful")));
	}
	printf("\nSnapshots:\n");
	table_print(table, TABLE_GRID, stdout);
}

static void print_backups(struct json_object *list)
{
	static const char *const headers[] = { "NAME",          "TAKEN AT",          "EXPIRES AT",
		                               "INSTANCE ONLY", "OPTIMIZED STORAGE", NULL };
	scoped(table_freep) struct table *table = table_new(headers);

	if (!jv_len(list))
		return;
	for (size_t i = 0; i < jv_len(list); i++) {
		struct json_object *b = jv_item(list, i);
		const char *name = str_or_empty(jv_text(b, "name"));
		const char *slash = strchr(name, '/');

		table_add(table, slash ? slash + 1 : name);
		table_add_take(table, output_date(jv_text(b, "created_at")));
		table_add_take(table, output_date(jv_text(b, "expires_at")));
		table_add(table, output_yes(jv_flag(b, "instance_only")));
		table_add(table, output_yes(jv_flag(b, "optimized_storage")));
	}
	printf("\nBackups:\n");
	table_print(table, TABLE_GRID, stdout);
}

/* The console's last output, or the log of the last start. */
static int print_log(struct server *server, const char *name, struct error **err)
{
	static const char *const files[] = { "lxc.log", "qemu.log" };
	struct server_answer answer;

	for (size_t i = 0; i < COUNT_OF(files); i++) {
		scoped(error_freep) struct error *missing = NULL;
		scoped_free char *path =
			server_path(server, "/1.0/instances/%s/logs/%s", name, files[i]);

		if (server_call(server, &(struct server_call){ 0 }, path, &answer, &missing) < 0)
			continue;
		printf("\nLog:\n\n%s\n", answer.http.body);
		server_answer_done(&answer);
		return 0;
	}
	return error_set(err, 404, "The instance \"%s\" has no log", name);
}

static int instance_info(struct server *server, const char *name, const struct cli *cli,
                         struct error **err)
{
	scoped(jv_unrefp) struct json_object *o = NULL;
	int r = server_get(server, &o, err, "/1.0/instances/%s?recursion=1", name);

	if (r < 0)
		return r;
	scoped_free char *status = output_upper(jv_text(o, "status"));
	scoped_free char *created = output_date(jv_text(o, "created_at"));
	scoped_free char *used = output_date(jv_text(o, "last_used_at"));
	struct json_object *state = jv_member(o, "state");

	print_line("Name", jv_text(o, "name"));
	print_line("Description", jv_text(o, "description"));
	print_line("Status", status);
	printf("Type: %s%s\n", str_or_empty(jv_text(o, "type")),
	       jv_flag(o, "ephemeral") ? " (ephemeral)" : "");
	print_line("Architecture", jv_text(o, "architecture"));
	if (!str_equals(jv_text(o, "location"), "none"))
		print_line("Location", jv_text(o, "location"));
	if (jv_number(state, "pid") > 0)
		printf("PID: %lld\n", (long long)jv_number(state, "pid"));
	print_line("Created", created);
	print_line("Last Used", used);
	print_state(state);
	print_snapshots(jv_member(o, "snapshots"));
	print_backups(jv_member(o, "backups"));
	return cli_flag(cli, "show-log") ? print_log(server, name, err) : 0;
}

static int server_resources(struct server *server, struct error **err)
{
	scoped(jv_unrefp) struct json_object *o = NULL;
	int r = server_get(server, &o, err, "/1.0/resources");

	if (r == 0)
		resources_view_print(o, stdout);
	return r;
}

static int info_run(struct client *client, const struct cli *cli, struct error **err)
{
	struct json_object *info;
	struct server *server;
	const char *name;
	int r = client_server(client, cli_word(cli, 0), &server, &name, err);

	if (r < 0)
		return r;
	server_set_target(server, cli_option(cli, "target"));
	if (*name)
		return cli_option(cli, "target")
		               ? error_set(err, 400, "--target cannot be used with instances")
		               : instance_info(server, name, cli, err);
	if (cli_flag(cli, "resources"))
		return server_resources(server, err);
	r = server_info(server, &info, err);
	if (r == 0)
		output_yaml(info, stdout);
	return r;
}

/* clang-format off */
static const struct cli_option info_options[] = {
	{ "resources", 0, OPTION_FLAG, NULL, "Show the server's hardware", WORD_NONE },
	{ "show-log",  0, OPTION_FLAG, NULL, "Show the log of the instance's last start", WORD_NONE },
	{ "target",    0, OPTION_TEXT, NULL, "Cluster member to ask", WORD_MEMBER },
	{ .name = NULL },
};
/* clang-format on */

const struct cli_command cmd_info_commands[] = {
	{ .path = "info",
	  .usage = "[<remote>:][<instance>]",
	  .max_words = 1,
	  .run = info_run,
	  .options = info_options,
	  .summary = "Show an instance or the server",
	  .kinds = { WORD_INSTANCE } },
	{ .path = NULL },
};
