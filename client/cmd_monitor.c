/* "muster monitor": the server's events as they come. */
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "client/commands.h"
#include "client/interrupt.h"
#include "client/output.h"
#include "client/ws.h"
#include "lib/base/str.h"
#include "lib/base/strbuf.h"
#include "lib/data/jv.h"
#include "lib/data/jv_parse.h"
#include "lib/data/yaml.h"
#include "lib/net/url.h"

static const char *const levels[] = { "trace", "debug", "info", "warning", "error", "panic" };

struct monitor {
	const struct cli *cli;
	size_t least; /* Index of the lowest level that is shown. */
};

static size_t level_of(const char *name)
{
	if (str_equals(name, "warn"))
		name = "warning";
	for (size_t i = 0; i < COUNT_OF(levels); i++) {
		if (str_equals(name, levels[i]))
			return i;
	}
	return COUNT_OF(levels);
}

/* "INFO   [2026-11-24T15:01:02Z] message    key=value" */
static void print_pretty(struct json_object *event)
{
	struct json_object *m = jv_member(event, "metadata");
	const char *type = str_or_empty(jv_text(event, "type"));
	bool logging = strcmp(type, "logging") == 0;
	scoped_free char *level = output_upper(logging ? jv_text(m, "level") : "info");

	printf("%-7s[%s] ", level, str_or_empty(jv_text(event, "timestamp")));
	if (logging) {
		printf("%s", str_or_empty(jv_text(m, "message")));
		JV_FOREACH (jv_member(m, "context"), key, value) {
			printf(" %s=%s", key,
			       jv_string(value) ? jv_string(value)
			                        : json_object_to_json_string(value));
		}
	} else if (strcmp(type, "lifecycle") == 0) {
		printf("Action: %s, Source: %s", str_or_empty(jv_text(m, "action")),
		       str_or_empty(jv_text(m, "source")));
	} else {
		printf("ID: %s, Class: %s, Description: %s, Status: %s",
		       str_or_empty(jv_text(m, "id")), str_or_empty(jv_text(m, "class")),
		       str_or_empty(jv_text(m, "description")), str_or_empty(jv_text(m, "status")));
	}
	putchar('\n');
}

static void on_event(void *arg, bool is_text, const char *data, size_t size)
{
	const struct monitor *monitor = arg;
	scoped(jv_unrefp) struct json_object *event = NULL;
	scoped(error_freep) struct error *unread = NULL;
	const char *format = cli_option(monitor->cli, "format");

	(void)is_text;
	if (jv_parse(data, size, &event, &unread) < 0)
		return;
	if (str_equals(jv_text(event, "type"), "logging") &&
	    level_of(jv_text(jv_member(event, "metadata"), "level")) < monitor->least)
		return;
	if (cli_flag(monitor->cli, "pretty") || str_equals(format, "pretty")) {
		print_pretty(event);
	} else if (str_equals(format, "json")) {
		output_json(event, stdout);
	} else {
		output_yaml(event, stdout);
		printf("\n\n");
	}
	fflush(stdout);
}

static char *events_path(const struct cli *cli, struct server *server)
{
	scoped(strbuf_done) struct strbuf types = { 0 };
	scoped_free char *path = NULL;
	const char *type;

	for (size_t i = 0; (type = cli_list(cli, "type", i)); i++)
		strbuf_addf(&types, "%s%s", i ? "," : "", type);
	if (cli_flag(cli, "all-projects"))
		path = types.size ? server_path(server, "/1.0/events?all-projects=true&type=%s",
		                                strbuf_text(&types))
		                  : server_path(server, "/1.0/events?all-projects=true");
	else
		path = types.size ? server_path(server, "/1.0/events?type=%s", strbuf_text(&types))
		                  : server_path(server, "/1.0/events");
	return TAKE_PTR(path);
}

static int monitor_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(ws_freep) struct ws *ws = NULL;
	struct monitor monitor = { .cli = cli };
	const char *level = cli_option(cli, "loglevel"), *format = cli_option(cli, "format");
	struct server *server;
	int r = client_server_only(client, cli_word(cli, 0), &server, err);

	if (r == 0 && level) {
		monitor.least = level_of(level);
		if (monitor.least == COUNT_OF(levels))
			r = error_set(err, 400, "Invalid log level \"%s\"", level);
	}
	if (r == 0 && !str_equals(format, "yaml") && !str_equals(format, "json") &&
	    !str_equals(format, "pretty"))
		r = error_set(err, 400, "Invalid format \"%s\"", format);
	if (r < 0)
		return r;
	server_set_target(server, cli_option(cli, "location"));
	scoped_free char *path = events_path(cli, server);
	r = ws_dial(server, path, on_event, &monitor, &ws, err);
	if (r < 0)
		return r;
	do {
		struct pollfd p = { .fd = ws_fd(ws), .events = ws_events(ws) };

		r = ws_has_pending(ws) ? 1 : interrupt_poll(&p, 1, -1);
		if (r < 0)
			return error_set_errno(err, r, "Failed waiting for events");
	} while (ws_process(ws));
	return error_set(err, 502, "The server has closed the connection");
}

/* clang-format off */
static const struct cli_option monitor_options[] = {
	{ "all-projects", 0,   OPTION_FLAG, NULL, "Show the events of all projects", WORD_NONE },
	{ "format",       'f', OPTION_TEXT, "yaml", "Format: json, pretty or yaml", WORD_NONE },
	{ "location",     0,   OPTION_TEXT, NULL, "Cluster member to ask", WORD_MEMBER },
	{ "loglevel",     0,   OPTION_TEXT, NULL, "Lowest level of log messages: debug, info, warning or error", WORD_NONE },
	{ "pretty",       0,   OPTION_FLAG, NULL, "Short for --format pretty", WORD_NONE },
	{ "type",         't', OPTION_LIST, NULL, "Type of event: operation, lifecycle or logging", WORD_NONE },
	{ .name = NULL },
};
/* clang-format on */

const struct cli_command cmd_monitor_commands[] = {
	{ .path = "monitor",
	  .usage = "[<remote>:]",
	  .max_words = 1,
	  .run = monitor_run,
	  .options = monitor_options,
	  .summary = "Show the events of a server",
	  .kinds = { WORD_REMOTE } },
	{ .path = NULL },
};
