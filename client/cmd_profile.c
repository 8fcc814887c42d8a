/* "muster profile". */
#include <stdio.h>
#include <string.h>

#include "client/commands.h"
#include "client/instance_resource.h"
#include "client/objects.h"
#include "client/output.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/data/jv.h"

static int list_run(struct client *client, const struct cli *cli, struct error **err)
{
	static const char *const headers[] = { "NAME", "DESCRIPTION", "USED BY", NULL };
	static const char *const all_headers[] = { "PROJECT", "NAME", "DESCRIPTION", "USED BY",
		                                   NULL };
	scoped(jv_unrefp) struct json_object *all = NULL;
	bool all_projects = cli_flag(cli, "all-projects");
	struct server *server;
	int r = client_server_only(client, cli_word(cli, 0), &server, err);

	if (r == 0)
		r = server_get(server, &all, err,
		               all_projects ? "/1.0/profiles?recursion=1&all-projects=true"
		                            : "/1.0/profiles?recursion=1");
	if (r < 0)
		return r;
	scoped(table_freep) struct table *table = table_new(all_projects ? all_headers : headers);
	for (size_t i = 0; i < jv_len(all); i++) {
		struct json_object *p = jv_item(all, i);

		if (all_projects)
			table_add(table, jv_text(p, "project"));
		table_add(table, jv_text(p, "name"));
		table_add(table, jv_text(p, "description"));
		table_addf(table, "%zu", jv_len(jv_member(p, "used_by")));
	}
	table_sort(table);
	return output_list(cli, table, all, err);
}

static int create_run(struct client *client, const struct cli *cli, struct error **err)
{
	return object_create(client, cli, 0, NULL, err);
}

static int copy_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(jv_unrefp) struct json_object *profile = NULL, *body = NULL;
	static const char *const fields[] = { "config", "description", "devices", NULL };
	const char *name, *to_name, *project = cli_option(cli, "target-project");
	struct server *server, *to;
	int r = client_named(client, cli_word(cli, 0), "profile", &server, &name, err);

	if (r == 0)
		r = client_server(client, cli_word(cli, 1), &to, &to_name, err);
	if (r == 0)
		r = server_get(server, &profile, err, "/1.0/profiles/%s", name);
	if (r < 0)
		return r;
	body = output_pick(profile, fields);
	jv_set_string(body, "name", *to_name ? to_name : name);
	if (project)
		server_set_project(to, project);
	if (cli_flag(cli, "refresh")) {
		scoped(error_freep) struct error *missing = NULL;

		r = server_send(to, "PUT", body, &missing, "/1.0/profiles/%s",
		                *to_name ? to_name : name);
		if (r == 0 || missing->status != 404) {
			*err = TAKE_PTR(missing);
			return r;
		}
	}
	return server_send(to, "POST", body, err, "/1.0/profiles");
}

/* Replaces the profiles of an instance by 'change'. */
static int change_profiles(struct client *client, const struct cli *cli,
                           int (*change)(char ***profiles, const char *word, struct error **err),
                           struct error **err)
{
	scoped(resource_done) struct resource res = { 0 };
	scoped(jv_unrefp) struct json_object *o = NULL;
	scoped(strv_freep) char **profiles = NULL;
	scoped_free char *etag = NULL;
	bool is_server;
	int r = instance_resource_open(client, cli_word(cli, 0), NULL, &res, &is_server, err);

	if (r == 0 && is_server)
		r = error_set(err, 400, "Missing instance name");
	if (r == 0)
		r = resource_get(&res, &o, &etag, err);
	if (r == 0)
		r = jv_get_strv(o, "profiles", &profiles, err);
	if (r >= 0)
		r = change(&profiles, cli_word(cli, 1), err);
	if (r < 0)
		return r;
	jv_set_strv(o, "profiles", profiles);
	return resource_put(&res, o, etag, err);
}

static int add_profile(char ***profiles, const char *word, struct error **err)
{
	if (strv_contains(*profiles, word))
		return error_set(err, 409, "The profile \"%s\" is applied already", word);
	strv_add(profiles, word);
	return 0;
}

static int remove_profile(char ***profiles, const char *word, struct error **err)
{
	return strv_remove(*profiles, word)
	               ? 0
	               : error_set(err, 404, "The profile \"%s\" is not applied", word);
}

static int assign_profiles(char ***profiles, const char *word, struct error **err)
{
	(void)err;
	strv_free(*profiles);
	*profiles = strv_split_trimmed(word, ',');
	return 0;
}

static int add_run(struct client *client, const struct cli *cli, struct error **err)
{
	int r = change_profiles(client, cli, add_profile, err);

	if (r == 0)
		client_say(client, "Profile %s added to %s", cli_word(cli, 1), cli_word(cli, 0));
	return r;
}

static int remove_run(struct client *client, const struct cli *cli, struct error **err)
{
	int r = change_profiles(client, cli, remove_profile, err);

	if (r == 0)
		client_say(client, "Profile %s removed from %s", cli_word(cli, 1),
		           cli_word(cli, 0));
	return r;
}

static int assign_run(struct client *client, const struct cli *cli, struct error **err)
{
	int r = change_profiles(client, cli, assign_profiles, err);

	if (r == 0)
		client_say(client, "Profiles %s applied to %s",
		           *cli_word(cli, 1) ? cli_word(cli, 1) : "(none)", cli_word(cli, 0));
	return r;
}

/* clang-format off */
static const struct cli_option list_options[] = {
	{ "all-projects", 0, OPTION_FLAG, NULL, "Show the profiles of all projects", WORD_NONE },
	OUTPUT_FORMAT_OPTION,
	{ .name = NULL },
};

static const struct cli_option create_options[] = {
	{ "description", 0, OPTION_TEXT, NULL, "Description of the profile", WORD_NONE },
	{ .name = NULL },
};

static const struct cli_option copy_options[] = {
	{ "refresh",        0, OPTION_FLAG, NULL, "Replace a profile of that name", WORD_NONE },
	{ "target-project", 0, OPTION_TEXT, NULL, "Project to put it in", WORD_PROJECT },
	{ .name = NULL },
};

/* clang-format on */

const struct cli_command cmd_profile_commands[] = {
	{ .path = "profile", .usage = "", .summary = "Manage profiles" },
	{ .path = "profile list",
	  .usage = "[<remote>:]",
	  .max_words = 1,
	  .run = list_run,
	  .options = list_options,
	  .summary = "List profiles",
	  .aliases = "ls",
	  .kinds = { WORD_REMOTE } },
	{ .path = "profile create",
	  .usage = "[<remote>:]<profile>",
	  .min_words = 1,
	  .max_words = 1,
	  .run = create_run,
	  .options = create_options,
	  .summary = "Create a profile, from YAML on stdin if there is any",
	  .kinds = { WORD_NONE } },
	{ .path = "profile copy",
	  .usage = "[<remote>:]<profile> [<remote>:]<profile>",
	  .min_words = 2,
	  .max_words = 2,
	  .run = copy_run,
	  .options = copy_options,
	  .summary = "Copy a profile",
	  .aliases = "cp",
	  .kinds = { WORD_PROFILE, WORD_NONE } },
	OBJECT_COMMAND_DELETE("profile", "profile", WORD_PROFILE, NULL),
	OBJECT_COMMAND_RENAME("profile", "profile", WORD_PROFILE),
	OBJECT_COMMAND_SHOW("profile", "profile", WORD_PROFILE, NULL),
	OBJECT_COMMAND_EDIT("profile", "profile", WORD_PROFILE, NULL),
	OBJECT_COMMAND_GET("profile", "profile", WORD_PROFILE, object_property_options),
	OBJECT_COMMAND_SET("profile", "profile", WORD_PROFILE, object_property_options),
	OBJECT_COMMAND_UNSET("profile", "profile", WORD_PROFILE, object_property_options),
	{ .path = "profile add",
	  .usage = "[<remote>:]<instance> <profile>",
	  .min_words = 2,
	  .max_words = 2,
	  .run = add_run,
	  .summary = "Apply one more profile to an instance",
	  .kinds = { WORD_INSTANCE, WORD_PROFILE } },
	{ .path = "profile remove",
	  .usage = "[<remote>:]<instance> <profile>",
	  .min_words = 2,
	  .max_words = 2,
	  .run = remove_run,
	  .summary = "Take a profile away from an instance",
	  .kinds = { WORD_INSTANCE, WORD_PROFILE } },
	{ .path = "profile assign",
	  .usage = "[<remote>:]<instance> <profiles>",
	  .min_words = 2,
	  .max_words = 2,
	  .run = assign_run,
	  .summary = "Set the list of profiles of an instance",
	  .aliases = "apply",
	  .kinds = { WORD_INSTANCE, WORD_PROFILE } },
	{ .path = NULL },
};
