/* "muster storage volume". */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/commands.h"
#include "client/follow.h"
#include "client/instance_wish.h"
#include "client/list_columns.h"
#include "client/output.h"
#include "client/resource.h"
#include "client/volume.h"
#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/data/jv.h"

static char *member_copy(struct json_object *o, const char *key)
{
	return xstrdup(str_or_empty(jv_text(o, key)));
}

static bool is_snapshot(struct json_object *o)
{
	return strchr(str_or_empty(jv_text(o, "name")), '/') != NULL;
}

static char *type_text(struct json_object *o)
{
	return xasprintf("%s%s", str_or_empty(jv_text(o, "type")),
	                 is_snapshot(o) ? " (snapshot)" : "");
}

static char *name_text(struct json_object *o)
{
	return member_copy(o, "name");
}

static char *description_text(struct json_object *o)
{
	return member_copy(o, "description");
}

static char *content_text(struct json_object *o)
{
	return member_copy(o, "content_type");
}

static char *used_text(struct json_object *o)
{
	return xasprintf("%zu", jv_len(jv_member(o, "used_by")));
}

static char *location_text(struct json_object *o)
{
	return member_copy(o, "location");
}

static char *project_text(struct json_object *o)
{
	return member_copy(o, "project");
}

static char *pool_text(struct json_object *o)
{
	return member_copy(o, "pool");
}

/* clang-format off */
static const struct list_column columns[] = {
	{ 't', "TYPE",         type_text,        false },
	{ 'n', "NAME",         name_text,        false },
	{ 'd', "DESCRIPTION",  description_text, false },
	{ 'c', "CONTENT-TYPE", content_text,     false },
	{ 'u', "USED BY",      used_text,        false },
	{ 'L', "LOCATION",     location_text,    false },
	{ 'p', "POOL",         pool_text,        false },
	{ 'e', "PROJECT",      project_text,     false },
	{ 0, NULL, NULL, false },
};
/* clang-format on */

/* By type and name, so that a snapshot follows its volume. */
static int compare_volumes(const void *a, const void *b)
{
	struct json_object *x = *(struct json_object *const *)a;
	struct json_object *y = *(struct json_object *const *)b;
	static const char *const keys[] = { "project", "pool", "type", "name" };

	for (size_t i = 0; i < COUNT_OF(keys); i++) {
		int r = str_compare_natural(str_or_empty(jv_text(x, keys[i])),
		                            str_or_empty(jv_text(y, keys[i])));

		if (r)
			return r;
	}
	return 0;
}

static bool passes(struct json_object *o, const char *filter)
{
	const char *equals = strchr(filter, '=');

	if (!equals)
		return str_starts(jv_text(o, "name"), filter);
	scoped_free char *key = xasprintf("%.*s", (int)(equals - filter), filter);
	const char *value = jv_text(o, key);
	return str_equals(value ? value : jv_text(jv_member(o, "config"), key), equals + 1);
}

static int list_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(jv_unrefp) struct json_object *all = NULL, *kept = jv_array();
	scoped(list_columns_done) struct list_columns shown = { 0 };
	bool projects = cli_flag(cli, "all-projects"), chosen = cli_given(cli, "columns");
	scoped_free char *layout =
		xasprintf("%s%s", projects && !chosen ? "e" : "", cli_option(cli, "columns"));
	struct server *server;
	const char *pool;
	int r = list_columns_parse(layout, columns, false, &shown, err);

	if (r == 0)
		r = client_named(client, cli_word(cli, 0), "storage pool", &server, &pool, err);
	if (r == 0)
		r = server_get(
			server, &all, err,
			projects ? "/1.0/storage-pools/%s/volumes?recursion=1&all-projects=true"
				 : "/1.0/storage-pools/%s/volumes?recursion=1",
			pool);
	if (r < 0)
		return r;
	bool located = false;
	for (size_t i = 0; i < jv_len(all); i++) {
		struct json_object *v = jv_item(all, i);
		bool good = true;

		for (size_t j = 1; good && cli_word(cli, j); j++)
			good = passes(v, cli_word(cli, j));
		if (good)
			jv_add_take(kept, jv_ref(v));
		located |= !str_is_empty(jv_text(v, "location")) &&
		           !str_equals(jv_text(v, "location"), "none");
	}
	if (!chosen && !located && (jv_len(all) || !server_is_clustered(server)))
		shown.n_shown--;
	json_object_array_sort(kept, compare_volumes);
	scoped(table_freep) struct table *table = list_columns_table(&shown, kept);
	return output_list(cli, table, kept, err);
}

/* The volume of the first two words, with --target heeded. */
static int open_volume(struct client *client, const struct cli *cli, struct volume *ret_volume,
                       struct error **err)
{
	int r = volume_parse(client, cli_word(cli, 0), cli_word(cli, 1), ret_volume, err);

	if (r == 0)
		server_set_target(ret_volume->server, cli_option(cli, "target"));
	return r;
}

static int open_resource(struct client *client, const struct cli *cli, struct volume *volume,
                         struct resource *ret_resource, struct error **err)
{
	int r = open_volume(client, cli, volume, err);

	if (r == 0)
		volume_resource(client, volume, ret_resource);
	return r;
}

static int show_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(volume_done) struct volume v = { 0 };
	scoped(resource_done) struct resource res = { 0 };
	int r = open_resource(client, cli, &v, &res, err);

	return r < 0 ? r : resource_show(&res, NULL, err);
}

static int edit_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(volume_done) struct volume v = { 0 };
	scoped(resource_done) struct resource res = { 0 };
	int r = open_resource(client, cli, &v, &res, err);

	return r < 0 ? r : resource_edit(&res, err);
}

static int get_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(volume_done) struct volume v = { 0 };
	scoped(resource_done) struct resource res = { 0 };
	int r = open_resource(client, cli, &v, &res, err);

	return r < 0 ? r
	             : resource_config_get(&res, cli_word(cli, 2), cli_flag(cli, "property"), err);
}

static int set_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(volume_done) struct volume v = { 0 };
	scoped(resource_done) struct resource res = { 0 };
	int r = open_resource(client, cli, &v, &res, err);

	return r < 0 ? r
	             : resource_config_set(&res, (const char *const *)cli->words + 2,
	                                   cli_flag(cli, "property") || v.snapshot, err);
}

static int unset_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(volume_done) struct volume v = { 0 };
	scoped(resource_done) struct resource res = { 0 };
	int r = open_resource(client, cli, &v, &res, err);

	return r < 0 ? r
	             : resource_config_unset(&res, cli_word(cli, 2),
	                                     cli_flag(cli, "property") || v.snapshot, err);
}

static int info_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(volume_done) struct volume v = { 0 };
	scoped(resource_done) struct resource res = { 0 };
	scoped(jv_unrefp) struct json_object *o = NULL, *state = NULL, *snapshots = NULL;
	scoped(error_freep) struct error *unknown = NULL;
	int r = open_resource(client, cli, &v, &res, err);

	if (r == 0)
		r = resource_get(&res, &o, NULL, err);
	if (r == 0)
		r = server_get(v.server, &snapshots, err,
		               "/1.0/storage-pools/%s/volumes/%s/%s/snapshots?recursion=1", v.pool,
		               v.type, v.name);
	if (r < 0)
		return r;
	printf("Name: %s\n", v.name);
	if (!str_is_empty(jv_text(o, "description")))
		printf("Description: %s\n", jv_text(o, "description"));
	printf("Type: %s\nContent type: %s\n", v.type, str_or_empty(jv_text(o, "content_type")));
	if (!str_is_empty(jv_text(o, "location")) && !str_equals(jv_text(o, "location"), "none"))
		printf("Location: %s\n", jv_text(o, "location"));
	/* Not every driver can say how much is used. */
	if (server_get(v.server, &state, &unknown, "/1.0/storage-pools/%s/volumes/%s/%s/state",
	               v.pool, v.type, v.name) == 0) {
		struct json_object *usage = jv_member(state, "usage");
		scoped_free char *used = output_size_iec(jv_number(usage, "used"));
		scoped_free char *total = output_size_iec(jv_number(usage, "total"));

		if (jv_number(usage, "used") > 0)
			printf("Usage: %s\n", used);
		if (jv_number(usage, "total") > 0)
			printf("Total: %s\n", total);
	}
	scoped_free char *created = output_date(jv_text(o, "created_at"));
	if (*created)
		printf("Created: %s\n", created);
	static const char *const headers[] = { "NAME", "DESCRIPTION", "EXPIRES AT", NULL };
	scoped(table_freep) struct table *table = table_new(headers);
	for (size_t i = 0; i < jv_len(snapshots); i++) {
		struct json_object *s = jv_item(snapshots, i);
		const char *name = str_or_empty(jv_text(s, "name"));

		table_add(table, strchr(name, '/') ? strchr(name, '/') + 1 : name);
		table_add(table, jv_text(s, "description"));
		table_add_take(table, output_date(jv_text(s, "expires_at")));
	}
	if (jv_len(snapshots)) {
		printf("\nSnapshots:\n");
		table_print(table, TABLE_GRID, stdout);
	}
	return 0;
}

static int create_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(jv_unrefp) struct json_object *body = jv_object();
	scoped(volume_done) struct volume v = { 0 };
	const char *description = cli_option(cli, "description");
	int r = open_volume(client, cli, &v, err);

	if (r < 0)
		return r;
	if (strcmp(v.type, "custom") != 0 || v.snapshot)
		return error_set(err, 400, "Only custom volumes can be created");
	r = resource_parse_pairs((const char *const *)cli->words + 2,
	                         instance_wish_map(body, "config"), err);
	jv_set_string(body, "name", v.name);
	jv_set_string(body, "type", "custom");
	jv_set_string(body, "content_type", cli_option(cli, "type"));
	if (description)
		jv_set_string(body, "description", description);
	if (r == 0)
		r = follow_change(client, v.server,
		                  &(struct follow_request){ .method = "POST", .body = body }, err,
		                  "/1.0/storage-pools/%s/volumes/custom", v.pool);
	if (r == 0)
		client_say(client, "Storage volume %s created", v.name);
	return r;
}

static int delete_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(volume_done) struct volume v = { 0 };
	scoped(resource_done) struct resource res = { 0 };
	int r = open_resource(client, cli, &v, &res, err);

	if (r == 0)
		r = server_send_path(v.server, "DELETE", NULL, res.path, err);
	if (r == 0)
		client_say(client, "Storage volume %s deleted", cli_word(cli, 1));
	return r;
}

static int rename_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(jv_unrefp) struct json_object *body = jv_object();
	scoped(volume_done) struct volume v = { 0 };
	scoped(resource_done) struct resource res = { 0 };
	const char *to = cli_word(cli, 2), *slash = strchr(to, '/');
	int r = open_resource(client, cli, &v, &res, err);

	if (r < 0)
		return r;
	if (!v.snapshot != !slash || (slash && strncmp(to, v.name, (size_t)(slash - to)) != 0))
		return error_set(err, 400, "A snapshot stays with its volume");
	jv_set_string(body, "name", slash ? slash + 1 : to);
	if (!slash)
		jv_set_string(body, "pool", v.pool);
	r = server_send_path(v.server, "POST", body, res.path, err);
	if (r == 0)
		client_say(client, "Renamed storage volume from \"%s\" to \"%s\"", cli_word(cli, 1),
		           to);
	return r;
}

static int snapshot_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(jv_unrefp) struct json_object *body = jv_object();
	scoped(volume_done) struct volume v = { 0 };
	const char *name = cli_word(cli, 2);
	int r = open_volume(client, cli, &v, err);

	if (r < 0)
		return r;
	if (cli_flag(cli, "reuse") && name) {
		scoped(error_freep) struct error *missing = NULL;

		server_send(v.server, "DELETE", NULL, &missing,
		            "/1.0/storage-pools/%s/volumes/%s/%s/snapshots/%s", v.pool, v.type,
		            v.name, name);
	}
	jv_set_string(body, "name", name);
	if (cli_flag(cli, "no-expiry"))
		jv_set_string(body, "expires_at", "0001-01-01T00:00:00Z");
	return follow_change(
		client, v.server, &(struct follow_request){ .method = "POST", .body = body }, err,
		"/1.0/storage-pools/%s/volumes/%s/%s/snapshots", v.pool, v.type, v.name);
}

static int restore_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(jv_unrefp) struct json_object *body = jv_object();
	scoped(volume_done) struct volume v = { 0 };
	int r = open_volume(client, cli, &v, err);

	if (r < 0)
		return r;
	jv_set_string(body, "restore", cli_word(cli, 2));
	return follow_change(client, v.server,
	                     &(struct follow_request){ .method = "PUT", .body = body }, err,
	                     "/1.0/storage-pools/%s/volumes/%s/%s", v.pool, v.type, v.name);
}

/* "[remote:]pool/volume[/snapshot]" at its first slash; both halves are owned by the caller. */
static int split_pool(const char *word, char **ret_pool, const char **ret_volume,
                      struct error **err)
{
	const char *slash = strchr(word, '/');

	if (!slash || slash == word || !slash[1])
		return error_set(err, 400, "Name the volume as <pool>/<volume>: %s", word);
	*ret_pool = xasprintf("%.*s", (int)(slash - word), word);
	*ret_volume = slash + 1;
	return 0;
}

/* Source and destination, with the words that their pools borrow from. */
struct ends {
	struct volume from, to;
	char *from_pool, *to_pool;
};

static void ends_done(struct ends *ends)
{
	volume_done(&ends->from);
	volume_done(&ends->to);
	free(ends->from_pool);
	free(ends->to_pool);
}

static int parse_ends(struct client *client, const struct cli *cli, struct ends *ends,
                      struct error **err)
{
	const char *volume = NULL;
	int r = split_pool(cli_word(cli, 0), &ends->from_pool, &volume, err);

	if (r == 0)
		r = volume_parse(client, ends->from_pool, volume, &ends->from, err);
	if (r == 0)
		r = split_pool(cli_word(cli, 1), &ends->to_pool, &volume, err);
	if (r == 0)
		r = volume_parse(client, ends->to_pool, volume, &ends->to, err);
	if (r == 0 && ends->from.server != ends->to.server)
		r = error_set(err, 400, "Volumes cannot be transferred between servers");
	return r;
}

static int copy_volume(struct client *client, const struct cli *cli, const struct volume *from,
                       const struct volume *to, struct error **err)
{
	scoped(jv_unrefp) struct json_object *body = jv_object(), *o = NULL;
	scoped(resource_done) struct resource res = { 0 };
	const char *target = cli_option(cli, "destination-target");
	const char *project = cli_option(cli, "target-project");
	struct json_object *source = jv_object();
	scoped_free char *name = xasprintf("%s%s%s", from->name, from->snapshot ? "/" : "",
	                                   str_or_empty(from->snapshot));

	jv_set_take(body, "source", source);
	server_set_target(from->server, cli_option(cli, "target"));
	volume_resource(client, from, &res);
	int r = resource_get(&res, &o, NULL, err);
	if (r < 0)
		return r;
	jv_set_string(body, "name", to->name);
	jv_set_string(body, "type", "custom");
	jv_set_string(body, "content_type", jv_text(o, "content_type"));
	jv_set_string(body, "description", jv_text(o, "description"));
	jv_set_take(body, "config", jv_ref(jv_member(o, "config")));
	jv_set_string(source, "type", "copy");
	jv_set_string(source, "pool", from->pool);
	jv_set_string(source, "name", name);
	jv_set_string(source, "project", server_project(from->server));
	if (!str_is_empty(jv_text(o, "location")) && !str_equals(jv_text(o, "location"), "none"))
		jv_set_string(source, "location", jv_text(o, "location"));
	jv_set_bool(source, "volume_only", cli_flag(cli, "volume-only"));
	jv_set_bool(source, "refresh", cli_flag(cli, "refresh"));
	server_set_target(to->server, target);
	if (project)
		server_set_project(to->server, project);
	return follow_change(client, to->server,
	                     &(struct follow_request){ .method = "POST",
	                                               .body = body,
	                                               .label = "Copying the storage volume" },
	                     err, "/1.0/storage-pools/%s/volumes/custom", to->pool);
}

static int copy_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(ends_done) struct ends ends = { 0 };
	int r = parse_ends(client, cli, &ends, err);

	if (r == 0)
		r = copy_volume(client, cli, &ends.from, &ends.to, err);
	if (r == 0)
		client_say(client, "Storage volume copied successfully!");
	return r;
}

static int move_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(jv_unrefp) struct json_object *body = jv_object();
	scoped(ends_done) struct ends ends = { 0 };
	const struct volume *from = &ends.from, *to = &ends.to;
	int r = parse_ends(client, cli, &ends, err);

	if (r < 0)
		return r;
	/* The member that gets it fetches it from the one that has it. */
	const char *there = cli_option(cli, "destination-target"),
		   *here = cli_option(cli, "target");
	server_set_target(from->server, there ? there : here);
	jv_set_string(body, "name", to->name);
	jv_set_string(body, "pool", to->pool);
	if (cli_option(cli, "target-project"))
		jv_set_string(body, "project", cli_option(cli, "target-project"));
	if (there && here) {
		struct json_object *source = jv_object();

		jv_set_string(source, "location", here);
		jv_set_take(body, "source", source);
	}
	r = follow_change(
		client, from->server,
		&(struct follow_request){
			.method = "POST", .body = body, .label = "Moving the storage volume" },
		err, "/1.0/storage-pools/%s/volumes/%s/%s", from->pool, from->type, from->name);
	if (r == 0)
		client_say(client, "Storage volume moved successfully!");
	return r;
}

/* Where a volume is attached: an instance or a profile with its document. */
struct holder {
	struct resource res;
	struct json_object *document;
	char *etag;
};

static void holder_done(struct holder *holder)
{
	resource_done(&holder->res);
	jv_unref(holder->document);
	free(holder->etag);
}

static int holder_open(struct client *client, const struct cli *cli, const struct volume *v,
                       struct holder *ret_holder, struct error **err)
{
	static const char *const instance_fields[] = { "architecture", "config",   "devices",
		                                       "ephemeral",    "profiles", "stateful",
		                                       "description",  NULL };
	static const char *const profile_fields[] = { "config", "description", "devices", NULL };
	bool profile = str_ends(cli->command->path, "-profile");

	ret_holder->res =
		(struct resource){ .client = client,
		                   .server = v->server,
		                   .writable = profile ? profile_fields : instance_fields };
	ret_holder->res.path = server_path(
		v->server, profile ? "/1.0/profiles/%s" : "/1.0/instances/%s", cli_word(cli, 2));
	return resource_get(&ret_holder->res, &ret_holder->document, &ret_holder->etag, err);
}

static int attach_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(volume_done) struct volume v = { 0 };
	scoped(holder_done) struct holder holder = { 0 };
	const char *device = cli_word(cli, 3), *path = cli_word(cli, 4);
	int r = volume_parse(client, cli_word(cli, 0), cli_word(cli, 1), &v, err);

	if (r == 0)
		r = holder_open(client, cli, &v, &holder, err);
	if (r < 0)
		return r;
	if (device && *device == '/') { /* A single word that is a path names the device itself. */
		path = device;
		device = NULL;
	}
	if (!device)
		device = v.name;
	struct json_object *devices = instance_wish_map(holder.document, "devices");
	if (jv_member(devices, device))
		return error_set(err, 409, "The device already exists");
	struct json_object *disk = jv_object();
	jv_set_take(devices, device, disk);
	jv_set_string(disk, "type", "disk");
	jv_set_string(disk, "pool", v.pool);
	jv_set_string(disk, "source", v.name);
	if (path)
		jv_set_string(disk, "path", path);
	return resource_put(&holder.res, holder.document, holder.etag, err);
}

/* The device through which the volume is attached: the named one, or the only one. */
static int find_device(struct json_object *devices, const struct volume *v, const char *device,
                       const char **ret_device, struct error **err)
{
	const char *found = NULL;

	JV_FOREACH (devices, name, disk) {
		bool is_it = device ? strcmp(name, device) == 0
		                    : str_equals(jv_text(disk, "pool"), v->pool) &&
		                              str_equals(jv_text(disk, "source"), v->name);

		if (is_it && found)
			return error_set(err, 400,
			                 "The volume is attached more than once; name the device");
		if (is_it)
			found = name;
	}
	if (!found)
		return error_set(err, 404, "No device found for this storage volume");
	*ret_device = found;
	return 0;
}

static int detach_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(volume_done) struct volume v = { 0 };
	scoped(holder_done) struct holder holder = { 0 };
	const char *device = NULL;
	int r = volume_parse(client, cli_word(cli, 0), cli_word(cli, 1), &v, err);

	if (r == 0)
		r = holder_open(client, cli, &v, &holder, err);
	if (r < 0)
		return r;
	struct json_object *devices = jv_member(holder.document, "devices");
	r = find_device(devices, &v, cli_word(cli, 3), &device, err);
	if (r < 0)
		return r;
	jv_unset(devices, device);
	return resource_put(&holder.res, holder.document, holder.etag, err);
}

/* clang-format off */
#define TARGET { "target", 0, OPTION_TEXT, NULL, "Cluster member that has the volume", WORD_MEMBER }

static const struct cli_option target_options[] = { TARGET, { .name = NULL } };
static const struct cli_option set_options[] = { RESOURCE_PROPERTY_OPTION, TARGET, { .name = NULL } };

static const struct cli_option list_options[] = {
	{ "all-projects", 0,   OPTION_FLAG, NULL, "Show the volumes of all projects", WORD_NONE },
	{ "columns",      'c', OPTION_TEXT, "tndcuL", "Which columns, in which order", WORD_NONE },
	OUTPUT_FORMAT_OPTION,
	{ .name = NULL },
};

static const struct cli_option create_options[] = {
	{ "description", 0, OPTION_TEXT, NULL, "Description of the volume", WORD_NONE },
	TARGET,
	{ "type", 0, OPTION_TEXT, "filesystem", "What it holds: filesystem or block", WORD_NONE },
	{ .name = NULL },
};

static const struct cli_option snapshot_options[] = {
	{ "no-expiry", 0, OPTION_FLAG, NULL, "Keep it, whatever the volume's config says", WORD_NONE },
	{ "reuse",     0, OPTION_FLAG, NULL, "Replace a snapshot of the same name", WORD_NONE },
	TARGET,
	{ .name = NULL },
};

static const struct cli_option copy_options[] = {
	{ "destination-target", 0, OPTION_TEXT, NULL, "Cluster member to put it on", WORD_MEMBER },
	{ "mode",               0, OPTION_TEXT, "pull", "Who connects between servers", WORD_NONE },
	{ "refresh",            0, OPTION_FLAG, NULL, "Bring an earlier copy up to date", WORD_NONE },
	TARGET,
	{ "target-project",     0, OPTION_TEXT, NULL, "Project to put it in", WORD_PROJECT },
	{ "volume-only",        0, OPTION_FLAG, NULL, "Leave the snapshots out", WORD_NONE },
	{ .name = NULL },
};

#define ROW(word, words_text, min, max, fn, opts, text) \
	{ .path = "storage volume " word, .usage = "[<remote>:]" words_text, .min_words = min, \
	  .max_words = max, .run = fn, .options = opts, .summary = text, .kinds = { WORD_POOL, WORD_NONE } }
#define VOLUME "<pool> [<type>/]<volume>"

const struct cli_command cmd_storage_volume_commands[] = {
	{ .path = "storage volume", .usage = "", .summary = "Manage storage volumes" },
	{ .path = "storage volume list", .usage = "[<remote>:]<pool> [<filter>...]", .min_words = 1,
	  .max_words = CLI_ANY, .run = list_run, .options = list_options, .summary = "List storage volumes",
	  .details = "Columns:\n  t type            n name        d description\n"
	             "  c content type    u used by     L location (member)\n"
	             "  p pool            e project",
	  .aliases = "ls", .kinds = { WORD_POOL, WORD_NONE } },
	ROW("show", VOLUME "[/<snapshot>]", 2, 2, show_run, target_options, "Show a storage volume"),
	ROW("edit", VOLUME "[/<snapshot>]", 2, 2, edit_run, target_options, "Edit a storage volume as YAML"),
	ROW("info", VOLUME, 2, 2, info_run, target_options, "Show how much a storage volume uses"),
	ROW("get", VOLUME "[/<snapshot>] <key>", 3, 3, get_run, set_options, "Get the value of a key"),
	ROW("set", VOLUME "[/<snapshot>] <key>=<value>...", 3, CLI_ANY, set_run, set_options, "Set keys of a storage volume"),
	ROW("unset", VOLUME "[/<snapshot>] <key>", 3, 3, unset_run, set_options, "Unset a key of a storage volume"),
	ROW("create", "<pool> <volume> [key=value...]", 2, CLI_ANY, create_run, create_options, "Create a storage volume"),
	ROW("delete", "<pool> <volume>[/<snapshot>]", 2, 2, delete_run, target_options, "Delete a storage volume or a snapshot of one"),
	ROW("rename", "<pool> <old name>[/<snapshot>] <new name>[/<snapshot>]", 3, 3, rename_run, target_options, "Rename a storage volume or a snapshot of one"),
	ROW("copy", "<pool>/<volume>[/<snapshot>] <pool>/<volume>", 2, 2, copy_run, copy_options, "Copy a storage volume"),
	ROW("move", "<pool>/<volume> <pool>/<volume>", 2, 2, move_run, copy_options, "Move a storage volume"),
	ROW("snapshot", "<pool> <volume> [<snapshot>]", 2, 3, snapshot_run, snapshot_options, "Take a snapshot of a storage volume"),
	ROW("restore", "<pool> <volume> <snapshot>", 3, 3, restore_run, target_options, "Bring a storage volume back to a snapshot"),
	ROW("attach", "<pool> <volume> <instance> [<device name>] [<path>]", 3, 5, attach_run, NULL, "Attach a storage volume to an instance"),
	ROW("attach-profile", "<pool> <volume> <profile> [<device name>] [<path>]", 3, 5, attach_run, NULL, "Attach a storage volume to a profile"),
	ROW("detach", "<pool> <volume> <instance> [<device name>]", 3, 4, detach_run, NULL, "Detach a storage volume from an instance"),
	ROW("detach-profile", "<pool> <volume> <profile> [<device name>]", 3, 4, detach_run, NULL, "Detach a storage volume from a profile"),
	{ .path = NULL },
};
/* clang-format on */
