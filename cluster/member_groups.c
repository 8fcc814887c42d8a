#include "cluster/member_groups.h"

#include <stdlib.h>
#include <string.h>

#include "db/db.h"
#include "db/member_groups.h"
#include "db/members.h"
#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/net/url.h"

#define NAME_MAX_LEN 63

int member_groups_check_name(const char *name, struct error **err)
{
	if (str_is_empty(name))
		return error_set(err, 400, "No name provided");
	if (strchr(name, '/'))
		return error_set(err, 400, "Cluster group names may not contain slashes");
	if (strchr(name, ' '))
		return error_set(err, 400, "Cluster group names may not contain spaces");
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || *name == '@' ||
	    str_has_control(name) || strlen(name) > NAME_MAX_LEN)
		return error_set(err, 400, "Invalid cluster group name \"%s\"", name);

	return 0;
}

static int get(struct db_tx *tx, const char *name, struct db_member_group *ret_row,
               struct error **err)
{
	scoped(error_freep) struct error *cause = NULL;

	int r = db_member_group_get(tx, name, ret_row, &cause);
	if (r >= 0)
		return 0;
	if (cause->status == 404)
		return error_set(err, 404, "ClusterGroup not found");

	return error_move(err, &cause);
}

static int check_exists_not(struct db_tx *tx, const char *name, struct error **err)
{
	scoped(db_member_group_done) struct db_member_group row = { 0 };
	scoped(error_freep) struct error *cause = NULL;

	if (db_member_group_get(tx, name, &row, &cause) >= 0)
		return error_set(err, 409, "Cluster group \"%s\" already exists", name);
	if (cause->status == 404)
		return 0;

	return error_move(err, &cause);
}

static int check_members_exist(struct db_tx *tx, char *const *members, struct error **err)
{
	STRV_FOREACH (name, members) {
		scoped(db_member_done) struct db_member row = { 0 };
		scoped(error_freep) struct error *cause = NULL;

		if (db_member_get(tx, name, &row, &cause) >= 0)
			continue;
		if (cause->status == 404)
			return error_set(err, 404, "Cluster member \"%s\" not found", name);
		return error_move(err, &cause);
	}

	return 0;
}

int member_groups_create(struct db_tx *tx, const char *name, const char *description,
                         char *const *members, struct error **err)
{
	const struct db_member_group row = { .name = (char *)name,
		                             .description = (char *)str_or_empty(description),
		                             .members = (char **)members };
	int64_t id = 0;

	int r = member_groups_check_name(name, err);
	if (r >= 0)
		r = check_exists_not(tx, name, err);
	if (r >= 0)
		r = check_members_exist(tx, members, err);
	if (r >= 0)
		r = db_member_group_create(tx, &row, &id, err);

	return r;
}

/* Those who leave the group must have another one. */
static int check_leavers(struct db_tx *tx, const struct db_member_group *group,
                         char *const *members, struct error **err)
{
	STRV_FOREACH (name, group->members) {
		scoped(db_member_done) struct db_member row = { 0 };

		if (strv_contains(members, name))
			continue;
		int r = db_member_get(tx, name, &row, err);
		if (r < 0)
			return r;
		if (strv_len(row.groups) < 2)
			return error_set(
				err, 400,
				"Cannot remove \"%s\" from group as member needs to belong to "
				"at least one group",
				name);
	}

	return 0;
}

int member_groups_update(struct db_tx *tx, const char *name, const char *description,
                         char *const *members, struct error **err)
{
	scoped(db_member_group_done) struct db_member_group group = { 0 };

	int r = get(tx, name, &group, err);
	if (r < 0)
		return r;
	if (members) {
		r = check_members_exist(tx, members, err);
		if (r >= 0)
			r = check_leavers(tx, &group, members, err);
		if (r < 0)
			return r;
		strv_free(group.members);
		group.members = strv_copy(members);
	}
	if (description) {
		free(group.description);
		group.description = xstrdup(description);
	}

	return db_member_group_update(tx, &group, err);
}

int member_groups_rename(struct db_tx *tx, const char *name, const char *new_name,
                         struct error **err)
{
	scoped(db_member_group_done) struct db_member_group group = { 0 };

	if (strcmp(name, "default") == 0)
		return error_set(err, 403, "The \"default\" group cannot be renamed");

	int r = member_groups_check_name(new_name, err);
	if (r >= 0)
		r = get(tx, name, &group, err);
	if (r >= 0)
		r = check_exists_not(tx, new_name, err);
	if (r >= 0)
		r = db_member_group_rename(tx, name, new_name, err);

	return r;
}

struct user_list {
	char **urls;
	const char *group;
};

static int add_project(const struct db_row *row, void *arg, struct error **err)
{
	struct user_list *users = arg;
	scoped(strv_freep) char **groups = strv_split_trimmed(db_row_text(row, 1), ',');

	if (strv_contains(groups, users->group))
		strv_add_take(&users->urls, url_path("1.0", "projects", db_row_text(row, 0), NULL));

	return 0;
}

static int add_instance(const struct db_row *row, void *arg, struct error **err)
{
	struct user_list *users = arg;
	scoped_free char *path = url_path("1.0", "instances", db_row_text(row, 1), NULL);
	const char *project = db_row_text(row, 0);

	if (strcmp(project, "default") == 0) {
		strv_add(&users->urls, path);
	} else {
		scoped_free char *escaped = url_escape(project);

		strv_addf(&users->urls, "%s?project=%s", path, escaped);
	}

	return 0;
}

int member_groups_used_by(struct db_tx *tx, const char *name, char ***ret_urls, struct error **err)
{
	static const char select_projects[] =
		"SELECT projects.name, projects_config.value"
		"  FROM projects_config"
		"  JOIN projects ON projects.id = projects_config.project_id"
		" WHERE projects_config.key = 'restricted.cluster.groups'"
		" ORDER BY projects.name";
	static const char select_instances[] =
		"SELECT projects.name, instances.name"
		"  FROM instances_config"
		"  JOIN instances ON instances.id = instances_config.instance_id"
		"  JOIN projects ON projects.id = instances.project_id"
		" WHERE instances_config.key = 'volatile.cluster.group'"
		"   AND instances_config.value = ?"
		" ORDER BY projects.name, instances.name";
	struct user_list users = { .group = name };

	int r = db_each(tx, select_projects, DB_NO_ARGS, add_project, &users, err);
	if (r >= 0)
		r = db_each(tx, select_instances, DB_ARGS(db_text(name)), add_instance, &users,
		            err);
	if (r < 0) {
		strv_free(users.urls);
		return r;
	}

	*ret_urls = users.urls;
	return 0;
}

int member_groups_delete(struct db_tx *tx, const char *name, struct error **err)
{
	scoped(db_member_group_done) struct db_member_group group = { 0 };
	scoped(strv_freep) char **users = NULL;

	if (strcmp(name, "default") == 0)
		return error_set(err, 403, "The \"default\" group cannot be deleted");

	int r = get(tx, name, &group, err);
	if (r < 0)
		return r;
	if (group.members && *group.members)
		return error_set(err, 400, "Only empty cluster groups can be removed");
	r = member_groups_used_by(tx, name, &users, err);
	if (r < 0)
		return r;
	if (users)
		return error_set(err, 400, "Cluster group is currently in use");

	return db_member_group_delete(tx, name, err);
}

int member_groups_check_of_member(struct db_tx *tx, char *const *groups, struct error **err)
{
	if (!groups || !*groups)
		return error_set(err, 400, "Cluster members need to belong to at least one group");

	STRV_FOREACH (name, groups) {
		scoped(db_member_group_done) struct db_member_group group = { 0 };
		scoped(error_freep) struct error *cause = NULL;

		if (db_member_group_get(tx, name, &group, &cause) >= 0)
			continue;
		if (cause->status == 404)
			return error_set(err, 404, "Cluster group \"%s\" not found", name);
		return error_move(err, &cause);
	}

	return 0;
}
