/* "muster network": networks that instances can be attached to. */
#include <stdio.h>
#include <string.h>

#include "client/commands.h"
#include "client/objects.h"
#include "client/output.h"
#include "lib/base/str.h"
#include "lib/data/jv.h"

static int list_run(struct client *client, const struct cli *cli, struct error **err)
{
	static const char *const headers[] = { "NAME",        "TYPE",    "MANAGED", "IPV4", "IPV6",
		                               "DESCRIPTION", "USED BY", "STATE",   NULL };
	scoped(jv_unrefp) struct json_object *all = NULL;
	struct server *server;
	int r = client_server_only(client, cli_word(cli, 0), &server, err);

	if (r == 0)
		r = server_get(server, &all, err, "/1.0/networks?recursion=1");
	if (r < 0)
		return r;
	scoped(table_freep) struct table *table = table_new(headers);
	for (size_t i = 0; i < jv_len(all); i++) {
		struct json_object *n = jv_item(all, i), *config = jv_member(n, "config");

		table_add(table, jv_text(n, "name"));
		table_add(table, jv_text(n, "type"));
		table_add(table, output_yes(jv_flag(n, "managed")));
		table_add(table, jv_text(config, "ipv4.address"));
		table_add(table, jv_text(config, "ipv6.address"));
		table_add(table, jv_text(n, "description"));
		table_addf(table, "%zu", jv_len(jv_member(n, "used_by")));
		table_add_take(table, output_upper(jv_text(n, "status")));
	}
	table_sort(table);
	return output_list(cli, table, all, err);
}

static int fill(const struct cli *cli, struct json_object *body, struct error **err)
{
	(void)err;
	jv_set_string(body, "type", str_or_empty(cli_option(cli, "type")));
	return 0;
}

static int create_run(struct client *client, const struct cli *cli, struct error **err)
{
	return object_create(client, cli, 1, fill, err);
}

static void print_addresses(struct json_object *list)
{
	if (jv_len(list))
		printf("\nIP addresses:\n");
	for (size_t i = 0; i < jv_len(list); i++) {
		struct json_object *a = jv_item(list, i);

		printf("  %s\t%s/%s (%s)\n", str_or_empty(jv_text(a, "family")),
		       str_or_empty(jv_text(a, "address")), str_or_empty(jv_text(a, "netmask")),
		       str_or_empty(jv_text(a, "scope")));
	}
}

static int info_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(jv_unrefp) struct json_object *state = NULL;
	struct server *server;
	const char *name;
	int r = client_named(client, cli_word(cli, 0), "network", &server, &name, err);

	if (r < 0)
		return r;
	server_set_target(server, cli_option(cli, "target"));
	r = server_get(server, &state, err, "/1.0/networks/%s/state", name);
	if (r < 0)
		return r;
	struct json_object *counters = jv_member(state, "counters");
	scoped_free char *received = output_size_si(jv_number(counters, "bytes_received"));
	scoped_free char *sent = output_size_si(jv_number(counters, "bytes_sent"));

	printf("Name: %s\nMAC address: %s\nMTU: %lld\nState: %s\nType: %s\n", name,
	       str_or_empty(jv_text(state, "hwaddr")), (long long)jv_number(state, "mtu"),
	       str_or_empty(jv_text(state, "state")), str_or_empty(jv_text(state, "type")));
	print_addresses(jv_member(state, "addresses"));
	printf("\nNetwork usage:\n  Bytes received: %s\n  Bytes sent: %s\n", received, sent);
	printf("  Packets received: %lld\n  Packets sent: %lld\n",
	       (long long)jv_number(counters, "packets_received"),
	       (long long)jv_number(counters, "packets_sent"));
	return 0;
}

/* clang-format off */
static const struct cli_option list_options[] = { OUTPUT_FORMAT_OPTION, { .name = NULL } };

static const struct cli_option create_options[] = {
	{ "description", 0,   OPTION_TEXT, NULL, "Description of the network", WORD_NONE },
	{ "target",      0,   OPTION_TEXT, NULL, "Cluster member whose own part is meant", WORD_MEMBER },
	{ "type",        't', OPTION_TEXT, NULL, "Type of the network", WORD_NONE },
	{ .name = NULL },
};
/* clang-format on */

const struct cli_command cmd_network_commands[] = {
	{ .path = "network", .usage = "", .summary = "Manage networks" },
	{ .path = "network list",
	  .usage = "[<remote>:]",
	  .max_words = 1,
	  .run = list_run,
	  .options = list_options,
	  .summary = "List networks",
	  .aliases = "ls",
	  .kinds = { WORD_REMOTE } },
	{ .path = "network info",
	  .usage = "[<remote>:]<network>",
	  .min_words = 1,
	  .max_words = 1,
	  .run = info_run,
	  .options = object_target_options,
	  .summary = "Show addresses and traffic of a network" },
	{ .path = "network create",
	  .usage = "[<remote>:]<network> [key=value...]",
	  .min_words = 1,
	  .max_words = CLI_ANY,
	  .run = create_run,
	  .options = create_options,
	  .summary = "Create a network" },
	OBJECT_COMMAND_DELETE("network", "network", WORD_NONE, NULL),
	OBJECT_COMMAND_RENAME("network", "network", WORD_NONE),
	OBJECT_COMMAND_SHOW("network", "network", WORD_NONE, object_target_options),
	OBJECT_COMMAND_EDIT("network", "network", WORD_NONE, NULL),
	OBJECT_COMMAND_GET("network", "network", WORD_NONE, object_target_set_options),
	OBJECT_COMMAND_SET("network", "network", WORD_NONE, object_target_set_options),
	OBJECT_COMMAND_UNSET("network", "network", WORD_NONE, object_target_set_options),
	{ .path = NULL },
};
