/* "muster list": the instances of a project, in columns of the user's choice. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/commands.h"
#include "client/instance_filter.h"
#include "client/list_columns.h"
#include "client/output.h"
#include "lib/base/alloc.h"
#include "lib/base/date.h"
#include "lib/base/parse.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/data/jv.h"

#define DEFAULT_COLUMNS "ns46tSL"
#define FAST_COLUMNS "nsacPt"

static char *copy_of(struct json_object *o, const char *key)
{
	return xstrdup(str_or_empty(jv_text(o, key)));
}

static char *name_text(struct json_object *o)
{
	return copy_of(o, "name");
}

static char *architecture_text(struct json_object *o)
{
	return copy_of(o, "architecture");
}

static char *description_text(struct json_object *o)
{
	return copy_of(o, "description");
}

static char *project_text(struct json_object *o)
{
	return copy_of(o, "project");
}

static char *location_text(struct json_object *o)
{
	return copy_of(o, "location");
}

static char *status_text(struct json_object *o)
{
	return output_upper(jv_text(o, "status"));
}

static char *type_text(struct json_object *o)
{
	scoped_free char *type = output_upper(jv_text(o, "type"));

	return xasprintf("%s%s", *type ? type : "CONTAINER",
	                 jv_flag(o, "ephemeral") ? " (EPHEMERAL)" : "");
}

static char *created_text(struct json_object *o)
{
	return output_date(jv_text(o, "created_at"));
}

static char *used_text(struct json_object *o)
{
	return output_date(jv_text(o, "last_used_at"));
}

static struct json_object *root_of(struct json_object *o)
{
	JV_FOREACH (jv_member(o, "expanded_devices"), name, device) {
		(void)name;
		if (str_equals(jv_text(device, "type"), "disk") &&
		    str_equals(jv_text(device, "path"), "/"))
			return device;
	}
	return NULL;
}

static char *pool_text(struct json_object *o)
{
	return copy_of(root_of(o), "pool");
}

static char *profiles_text(struct json_object *o)
{
	struct json_object *list = jv_member(o, "profiles");
	scoped(strv_freep) char **names = NULL;

	for (size_t i = 0; i < jv_len(list); i++)
		strv_add(&names, str_or_empty(jv_string(jv_item(list, i))));
	return strv_join(names, "\n");
}

static char *snapshots_text(struct json_object *o)
{
	return xasprintf("%zu", jv_len(jv_member(o, "snapshots")));
}

static bool is_active(struct json_object *o)
{
	const char *status = jv_text(o, "status");

	return !str_equals(status, "Stopped") && !str_equals(status, "Error");
}

static char *addresses_text(struct json_object *o, const char *family)
{
	scoped(strv_freep) char **found = NULL;

	JV_FOREACH (jv_member(jv_member(o, "state"), "network"), name, net) {
		struct json_object *list = jv_member(net, "addresses");

		if (str_equals(jv_text(net, "type"), "loopback") || !is_active(o))
			continue;
		for (size_t i = 0; i < jv_len(list); i++) {
			struct json_object *a = jv_item(list, i);
			const char *scope = jv_text(a, "scope");

			if (str_equals(jv_text(a, "family"), family) &&
			    !str_equals(scope, "link") && !str_equals(scope, "local"))
				strv_addf(&found, "%s (%s)", str_or_empty(jv_text(a, "address")),
				          name);
		}
	}
	strv_sort(found);
	/* The greatest first, as lxc has it. */
	for (size_t i = 0, n = strv_len(found); found && i < n / 2; i++) {
		char *other = found[i];

		found[i] = found[n - 1 - i];
		found[n - 1 - i] = other;
	}
	return strv_join(found, "\n");
}

static char *ipv4_text(struct json_object *o)
{
	return addresses_text(o, "inet");
}

static char *ipv6_text(struct json_object *o)
{
	return addresses_text(o, "inet6");
}

static int64_t memory_of(struct json_object *o)
{
	return jv_number(jv_member(jv_member(o, "state"), "memory"), "usage");
}

static char *memory_text(struct json_object *o)
{
	return is_active(o) && memory_of(o) > 0 ? output_size_iec(memory_of(o)) : xstrdup("");
}

static char *memory_share_text(struct json_object *o)
{
	const char *limit = jv_text(jv_member(o, "expanded_config"), "limits.memory");
	int64_t bytes;

	if (!is_active(o) || !limit || parse_size(limit, &bytes) < 0 || bytes <= 0)
		return xstrdup("");
	return xasprintf("%.1f%%", 100.0 * (double)memory_of(o) / (double)bytes);
}

static char *number_text(struct json_object *o, const char *key)
{
	int64_t n = jv_number(jv_member(o, "state"), key);

	return is_active(o) ? xasprintf("%lld", (long long)n) : xstrdup("");
}

static char *processes_text(struct json_object *o)
{
	return number_text(o, "processes");
}

static char *pid_text(struct json_object *o)
{
	return number_text(o, "pid");
}

static char *cpu_text(struct json_object *o)
{
	int64_t ns = jv_number(jv_member(jv_member(o, "state"), "cpu"), "usage");

	return is_active(o) ? xasprintf("%llds", (long long)(ns / DATE_SECOND)) : xstrdup("");
}

static char *disk_text(struct json_object *o)
{
	JV_FOREACH (jv_member(jv_member(o, "state"), "disk"), name, disk) {
		if (strcmp(name, "root") == 0 && jv_number(disk, "usage") > 0)
			return output_size_iec(jv_number(disk, "usage"));
	}
	return xstrdup("");
}

static char *image_text(struct json_object *o)
{
	return copy_of(jv_member(o, "config"), "volatile.base_image");
}

static char *short_image_text(struct json_object *o)
{
	return xasprintf("%.12s",
	                 str_or_empty(jv_text(jv_member(o, "config"), "volatile.base_image")));
}

/* clang-format off */
static const struct list_column columns[] = {
	{ '4', "IPV4",          ipv4_text,         true },
	{ '6', "IPV6",          ipv6_text,         true },
	{ 'a', "ARCHITECTURE",  architecture_text, false },
	{ 'b', "STORAGE POOL",  pool_text,         false },
	{ 'c', "CREATED AT",    created_text,      false },
	{ 'd', "DESCRIPTION",   description_text,  false },
	{ 'D', "DISK USAGE",    disk_text,         true },
	{ 'e', "PROJECT",       project_text,      false },
	{ 'f', "BASE IMAGE",    short_image_text,  false },
	{ 'F', "BASE IMAGE",    image_text,        false },
	{ 'l', "LAST USED AT",  used_text,         false },
	{ 'L', "LOCATION",      location_text,     false },
	{ 'm', "MEMORY USAGE",  memory_text,       true },
	{ 'M', "MEMORY USAGE%", memory_share_text, true },
	{ 'n', "NAME",          name_text,         false },
	{ 'N', "PROCESSES",     processes_text,    true },
	{ 'p', "PID",           pid_text,          true },
	{ 'P', "PROFILES",      profiles_text,     false },
	{ 's', "STATE",         status_text,       false },
	{ 'S', "SNAPSHOTS",     snapshots_text,    true },
	{ 't', "TYPE",          type_text,         false },
	{ 'u', "CPU USAGE",     cpu_text,          true },
	{ 0, NULL, NULL, false },
};
/* clang-format on */

/* The first word is a remote if it ends with a colon or holds one; all else are filters. */
static int split_words(struct client *client, const struct cli *cli, struct server **ret_server,
                       char ***ret_filters, struct error **err)
{
	const char *first = cli_word(cli, 0), *rest = "";
	size_t i = 0;
	int r;

	if (first && strchr(first, ':') && !strchr(first, '=')) {
		r = client_server(client, first, ret_server, &rest, err);
		if (*rest)
			strv_add(ret_filters, rest);
		i = 1;
	} else {
		r = client_remote(client, NULL, ret_server, err);
	}
	for (; cli_word(cli, i); i++)
		strv_add(ret_filters, cli_word(cli, i));
	return r;
}

/* A filter on addresses looks at the state too. */
static bool filters_need_state(char *const *filters)
{
	STRV_FOREACH (f, filters) {
		if (str_starts(f, "ipv4=") || str_starts(f, "ipv6="))
			return true;
	}
	return false;
}

/* Whether the default layout has a location: asked for only if no instance tells. */
static bool shows_location(struct server *server, struct json_object *instances)
{
	const char *location = jv_text(jv_item(instances, 0), "location");

	if (jv_len(instances))
		return !str_is_empty(location) && !str_equals(location, "none");
	return server_is_clustered(server);
}

static char *layout(const struct cli *cli)
{
	bool chosen = cli_given(cli, "columns");

	if (cli_flag(cli, "fast") && !chosen)
		return xasprintf("%s%s", cli_flag(cli, "all-projects") ? "e" : "", FAST_COLUMNS);
	return xasprintf("%s%s", cli_flag(cli, "all-projects") && !chosen ? "e" : "",
	                 cli_option(cli, "columns"));
}

static bool is_raw(const struct cli *cli)
{
	return str_equals(cli_option(cli, "format"), "json") ||
	       str_equals(cli_option(cli, "format"), "yaml");
}

static int list_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(jv_unrefp) struct json_object *all = NULL, *kept = jv_array();
	scoped(list_columns_done) struct list_columns shown = { 0 };
	scoped(strv_freep) char **filters = NULL;
	scoped(table_freep) struct table *table = NULL;
	scoped_free char *text = layout(cli);
	struct server *server;
	int r = output_check_format(cli, err);

	if (r == 0)
		r = list_columns_parse(text, columns, true, &shown, err);
	if (r == 0)
		r = split_words(client, cli, &server, &filters, err);
	if (r < 0)
		return r;
	bool state = list_columns_need_state(&shown) || filters_need_state(filters) || is_raw(cli);
	r = server_get(server, &all, err,
	               cli_flag(cli, "all-projects")
	                       ? "/1.0/instances?recursion=%u&all-projects=true"
	                       : "/1.0/instances?recursion=%u",
	               state ? 2U : 1U);
	if (r < 0)
		return r;
	for (size_t i = 0; i < jv_len(all); i++) {
		struct json_object *instance = jv_item(all, i);

		if (instance_filter_matches(instance, (const char *const *)filters))
			jv_add_take(kept, jv_ref(instance));
	}
	if (!cli_given(cli, "columns") && !cli_flag(cli, "fast") && !is_raw(cli) &&
	    !shows_location(server, all))
		shown.n_shown--;
	table = list_columns_table(&shown, kept);
	table_sort(table);
	return output_list(cli, table, kept, err);
}

/* clang-format off */
static const struct cli_option list_options[] = {
	{ "all-projects", 0,   OPTION_FLAG, NULL, "Show the instances of all projects", WORD_NONE },
	{ "columns",      'c', OPTION_TEXT, DEFAULT_COLUMNS, "Which columns, in which order", WORD_NONE },
	{ "fast",         0,   OPTION_FLAG, NULL, "Only what costs no look at the instances (columns " FAST_COLUMNS ")", WORD_NONE },
	OUTPUT_FORMAT_OPTION,
	{ .name = NULL },
};
/* clang-format on */

static const char details[] =
	"A filter is the beginning of a name, a regular expression that a name matches, or\n"
	"key=value. The key is one of the config (parts of it may be cut short, as in\n"
	"\"u.comment=x\") or one of these, with values separated by commas:\n"
	"  type, status, architecture, location, ipv4, ipv6 (an address or a CIDR)\n"
	"Instances that pass all filters are shown.\n"
	"\n"
	"Columns:\n"
	"  4 IPv4 addresses         6 IPv6 addresses         a architecture\n"
	"  b storage pool           c creation date          d description\n"
	"  D disk usage             e project                f image (short)\n"
	"  F image (long)           l last use               L location (member)\n"
	"  m memory usage           M memory usage in %      n name\n"
	"  N processes              p pid of the init        P profiles\n"
	"  s state                  S number of snapshots    t type\n"
	"  u CPU time used\n"
	"or [config:|devices:]key[:header][:width], separated by commas.";

const struct cli_command cmd_list_commands[] = {
	{ .path = "list",
	  .usage = "[<remote>:] [<filter>...]",
	  .max_words = CLI_ANY,
	  .run = list_run,
	  .options = list_options,
	  .summary = "List instances",
	  .details = details,
	  .aliases = "ls",
	  .kinds = { WORD_INSTANCE } },
	{ .path = NULL },
};
