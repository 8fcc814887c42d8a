#include "client/objects.h"

#include <assert.h>
#include <string.h>

#include "client/edit.h"
#include "client/instance_wish.h"
#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/data/jv.h"
#include "lib/net/url.h"

static const char *const profile_writable[] = { "config", "description", "devices", NULL };
static const char *const project_writable[] = { "config", "description", NULL };
static const char *const member_writable[] = { "config", "description", "failure_domain",
	                                       "groups", "roles",       NULL };
static const char *const group_writable[] = { "description", "members", "config", NULL };
static const char *const trust_writable[] = { "name",     "type",        "restricted",
	                                      "projects", "certificate", NULL };

#define HELP(what)                                         \
	"This is a YAML representation of the " what ".\n" \
	"Lines that begin with '#' are ignored; the name cannot be changed."

/* clang-format off */
static const struct object_kind kinds[] = {
	{ "profile",         "Profile",         "profiles",         profile_writable, HELP("profile") },
	{ "project",         "Project",         "projects",         project_writable, HELP("project") },
	{ "storage",         "Storage pool",    "storage-pools",    project_writable, HELP("storage pool") },
	{ "network",         "Network",         "networks",         project_writable, HELP("network") },
	{ "cluster",         "Member",          "cluster/members",  member_writable,  HELP("cluster member") },
	{ "cluster group",   "Cluster group",   "cluster/groups",   group_writable,   HELP("cluster group") },
	{ "placement-group", "Placement group", "placement-groups", project_writable, HELP("placement group") },
	{ "config trust",    "Certificate",     "certificates",     trust_writable,   HELP("trusted certificate") },
};

const struct cli_option object_property_options[] = { RESOURCE_PROPERTY_OPTION, { .name = NULL } };

#define TARGET { "target", 0, OPTION_TEXT, NULL, "Cluster member whose own part is meant", WORD_MEMBER }

const struct cli_option object_target_options[] = { TARGET, { .name = NULL } };
const struct cli_option object_target_set_options[] = { RESOURCE_PROPERTY_OPTION, TARGET, { .name = NULL } };
/* clang-format on */

const struct object_kind *object_kind_of(const struct cli *cli)
{
	const char *path = cli->command->path;
	size_t len = (size_t)(strrchr(path, ' ') - path);

	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		if (strlen(kinds[i].command) == len && strncmp(kinds[i].command, path, len) == 0)
			return &kinds[i];
	}
	assert(!"A command about an unknown kind of object");
	return NULL;
}

/* "Storage pool" inside a sentence. */
static char *noun_inside(const struct object_kind *kind)
{
	return str_lower(kind->noun);
}

int object_open(struct client *client, const struct cli *cli, struct resource *ret_resource,
                const char **ret_name, struct error **err)
{
	const struct object_kind *kind = object_kind_of(cli);
	scoped_free char *noun = noun_inside(kind);
	struct server *server;
	const char *name;
	int r = client_named(client, cli_word(cli, 0), noun, &server, &name, err);

	if (r < 0)
		return r;
	server_set_target(server, cli_option(cli, "target"));
	*ret_resource =
		(struct resource){ .client = client,
		                   .server = server,
		                   .path = server_object_path(server, kind->collection, name),
		                   .writable = kind->writable,
		                   .help = kind->help };
	*ret_name = name;
	return 0;
}

int object_show_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(resource_done) struct resource res = { 0 };
	const char *name;
	int r = object_open(client, cli, &res, &name, err);

	return r < 0 ? r : resource_show(&res, NULL, err);
}

int object_edit_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(resource_done) struct resource res = { 0 };
	const char *name;
	int r = object_open(client, cli, &res, &name, err);

	return r < 0 ? r : resource_edit(&res, err);
}

int object_get_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(resource_done) struct resource res = { 0 };
	const char *name;
	int r = object_open(client, cli, &res, &name, err);

	return r < 0 ? r
	             : resource_config_get(&res, cli_word(cli, 1), cli_flag(cli, "property"), err);
}

int object_set_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(resource_done) struct resource res = { 0 };
	const char *name;
	int r = object_open(client, cli, &res, &name, err);

	return r < 0 ? r
	             : resource_config_set(&res, (const char *const *)cli->words + 1,
	                                   cli_flag(cli, "property"), err);
}

int object_unset_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(resource_done) struct resource res = { 0 };
	const char *name;
	int r = object_open(client, cli, &res, &name, err);

	return r < 0 ? r
	             : resource_config_unset(&res, cli_word(cli, 1), cli_flag(cli, "property"),
	                                     err);
}

int object_delete_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(resource_done) struct resource res = { 0 };
	const char *name;
	int r = object_open(client, cli, &res, &name, err);

	if (r == 0)
		r = server_send_path(res.server, "DELETE", NULL, res.path, err);
	if (r == 0)
		client_say(client, "%s %s deleted", object_kind_of(cli)->noun, name);
	return r;
}

int object_rename_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(resource_done) struct resource res = { 0 };
	scoped(jv_unrefp) struct json_object *body = jv_object();
	const struct object_kind *kind = object_kind_of(cli);
	const char *name;
	int r = object_open(client, cli, &res, &name, err);

	/* A member's name has another key than all others'. */
	jv_set_string(body, strcmp(kind->command, "cluster") == 0 ? "server_name" : "name",
	              cli_word(cli, 1));
	if (r == 0)
		r = server_send_path(res.server, "POST", body, res.path, err);
	if (r == 0)
		client_say(client, "%s %s renamed to %s", kind->noun, name, cli_word(cli, 1));
	return r;
}

static int read_body(const char *name, struct json_object **ret_body, struct error **err)
{
	scoped(jv_unrefp) struct json_object *body = NULL;
	int r = edit_from_stdin(&body, err);

	if (r < 0)
		return r;
	if (body && !json_object_is_type(body, json_type_object))
		return error_set(err, 400, "The input must be a map");
	if (!body)
		body = jv_object();
	jv_coerce_strings(body, "config");
	jv_set_string(body, "name", name);
	*ret_body = TAKE_PTR(body);
	return 0;
}

int object_create(struct client *client, const struct cli *cli, size_t first_pair,
                  int (*fill)(const struct cli *cli, struct json_object *body, struct error **err),
                  struct error **err)
{
	const struct object_kind *kind = object_kind_of(cli);
	scoped_free char *noun = noun_inside(kind), *path = NULL;
	scoped(jv_unrefp) struct json_object *body = NULL;
	const char *name, *description = cli_option(cli, "description");
	const char *target = cli_option(cli, "target");
	struct server *server;
	int r = client_named(client, cli_word(cli, 0), noun, &server, &name, err);

	if (r == 0)
		r = read_body(name, &body, err);
	if (r < 0)
		return r;
	struct json_object *config = instance_wish_map(body, "config");
	if (first_pair && cli->n_words > first_pair)
		r = resource_parse_pairs((const char *const *)cli->words + first_pair, config, err);
	if (description)
		jv_set_string(body, "description", description);
	if (r == 0 && fill)
		r = fill(cli, body, err);
	if (r < 0)
		return r;
	server_set_target(server, target);
	path = server_collection_path(server, kind->collection);
	r = server_send_path(server, "POST", body, path, err);
	if (r == 0 && target)
		client_say(client, "%s %s pending on member %s", kind->noun, name, target);
	else if (r == 0)
		client_say(client, "%s %s created", kind->noun, name);
	return r;
}
