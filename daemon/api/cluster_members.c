#include "daemon/api/cluster_members.h"

#include <string.h>

#include "cluster/cluster.h"
#include "cluster/cluster_conf.h"
#include "cluster/join_leader.h"
#include "cluster/leave.h"
#include "cluster/member_groups.h"
#include "cluster/member_state.h"
#include "cluster/rebalance.h"
#include "daemon/api/cluster_guard.h"
#include "daemon/api/recursion.h"
#include "daemon/core/access.h"
#include "daemon/core/lifecycle.h"
#include "daemon/core/request.h"
#include "daemon/core/response.h"
#include "daemon/core/state.h"
#include "daemon/core/token.h"
#include "db/cache.h"
#include "lib/base/alloc.h"
#include "lib/base/date.h"
#include "lib/base/log.h"
#include "lib/base/smap.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/data/jv.h"

/* Roles that people give; all others come and go by themselves. */
static const char *const custom_roles[] = { "control-plane", "ovn-chassis" };
static const char *const automatic_roles[] = { "database-leader", "database", "database-standby",
	                                       "database-voter" };

static bool is_one_of(const char *const *names, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++) {
		if (str_equals(names[i], name))
			return true;
	}

	return false;
}

static char *url_of(const char *name)
{
	return lifecycle_url(NULL, (const char *const[]){ "cluster", "members", name, NULL });
}

/* What this member knows of all members while a request is answered. */
struct picture {
	struct member_list *live;
	char *leader; /* Its address, "" if nobody is known to lead. */
};

static void picture_take(struct state *state, struct picture *ret)
{
	scoped(error_freep) struct error *err = NULL;

	ret->live = cluster_members(state->cluster);
	if (cluster_leader_address(state->cluster, &ret->leader, &err) < 0)
		ret->leader = xstrdup("");
}

static void picture_done(struct picture *p)
{
	member_list_unref(p->live);
	free(p->leader);
}

/* What a member has: its automatic roles and those of its row. Owned by the caller.
 * A voter has the name of LXD 6.7 and the one that clients of earlier releases look for. */
static char **roles_of(const struct db_member *row, const struct member *live, const char *leader)
{
	char **roles = NULL;

	if (live && str_equals(live->address, leader))
		strv_add(&roles, "database-leader");
	else if (live && *roles_name(live->role))
		strv_add(&roles, roles_name(live->role));
	if (live && live->role == ROLE_VOTER && !str_equals(live->address, leader))
		strv_add(&roles, "database");
	strv_add_all(&roles, row->roles);
	return roles;
}

/* Versions decide who waits for an upgrade of the others. */
static bool is_blocked(const struct db_member *row, const struct db_members *rows,
                       const char **ret_message)
{
	for (size_t i = 0; i < rows->n; i++) {
		const struct db_member *other = &rows->rows[i];

		if (other->state == DB_MEMBER_PENDING)
			continue;

		int64_t by = row->schema != other->schema
		                     ? row->schema - other->schema
		                     : row->api_extensions - other->api_extensions;

		if (by != 0) {
			*ret_message = by < 0 ? "Server version is older than other members"
			                      : "Server version is newer than other members";
			return true;
		}
	}

	return false;
}

static void set_status(struct json_object *o, const struct db_member *row,
                       const struct member *live, const struct db_members *rows)
{
	const char *message = "Fully operational";
	char date[DATE_SIZE];

	if (row->state == DB_MEMBER_EVACUATED) {
		jv_set_string(o, "status", "Evacuated");
		jv_set_string(o, "message", "Unavailable due to maintenance");
	} else if (!live || !live->is_online) {
		int64_t seen = live ? live->last_heartbeat * 1000000 : row->heartbeat;
		int64_t ago = (date_now() - seen) / DATE_SECOND;

		jv_set_string(o, "status", "Offline");
		if (seen <= 0)
			jv_set_string(o, "message", "No heartbeat yet");
		else
			jv_set_stringf(o, "message", "No heartbeat for %llds (%s)", (long long)ago,
			               date_format(seen, date));
	} else if (is_blocked(row, rows, &message)) {
		jv_set_string(o, "status", "Blocked");
		jv_set_string(o, "message", message);
	} else {
		jv_set_string(o, "status", "Online");
		jv_set_string(o, "message", message);
	}
}

static struct json_object *to_json(const struct db_member *row, const struct picture *picture,
                                   const struct db_members *rows)
{
	struct json_object *o = jv_object();
	const struct member *live = member_list_by_id(picture->live, row->id);
	scoped(strv_freep) char **roles = roles_of(row, live, picture->leader);

	jv_set_string(o, "server_name", row->name);
	jv_set_stringf(o, "url", "https://%s", row->address);
	jv_set_bool(o, "database", live && live->role != ROLE_SPARE);
	set_status(o, row, live, rows);
	jv_set_string(o, "architecture", row->architecture);
	jv_set_take(o, "roles", jv_of_strv(roles));
	jv_set_string(o, "failure_domain", row->failure_domain);
	jv_set_string(o, "description", row->description);
	jv_set_smap(o, "config", &row->config);
	jv_set_take(o, "groups", jv_of_strv(row->groups));
	return o;
}

/* What can be changed, without roles that come and go by themselves. */
static struct json_object *etag_of(const struct db_member *row)
{
	struct json_object *o = jv_object();

	jv_set_take(o, "roles", jv_of_strv(row->roles));
	jv_set_string(o, "failure_domain", row->failure_domain);
	jv_set_string(o, "description", row->description);
	jv_set_smap(o, "config", &row->config);
	jv_set_take(o, "groups", jv_of_strv(row->groups));
	return o;
}

static int members_list(struct request *req, struct response *res, struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	scoped(picture_done) struct picture picture = { 0 };
	scoped(jv_unrefp) struct json_object *list = jv_array();

	int r = cluster_guard_check(req->state, err);
	if (r < 0)
		return r;

	r = db_cache_view(req->state->cache, DB_MEMBERS, &view, err);
	if (r < 0)
		return r;

	const struct db_members *rows = db_cache_members(view);

	picture_take(req->state, &picture);
	for (size_t i = 0; i < rows->n; i++) {
		const struct db_member *row = &rows->rows[i];

		if (row->state == DB_MEMBER_PENDING)
			continue;

		scoped_free char *url = url_of(row->name);

		recursion_add(req, list, url,
		              recursion_needs_items(req) ? to_json(row, &picture, rows) : NULL);
	}

	response_sync(res, TAKE_PTR(list));
	return 0;
}

/* A join token: an operation to look at, a row to be used up by the leader. */
static int members_create(struct request *req, struct response *res, struct error **err)
{
	struct json_object *body, *operation;
	struct join_token token = { 0 };
	const char *name = "";

	int r = cluster_guard_check(req->state, err);
	if (r < 0)
		return r;

	r = request_json(req, &body, err);
	if (r < 0)
		return r;

	r = jv_get_string(body, "server_name", &name, err);
	if (r < 0)
		return r;

	r = join_leader_make_token(req->state->cluster, name, &token, err);
	if (r < 0)
		return r;

	scoped_free char *url = xasprintf("/1.0/operations/%s", token.uuid);

	r = token_get(req->state, token.uuid, &operation, err);
	join_token_done(&token);
	if (r < 0)
		return r;

	struct json_object *who = access_json(req->requestor);

	if (who)
		jv_set_take(operation, "requestor", who);
	response_async(res, url, operation);
	return 0;
}

static const struct db_member *find(const struct db_view *view, const char *name)
{
	const struct db_member *row = db_cache_member(view, name);

	return row && row->state != DB_MEMBER_PENDING ? row : NULL;
}

static int member_get(struct request *req, struct response *res, struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	scoped(picture_done) struct picture picture = { 0 };

	int r = cluster_guard_check(req->state, err);
	if (r < 0)
		return r;

	r = db_cache_view(req->state->cache, DB_MEMBERS, &view, err);
	if (r < 0)
		return r;

	const struct db_member *row = find(view, request_param(req, "name"));

	if (!row)
		return error_set(err, 404, "Cluster member not found");

	picture_take(req->state, &picture);

	scoped(jv_unrefp) struct json_object *etag = etag_of(row);

	response_sync_etag(res, to_json(row, &picture, db_cache_members(view)), etag);
	return 0;
}

struct update {
	struct request *req;
	struct json_object *body;
	bool is_patch;
	char **current_roles; /* The automatic ones that the member has now. */
};

static int check_roles(const struct update *u, char *const *given, char ***ret_custom,
                       struct error **err)
{
	scoped(strv_freep) char **custom = NULL;
	scoped(strv_freep) char **seen = NULL;

	STRV_FOREACH (role, given) {
		if (strv_contains(seen, role))
			return error_set(err, 400, "Duplicate role \"%s\" provided", role);
		strv_add(&seen, role);

		if (is_one_of(custom_roles, COUNT_OF(custom_roles), role)) {
			strv_add(&custom, role);
			continue;
		}
		if (!is_one_of(automatic_roles, COUNT_OF(automatic_roles), role))
			return error_set(err, 400, "Invalid cluster role \"%s\"", role);
		if (!strv_contains(u->current_roles, role))
			return error_set(
				err, 400,
				"The automatically assigned \"%s\" role cannot be added manually",
				role);
	}

	strv_sort(custom);
	*ret_custom = TAKE_PTR(custom);
	return 0;
}

static int check_config(const struct smap *config, struct error **err)
{
	SMAP_FOREACH (e, config) {
		int r = cluster_conf_check_member(e->key, e->value, err);
		if (r < 0)
			return r;
	}

	return 0;
}

static void drop_empty(struct smap *config)
{
	scoped(smap_done) struct smap kept = { 0 };

	SMAP_FOREACH (e, config) {
		if (*e->value)
			smap_set(&kept, e->key, e->value);
	}
	smap_copy(config, &kept);
}

static void replace_text(char **text, const char *value)
{
	char *copy = xstrdup(value);

	free(*text);
	*text = copy;
}

static int read_change(const struct update *u, struct db_member *row, struct error **err)
{
	const char *description = u->is_patch ? row->description : "";
	const char *domain = row->failure_domain;
	scoped(smap_done) struct smap config = { 0 };
	scoped(strv_freep) char **roles = NULL;
	scoped(strv_freep) char **groups = NULL;
	int has_roles, has_groups;

	if (jv_get_string(u->body, "description", &description, err) < 0 ||
	    jv_get_string(u->body, "failure_domain", &domain, err) < 0 ||
	    jv_get_smap(u->body, "config", &config, err) < 0)
		return (*err)->code;

	has_roles = jv_get_strv(u->body, "roles", &roles, err);
	if (has_roles < 0)
		return has_roles;

	has_groups = jv_get_strv(u->body, "groups", &groups, err);
	if (has_groups < 0)
		return has_groups;

	replace_text(&row->description, description);
	replace_text(&row->failure_domain, *domain ? domain : "default");
	if (!u->is_patch)
		smap_clear(&row->config);
	smap_merge(&row->config, &config);
	drop_empty(&row->config);

	if (has_roles || !u->is_patch) {
		char **custom = NULL;

		int r = check_roles(u, roles, &custom, err);
		if (r < 0)
			return r;

		strv_free(row->roles);
		row->roles = custom;
	}

	if (has_groups || !u->is_patch) {
		if (!groups || !groups[0])
			return error_set(err, 400,
			                 "Cluster members need to belong to at least one group");
		strv_sort(groups);
		strv_free(row->groups);
		row->groups = TAKE_PTR(groups);
	}

	return check_config(&row->config, err);
}

static int update(struct db_tx *tx, void *arg, struct error **err)
{
	const struct update *u = arg;
	scoped(db_member_done) struct db_member row = { 0 };
	scoped(error_freep) struct error *cause = NULL;

	int r = db_member_get(tx, request_param(u->req, "name"), &row, &cause);
	if (r == -ENOENT || (r == 0 && row.state == DB_MEMBER_PENDING))
		return error_set(err, 404, "Cluster member not found");
	if (r < 0) {
		*err = TAKE_PTR(cause);
		return r;
	}

	scoped(jv_unrefp) struct json_object *etag = etag_of(&row);

	r = request_check_etag(u->req, etag, err);
	if (r < 0)
		return r;

	r = read_change(u, &row, err);
	if (r < 0)
		return r;

	r = member_groups_check_of_member(tx, row.groups, err);
	if (r < 0)
		return r;

	return db_member_update(tx, &row, err);
}

static int change_member(struct request *req, struct response *res, bool is_patch,
                         struct error **err)
{
	struct update u = { .req = req, .is_patch = is_patch };
	scoped(picture_done) struct picture picture = { 0 };
	scoped(error_freep) struct error *ignored = NULL;
	const char *name = request_param(req, "name");
	const struct db_member none = { 0 };

	int r = cluster_guard_check(req->state, err);
	if (r < 0)
		return r;

	r = request_json(req, &u.body, err);
	if (r < 0)
		return r;

	picture_take(req->state, &picture);
	u.current_roles = roles_of(&none, member_list_by_name(picture.live, name), picture.leader);
	r = db_write(req->state->db, update, &u, err);
	strv_free(u.current_roles);
	if (r < 0)
		return r;

	/* A failure domain or a role may change who is a voter. */
	if (cluster_members_refresh(req->state->cluster, &ignored) < 0)
		log_warn("Failed reading the members: %s", ignored->msg);
	rebalance_request(req->state->cluster);

	scoped_free char *url = url_of(name);

	lifecycle_send_for(req, "cluster-member-updated", NULL, url, NULL);
	response_empty(res);
	return 0;
}

static int member_put(struct request *req, struct response *res, struct error **err)
{
	return change_member(req, res, false, err);
}

static int member_patch(struct request *req, struct response *res, struct error **err)
{
	return change_member(req, res, true, err);
}

static int member_post(struct request *req, struct response *res, struct error **err)
{
	struct json_object *body;
	const char *new_name = "";

	int r = cluster_guard_check(req->state, err);
	if (r < 0)
		return r;

	r = request_json(req, &body, err);
	if (r < 0)
		return r;

	r = jv_get_string(body, "server_name", &new_name, err);
	if (r < 0)
		return r;

	r = leave_rename(req->state->cluster, request_param(req, "name"), new_name, err);
	if (r < 0)
		return r;

	response_empty(res);
	return 0;
}

static int member_delete(struct request *req, struct response *res, struct error **err)
{
	bool is_forced;

	int r = cluster_guard_check(req->state, err);
	if (r < 0)
		return r;

	r = request_query_bool(req, "force", &is_forced, err);
	if (r < 0)
		return r;

	r = leave_remove(req->state->cluster, request_param(req, "name"), is_forced, err);
	if (r < 0)
		return r;

	response_empty(res);
	return 0;
}

/* The member itself knows its load and memory. */
static int owner(struct request *req, char **ret_member, struct error **err)
{
	scoped(member_list_unrefp) struct member_list *live = NULL;

	int r = cluster_guard_check(req->state, err);
	if (r < 0)
		return r;

	live = cluster_members(req->state->cluster);
	if (!member_list_by_name(live, request_param(req, "name")))
		return error_set(err, 404, "Cluster member not found");

	*ret_member = xstrdup(request_param(req, "name"));
	return 0;
}

static int member_state_get(struct request *req, struct response *res, struct error **err)
{
	struct json_object *state;

	int r = member_state_json(req->state->cluster, &state, err);
	if (r < 0)
		return r;

	response_sync(res, state);
	return 0;
}

/* clang-format off */
static const struct route routes[] = {
	{ .method = "GET",    .path = "/1.0/cluster/members",              .handler = members_list,     .access = ACCESS_TRUSTED, .extension = "clustering" },
	{ .method = "POST",   .path = "/1.0/cluster/members",              .handler = members_create,   .access = ACCESS_ENTITLED, .entity = "server", .entitlement = "can_edit", .extension = "clustering_join_token" },
	{ .method = "GET",    .path = "/1.0/cluster/members/{name}",       .handler = member_get,       .access = ACCESS_TRUSTED, .extension = "clustering" },
	{ .method = "PUT",    .path = "/1.0/cluster/members/{name}",       .handler = member_put,       .access = ACCESS_ENTITLED, .entity = "server", .entitlement = "can_edit", .extension = "clustering_edit_roles" },
	{ .method = "PATCH",  .path = "/1.0/cluster/members/{name}",       .handler = member_patch,     .access = ACCESS_ENTITLED, .entity = "server", .entitlement = "can_edit", .extension = "clustering_edit_roles" },
	{ .method = "POST",   .path = "/1.0/cluster/members/{name}",       .handler = member_post,      .access = ACCESS_ENTITLED, .entity = "server", .entitlement = "can_edit", .extension = "clustering" },
	{ .method = "DELETE", .path = "/1.0/cluster/members/{name}",       .handler = member_delete,    .access = ACCESS_ENTITLED, .entity = "server", .entitlement = "can_edit", .extension = "clustering" },
	{ .method = "GET",    .path = "/1.0/cluster/members/{name}/state", .handler = member_state_get, .access = ACCESS_TRUSTED, .placement = ON_OWNER, .owner = owner, .extension = "cluster_member_state" },
};
/* clang-format on */

const struct route_table cluster_members_routes = ROUTE_TABLE(routes);
