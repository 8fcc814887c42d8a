#include "daemon/api/metadata.h"

#include "daemon/core/response.h"
#include "daemon/project/conf_tables.h"
#include "lib/base/macro.h"
#include "lib/base/str.h"
#include "lib/conf/conf.h"
#include "lib/data/jv.h"

/* What may be granted, by kind of object. */
static const struct {
	const char *entity;
	const char *entitlement;
	const char *doc;
} entitlements[] = {
	{ "server", "admin", "May do everything." },
	{ "server", "can_edit", "May change the server's configuration, members and warnings." },
	{ "server", "can_create_projects", "May create projects." },
	{ "server", "can_view_warnings", "May see warnings." },
	{ "server", "can_view_resources", "May see the host's resources." },
	{ "project", "can_view", "May see the project." },
	{ "project", "can_edit", "May change the project." },
	{ "project", "can_delete", "May delete the project." },
	{ "project", "can_create_instances", "May create instances in the project." },
	{ "project", "can_create_images", "May create images in the project." },
	{ "project", "can_create_profiles", "May create profiles in the project." },
	{ "project", "can_create_storage_volumes", "May create volumes in the project." },
	{ "instance", "can_view", "May see the instance." },
	{ "instance", "can_edit", "May change the instance." },
	{ "instance", "can_delete", "May delete the instance." },
	{ "instance", "can_update_state", "May start and stop the instance." },
	{ "instance", "can_exec", "May run commands in the instance." },
	{ "instance", "can_access_console", "May use the instance's console." },
	{ "instance", "can_access_files", "May read and write files in the instance." },
	{ "instance", "can_manage_snapshots", "May create and delete snapshots." },
	{ "image", "can_view", "May see the image." },
	{ "image", "can_edit", "May change the image." },
	{ "image", "can_delete", "May delete the image." },
	{ "profile", "can_view", "May see the profile." },
	{ "profile", "can_edit", "May change the profile." },
	{ "profile", "can_delete", "May delete the profile." },
	{ "storage_pool", "can_view", "May see the pool." },
	{ "storage_pool", "can_edit", "May change the pool." },
	{ "storage_pool", "can_delete", "May delete the pool." },
	{ "storage_volume", "can_view", "May see the volume." },
	{ "storage_volume", "can_edit", "May change the volume." },
	{ "storage_volume", "can_delete", "May delete the volume." },
	{ "placement_group", "can_view", "May see the placement group." },
	{ "placement_group", "can_edit", "May change the placement group." },
	{ "placement_group", "can_delete", "May delete the placement group." },
};

static bool is_of_server(const char *entity)
{
	return str_equals(entity, "server") || str_equals(entity, "storage_pool") ||
	       str_equals(entity, "project");
}

static struct json_object *entities(void)
{
	struct json_object *all = jv_object();

	for (size_t i = 0; i < COUNT_OF(entitlements); i++) {
		struct json_object *entity = jv_member(all, entitlements[i].entity);
		struct json_object *o = jv_object();

		if (!entity) {
			entity = jv_object();
			jv_set_bool(entity, "project_specific",
			            !is_of_server(entitlements[i].entity));
			jv_set_take(entity, "entitlements", jv_array());
			jv_set_take(all, entitlements[i].entity, entity);
		}

		jv_set_string(o, "name", entitlements[i].entitlement);
		jv_set_string(o, "description", entitlements[i].doc);
		jv_add_take(jv_member(entity, "entitlements"), o);
	}

	return all;
}

static int configuration_get(struct request *req, struct response *res, struct error **err)
{
	struct json_object *metadata = jv_object(), *configs = jv_object();

	(void)req;
	(void)err;
	for (unsigned int i = 0;; i++) {
		struct conf_table table = conf_tables_at(i);
		struct json_object *group, *groups;

		if (!table.entity)
			break;
		if (!table.keys)
			continue;

		groups = jv_member(configs, table.entity);
		if (!groups) {
			groups = jv_object();
			jv_set_take(configs, table.entity, groups);
		}

		group = jv_object();
		jv_set_take(group, "keys", conf_list(table.keys));
		jv_set_take(groups, table.group, group);
	}

	jv_set_take(metadata, "configs", configs);
	jv_set_take(metadata, "entities", entities());
	response_sync(res, metadata);
	return 0;
}

static const struct route routes[] = {
	{ .method = "GET",
	  .path = "/1.0/metadata/configuration",
	  .handler = configuration_get,
	  .access = ACCESS_ANYONE,
	  .extension = "metadata_configuration" },
};

const struct route_table metadata_routes = ROUTE_TABLE(routes);
