#include "daemon/main_docs.h"

#include <stdio.h>
#include <string.h>

#include "daemon/api/route.h"
#include "daemon/core/lifecycle.h"
#include "daemon/project/conf_tables.h"
#include "lib/base/macro.h"
#include "lib/conf/conf.h"

static const char *access_text(const struct route *route)
{
	switch (route->access) {
	case ACCESS_ANYONE:
		return "anyone";
	case ACCESS_TRUSTED:
		return "trusted";
	case ACCESS_ENTITLED:
		return route->entitlement;
	case ACCESS_PEER:
		return "members";
	case ACCESS_METRICS:
		return "metrics";
	}
	return "";
}

static const char *placement_text(enum placement placement)
{
	switch (placement) {
	case ON_ANY_MEMBER:
		return "any member";
	case ON_TARGET:
		return "`?target=`";
	case ON_OWNER:
		return "owner";
	case ON_LEADER:
		return "leader";
	}
	return "";
}

static void print_routes(void)
{
	printf("# REST API\n\n"
	       "Every route, made from the tables in `daemon/api` by `musterd docs rest-api`. *Access* "
	       "is the entitlement\n"
	       "that the caller needs, *answered by* the member to which a request is forwarded.\n\n"
	       "| method | path | access | answered by | extension |\n| --- | --- | --- | --- | --- |\n");
	for (size_t t = 0; route_tables[t]; t++) {
		for (size_t i = 0; i < route_tables[t]->n_routes; i++) {
			const struct route *route = &route_tables[t]->routes[i];

			printf("| %s | `%s` | %s | %s | %s |\n", route->method, route->path,
			       access_text(route), placement_text(route->placement),
			       route->extension ? route->extension : "");
		}
	}
}

static const char *type_text(enum conf_type type)
{
	static const char *const names[] = {
		[CONF_STRING] = "string",      [CONF_BOOL] = "bool",
		[CONF_INT] = "integer",        [CONF_UINT] = "integer",
		[CONF_SIZE] = "size",          [CONF_BITS] = "bits per second",
		[CONF_PERCENT] = "percentage", [CONF_SIZE_OR_PERCENT] = "size or percentage",
		[CONF_ENUM] = "one of",        [CONF_DURATION] = "duration",
		[CONF_EXPIRY] = "expiry",      [CONF_LIST] = "list",
	};
	static_assert(COUNT_OF(names) == N_CONF_TYPES, "a name for each type");

	return names[type];
}

static void print_key(const struct conf_key *key)
{
	printf("| `%s` | %s", key->name, type_text(key->type));
	for (size_t i = 0; key->choices && key->choices[i]; i++)
		printf("%s `%s`", i ? "," : "", key->choices[i]);
	printf(" | %s%s%s | %s | %s%s |\n", key->fallback && *key->fallback ? "`" : "",
	       key->fallback ? key->fallback : "", key->fallback && *key->fallback ? "`" : "",
	       key->flags & CONF_LIVE ? "yes" : "no", key->doc ? key->doc : "",
	       key->flags & CONF_IDLE ? " *Accepted, no effect yet.*" : "");
}

static void print_config(void)
{
	printf("# Configuration keys\n\n"
	       "Every key, made from the tables in the code by `musterd docs config`.\n");
	for (unsigned t = 0; conf_tables_at(t).entity; t++) {
		struct conf_table table = conf_tables_at(t);

		printf("\n## %s: %s\n\n| key | type | default | live | |\n| --- | --- | --- | --- | "
		       "--- |\n",
		       table.entity, table.group);
		for (const struct conf_key *key = table.keys; key && key->name; key++)
			if (!(key->flags & CONF_INTERNAL))
				print_key(key);
	}
}

static void print_events(void)
{
	printf("# Lifecycle events\n\n"
	       "Every action that `/1.0/events?type=lifecycle` may send, made from the table in "
	       "`daemon/core/lifecycle.c` by\n`musterd docs events`.\n\n");
	for (size_t i = 0; lifecycle_action_at(i); i++)
		printf("- `%s`\n", lifecycle_action_at(i));
}

int main_docs_run(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*print)(void);
	} pages[] = {
		{ "rest-api", print_routes },
		{ "config", print_config },
		{ "events", print_events },
	};

	for (size_t i = 0; argc > 1 && i < COUNT_OF(pages); i++) {
		if (strcmp(argv[1], pages[i].name) == 0) {
			pages[i].print();
			return 0;
		}
	}
	fprintf(stderr, "Usage: musterd docs rest-api|config|events\n");
	return 1;
}
