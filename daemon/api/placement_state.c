#include "daemon/api/placement_state.h"

#include <string.h>

#include "cluster/cluster.h"
#include "cluster/placement_comply.h"
#include "daemon/api/cluster_guard.h"
#include "daemon/api/route.h"
#include "daemon/core/lifecycle.h"
#include "daemon/core/request.h"
#include "daemon/core/response.h"
#include "daemon/core/state.h"
#include "daemon/project/placement_view.h"
#include "db/cache.h"
#include "lib/base/alloc.h"
#include "lib/base/smap.h"
#include "lib/data/jv.h"

#define SHOWN (PLACEMENT_VIEW_FAMILIES | DB_PROFILES | DB_SNAPSHOTS)

static size_t find_group(const struct placement_snapshot *snapshot, const char *project,
                         const char *name)
{
	for (size_t i = 0; i < snapshot->n_groups; i++)
		if (strcmp(snapshot->groups[i].project, project) == 0 &&
		    strcmp(snapshot->groups[i].name, name) == 0)
			return i;

	return PLACEMENT_NONE;
}

static struct json_object *instances_on(const struct placement_snapshot *snapshot, size_t group,
                                        size_t member)
{
	struct json_object *urls = jv_array();

	for (size_t i = 0; i < snapshot->n_instances; i++) {
		const struct placement_instance *inst = &snapshot->instances[i];

		if (inst->id == 0 || inst->group != group || inst->member != member)
			continue;

		scoped_free char *url = lifecycle_url(
			inst->project, (const char *const[]){ "instances", inst->name, NULL });
		jv_add_string(urls, url);
	}
	return urls;
}

static struct json_object *members_json(const struct placement_snapshot *snapshot, size_t group,
                                        const struct placement_comply *comply)
{
	struct json_object *list = jv_array();

	for (size_t m = 0; m < snapshot->n_members; m++) {
		struct json_object *o;

		if (comply->counts[m] == 0)
			continue;

		scoped_free char *why = comply->is_wrong[m]
		                                ? placement_comply_text(snapshot, group, comply, m)
		                                : xstrdup("");
		o = jv_object();
		jv_set_string(o, "server_name", snapshot->members[m].name);
		jv_set_bool(o, "complies", !comply->is_wrong[m]);
		jv_set_string(o, "reason", why);
		jv_set_take(o, "instances", instances_on(snapshot, group, m));
		jv_add_take(list, o);
	}
	return list;
}

static struct json_object *to_json(const struct placement_snapshot *snapshot, size_t group)
{
	const struct placement_group_row *row = &snapshot->groups[group];
	struct json_object *o = jv_object();
	struct placement_comply comply;

	placement_comply_check(snapshot, group, &comply);
	jv_set_string(o, "name", row->name);
	jv_set_string(o, "project", row->project);
	jv_set_string(o, "policy", row->policy == PLACEMENT_COMPACT ? "compact" : "spread");
	jv_set_string(o, "rigor", row->is_strict ? "strict" : "permissive");
	jv_set_bool(o, "complies", comply.complies);
	jv_set_uint(o, "instances", comply.n_instances);
	jv_set_take(o, "members", members_json(snapshot, group, &comply));
	placement_comply_done(&comply);
	return o;
}

static int state_get(struct request *req, struct response *res, struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	scoped(member_list_unrefp) struct member_list *members = NULL;
	struct placement_view pv;

	int r = cluster_guard_check(req->state, err);
	if (r == 0)
		r = db_cache_view(req->state->cache, SHOWN, &view, err);
	if (r < 0)
		return r;

	members = cluster_members(req->state->cluster);
	placement_view_init(&pv, view, members, NULL);
	size_t group = find_group(&pv.snapshot, req->project, request_param(req, "name"));
	if (group == PLACEMENT_NONE)
		r = error_set(err, 404, "Placement group not found");
	else
		response_sync(res, to_json(&pv.snapshot, group));
	placement_view_done(&pv);
	return r;
}

/* clang-format off */
static const struct route routes[] = {
	{ .method = "GET", .path = "/1.0/placement-groups/{name}/state", .handler = state_get, .access = ACCESS_ENTITLED, .entity = "placement_group", .entitlement = "can_view", .extension = "cluster_plans" },
};
/* clang-format on */

const struct route_table placement_state_routes = ROUTE_TABLE(routes);
