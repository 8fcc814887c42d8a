#include "daemon/api/cluster_groups.h"

#include "cluster/member_groups.h"
#include "daemon/api/cluster_guard.h"
#include "daemon/api/recursion.h"
#include "daemon/core/lifecycle.h"
#include "daemon/core/request.h"
#include "daemon/core/response.h"
#include "daemon/core/state.h"
#include "db/member_groups.h"
#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/data/jv.h"

static char *url_of(const char *name)
{
	return lifecycle_url(NULL, (const char *const[]){ "cluster", "groups", name, NULL });
}

static struct json_object *etag_of(const struct db_member_group *row)
{
	struct json_object *o = jv_object();

	jv_set_string(o, "name", row->name);
	jv_set_string(o, "description", row->description);
	jv_set_take(o, "members", jv_of_strv(row->members));
	return o;
}

/* Groups as the API shows them, read in one transaction. */
struct reading {
	struct request *req;
	const char *name; /* NULL: all. */
	struct json_object *list;
	struct json_object *etag; /* Of the last one. */
};

static int add(struct db_tx *tx, struct reading *reading, const struct db_member_group *row,
               struct error **err)
{
	scoped(strv_freep) char **users = NULL;
	scoped_free char *url = url_of(row->name);
	struct json_object *o;

	int r = member_groups_used_by(tx, row->name, &users, err);
	if (r < 0)
		return r;

	o = etag_of(row);
	jv_unref(reading->etag);
	reading->etag = etag_of(row);
	jv_set_take(o, "used_by", jv_of_strv(users));
	if (reading->name)
		jv_add_take(reading->list, o);
	else
		recursion_add(reading->req, reading->list, url, o);

	return 0;
}

static int read_groups(struct db_tx *tx, void *arg, struct error **err)
{
	struct reading *reading = arg;
	scoped(db_member_group_list_done) struct db_member_groups rows = { 0 };

	jv_unref(reading->list);
	reading->list = jv_array();

	int r = db_member_group_list(tx, &rows, err);

	for (size_t i = 0; r == 0 && i < rows.n; i++) {
		if (!reading->name || str_equals(rows.rows[i].name, reading->name))
			r = add(tx, reading, &rows.rows[i], err);
	}

	return r;
}

static int groups_list(struct request *req, struct response *res, struct error **err)
{
	struct reading reading = { .req = req };

	int r = cluster_guard_check(req->state, err);
	if (r == 0)
		r = db_read(req->state->db, read_groups, &reading, err);
	jv_unref(reading.etag);
	if (r < 0) {
		jv_unref(reading.list);
		return r;
	}

	response_sync(res, reading.list);
	return 0;
}

static int group_get(struct request *req, struct response *res, struct error **err)
{
	struct reading reading = { .req = req, .name = request_param(req, "name") };

	int r = cluster_guard_check(req->state, err);
	if (r == 0)
		r = db_read(req->state->db, read_groups, &reading, err);
	if (r == 0 && jv_len(reading.list) == 0)
		r = error_set(err, 404, "ClusterGroup not found");
	if (r == 0)
		response_sync_etag(res, jv_ref(jv_item(reading.list, 0)), reading.etag);

	jv_unref(reading.list);
	jv_unref(reading.etag);
	return r;
}

struct change {
	struct request *req;
	const char *name;
	const char *new_name;
	const char *description; /* NULL: as it is. */
	char **members;          /* The same. */
	bool is_patch;
};

static int create(struct db_tx *tx, void *arg, struct error **err)
{
	const struct change *c = arg;

	return member_groups_create(tx, c->name, c->description, c->members, err);
}

static int update(struct db_tx *tx, void *arg, struct error **err)
{
	const struct change *c = arg;
	scoped(db_member_group_done) struct db_member_group row = { 0 };
	scoped(error_freep) struct error *cause = NULL;

	int r = db_member_group_get(tx, c->name, &row, &cause);
	if (r == -ENOENT)
		return error_set(err, 404, "ClusterGroup not found");
	if (r < 0) {
		*err = TAKE_PTR(cause);
		return r;
	}

	scoped(jv_unrefp) struct json_object *etag = etag_of(&row);

	r = request_check_etag(c->req, etag, err);
	if (r < 0)
		return r;

	return member_groups_update(tx, c->name, c->description, c->members, err);
}

static int rename_group(struct db_tx *tx, void *arg, struct error **err)
{
	const struct change *c = arg;

	return member_groups_rename(tx, c->name, c->new_name, err);
}

static int delete (struct db_tx *tx, void *arg, struct error **err)
{
	const struct change *c = arg;

	return member_groups_delete(tx, c->name, err);
}

/* Reads what the body says into 'c'; a PUT without members means none. */
static int read_body(struct request *req, struct change *c, struct json_object **ret_body,
                     struct error **err)
{
	int r = cluster_guard_check(req->state, err);
	if (r < 0)
		return r;

	r = request_json(req, ret_body, err);
	if (r < 0)
		return r;

	if (!c->is_patch)
		c->description = "";

	r = jv_get_string(*ret_body, "description", &c->description, err);
	if (r < 0)
		return r;

	r = jv_get_strv(*ret_body, "members", &c->members, err);
	if (r < 0)
		return r;

	if (!c->members && !c->is_patch)
		c->members = xcalloc(1, sizeof(char *));
	return 0;
}

static int groups_create(struct request *req, struct response *res, struct error **err)
{
	struct change c = { .req = req, .name = "" };
	struct json_object *body;

	int r = read_body(req, &c, &body, err);
	if (r == 0)
		r = jv_get_string(body, "name", &c.name, err);
	if (r >= 0)
		r = member_groups_check_name(c.name, err);
	if (r == 0)
		r = db_write(req->state->db, create, &c, err);
	strv_free(c.members);
	if (r < 0)
		return r;

	scoped_free char *url = url_of(c.name);

	lifecycle_send_for(req, "cluster-group-created", NULL, url, NULL);
	response_created(res, url);
	return 0;
}

static int change_group(struct request *req, struct response *res, bool is_patch,
                        struct error **err)
{
	struct change c = { .req = req, .name = request_param(req, "name"), .is_patch = is_patch };
	struct json_object *body;

	int r = read_body(req, &c, &body, err);
	if (r == 0)
		r = db_write(req->state->db, update, &c, err);
	strv_free(c.members);
	if (r < 0)
		return r;

	scoped_free char *url = url_of(c.name);

	lifecycle_send_for(req, "cluster-group-updated", NULL, url, NULL);
	response_empty(res);
	return 0;
}

static int group_put(struct request *req, struct response *res, struct error **err)
{
	return change_group(req, res, false, err);
}

static int group_patch(struct request *req, struct response *res, struct error **err)
{
	return change_group(req, res, true, err);
}

static int group_post(struct request *req, struct response *res, struct error **err)
{
	struct change c = { .name = request_param(req, "name"), .new_name = "" };
	struct json_object *body;

	int r = cluster_guard_check(req->state, err);
	if (r < 0)
		return r;

	r = request_json(req, &body, err);
	if (r < 0)
		return r;

	r = jv_get_string(body, "name", &c.new_name, err);
	if (r < 0)
		return r;

	r = member_groups_check_name(c.new_name, err);
	if (r < 0)
		return r;

	r = db_write(req->state->db, rename_group, &c, err);
	if (r < 0)
		return r;

	scoped_free char *url = url_of(c.new_name);
	struct json_object *context = jv_object();

	jv_set_string(context, "old_name", c.name);
	lifecycle_send_for(req, "cluster-group-renamed", NULL, url, context);
	response_created(res, url);
	return 0;
}

static int group_delete(struct request *req, struct response *res, struct error **err)
{
	struct change c = { .name = request_param(req, "name") };

	int r = cluster_guard_check(req->state, err);
	if (r < 0)
		return r;

	r = db_write(req->state->db, delete, &c, err);
	if (r < 0)
		return r;

	scoped_free char *url = url_of(c.name);

	lifecycle_send_for(req, "cluster-group-deleted", NULL, url, NULL);
	response_empty(res);
	return 0;
}

/* clang-format off */
static const struct route routes[] = {
	{ .method = "GET",    .path = "/1.0/cluster/groups",        .handler = groups_list,   .access = ACCESS_TRUSTED, .extension = "clustering_groups" },
	{ .method = "POST",   .path = "/1.0/cluster/groups",        .handler = groups_create, .access = ACCESS_ENTITLED, .entity = "server", .entitlement = "can_edit", .extension = "clustering_groups" },
	{ .method = "GET",    .path = "/1.0/cluster/groups/{name}", .handler = group_get,     .access = ACCESS_TRUSTED, .extension = "clustering_groups" },
	{ .method = "PUT",    .path = "/1.0/cluster/groups/{name}", .handler = group_put,     .access = ACCESS_ENTITLED, .entity = "server", .entitlement = "can_edit", .extension = "clustering_groups" },
	{ .method = "PATCH",  .path = "/1.0/cluster/groups/{name}", .handler = group_patch,   .access = ACCESS_ENTITLED, .entity = "server", .entitlement = "can_edit", .extension = "clustering_groups" },
	{ .method = "POST",   .path = "/1.0/cluster/groups/{name}", .handler = group_post,    .access = ACCESS_ENTITLED, .entity = "server", .entitlement = "can_edit", .extension = "clustering_groups" },
	{ .method = "DELETE", .path = "/1.0/cluster/groups/{name}", .handler = group_delete,  .access = ACCESS_ENTITLED, .entity = "server", .entitlement = "can_edit", .extension = "clustering_groups" },
};
/* clang-format on */

const struct route_table cluster_groups_routes = ROUTE_TABLE(routes);
