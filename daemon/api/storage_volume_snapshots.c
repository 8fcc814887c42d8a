#include "daemon/api/storage_volume_snapshots.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/api/recursion.h"
#include "daemon/api/storage_volumes.h"
#include "daemon/core/lifecycle.h"
#include "daemon/core/operation.h"
#include "daemon/core/request.h"
#include "daemon/core/response.h"
#include "daemon/core/state.h"
#include "daemon/project/project_limits.h"
#include "daemon/storage/storage_volume_snapshot.h"
#include "db/cache.h"
#include "db/storage_volumes.h"
#include "lib/base/alloc.h"
#include "lib/base/date.h"
#include "lib/base/str.h"
#include "lib/data/jv.h"

static char *url_of(const struct storage_volume_id *id, const char *project, const char *snapshot)
{
	return lifecycle_url(project,
	                     (const char *const[]){ "storage-pools", id->pool, "volumes", "custom",
	                                            id->name, "snapshots", snapshot, NULL });
}

/* The volume's row with its snapshots, read in one transaction. */
struct reading {
	const struct storage_volume_id *id;
	const char *member;
	struct db_storage_volume vol;
	struct db_storage_snapshots rows;
};

static void reading_done(struct reading *r)
{
	db_storage_volume_done(&r->vol);
	db_storage_volume_snapshot_list_done(&r->rows);
}

static int read_rows(struct db_tx *tx, void *arg, struct error **err)
{
	struct reading *r = arg;

	reading_done(r);
	r->vol = (struct db_storage_volume){ 0 };
	int result =
		db_storage_volume_get(tx,
	                              &(struct db_storage_volume_filter){ .pool = r->id->pool,
	                                                                  .project = r->id->project,
	                                                                  .type = DB_VOLUME_CUSTOM,
	                                                                  .name = r->id->name,
	                                                                  .member = r->member },
	                              &r->vol, err);
	return result < 0 ? result : db_storage_volume_snapshot_list(tx, r->vol.id, &r->rows, err);
}

static int read_all(struct request *req, const struct storage_volume_id *id, struct reading *r,
                    struct error **err)
{
	r->id = id;
	r->member = req->target;
	return db_read(req->state->db, read_rows, r, err);
}

/* Lists say "volume/snapshot" and no content type, single ones the name alone. */
static struct json_object *snapshot_json(const struct db_storage_snapshot *row, const char *volume,
                                         int64_t content)
{
	struct json_object *o = jv_object();

	if (volume)
		jv_set_stringf(o, "name", "%s/%s", volume, row->name);
	else
		jv_set_string(o, "name", row->name);
	jv_set_string(o, "description", row->description);
	jv_set_string(o, "content_type",
	              volume ? "" : storage_volume_content_name((enum storage_content)content));
	jv_set_date(o, "created_at", row->created);
	jv_set_date(o, "expires_at", row->expires);
	jv_set_smap(o, "config", &row->config);
	return o;
}

static int snapshots_list(struct request *req, struct response *res, struct error **err)
{
	scoped(jv_unrefp) struct json_object *array = jv_array();
	scoped(reading_done) struct reading rows = { 0 };
	scoped_free char *project = NULL;
	struct storage_volume_id id;

	int r = storage_volumes_id(req, &project, &id, err);
	if (r == 0)
		r = read_all(req, &id, &rows, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < rows.rows.n; i++) {
		const struct db_storage_snapshot *row = &rows.rows.rows[i];
		scoped_free char *url = url_of(&id, NULL, row->name);

		recursion_add(req, array, url,
		              recursion_needs_items(req) ? snapshot_json(row, id.name, 0) : NULL);
	}
	response_sync(res, TAKE_PTR(array));
	return 0;
}

static int snapshot_get(struct request *req, struct response *res, struct error **err)
{
	const char *name = request_param(req, "snapshot");
	scoped(reading_done) struct reading rows = { 0 };
	scoped_free char *project = NULL;
	struct storage_volume_id id;

	int r = storage_volumes_id(req, &project, &id, err);
	if (r == 0)
		r = read_all(req, &id, &rows, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < rows.rows.n; i++) {
		const struct db_storage_snapshot *row = &rows.rows.rows[i];

		if (strcmp(row->name, name) != 0)
			continue;
		scoped(jv_unrefp) struct json_object *etag = storage_volume_snapshot_etag(row);
		response_sync_etag(res, snapshot_json(row, NULL, rows.vol.content), etag);
		return 0;
	}
	return error_set(err, 404, "Storage volume snapshot not found");
}

/* All of these are done before the answer goes out, so they borrow from the request. */
struct changing {
	struct request *req;
	struct storage_volume_id id;
	char *project, *name;
	struct storage_volume_snapshot_new snap;
	const char *new_name, *description;
	int64_t expires;
	bool has_expiry;
};

static void changing_done(struct changing *c)
{
	free(c->project);
	free(c->name);
}

static int answer(struct changing *c, struct response *res, const char *snapshot,
                  const char *description, operation_run *run, struct error **err)
{
	scoped(operation_unrefp) struct operation *op = NULL;
	scoped_free char *url = url_of(&c->id, c->id.project, snapshot);
	const struct operation_spec spec = {
		.project = c->id.project,
		.description = description,
		.entity_url = url,
		.run = run,
		.arg = c,
	};

	int r = operation_new_for(c->req, &spec, &op, err);
	return r < 0 ? r : response_operation_done(res, op, err);
}

static int run_create(struct operation *op, void *arg, struct error **err)
{
	const struct changing *c = arg;

	return storage_volume_snapshot_create(c->req->state, op, &c->id, &c->snap, err);
}

/* 1 if there is one; null, and the zero time, mean never. */
static int get_expiry(struct json_object *body, int64_t *ret_expires, struct error **err)
{
	*ret_expires = DATE_NONE;
	return jv_get_date(body, "expires_at", ret_expires, err);
}

static int check_allowed(struct request *req, const char *project, struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;

	int r = db_cache_view(req->state->cache, DB_PROJECTS, &view, err);
	if (r < 0)
		return r;
	const struct db_project *row = db_cache_project(view, project);

	return row ? project_limits_check_snapshots(row, err) : 0;
}

static int snapshots_create(struct request *req, struct response *res, struct error **err)
{
	scoped(changing_done) struct changing c = { .req = req };
	struct json_object *body;
	const char *name = "";

	int r = request_json(req, &body, err);
	if (r == 0)
		r = storage_volumes_id(req, &c.project, &c.id, err);
	if (r == 0)
		r = check_allowed(req, c.id.project, err);
	if (r < 0)
		return r;
	if (jv_get_string(body, "name", &name, err) < 0 ||
	    jv_get_string(body, "description", &c.snap.description, err) < 0)
		return (*err)->code;
	r = get_expiry(body, &c.snap.expires, err);
	if (r < 0)
		return r;
	c.snap.has_expiry = r > 0;

	if (*name)
		c.name = xstrdup(name);
	r = *name ? 0 : storage_volume_snapshot_name(req->state, &c.id, &c.name, err);
	if (r == 0)
		r = storage_volume_snapshot_check(req->state, &c.id, c.name, err);
	if (r < 0)
		return r;
	c.snap.name = c.name;
	return answer(&c, res, c.name, "Creating storage volume snapshot", run_create, err);
}

static int run_update(struct operation *op, void *arg, struct error **err)
{
	const struct changing *c = arg;

	const struct storage_volume_snapshot_change change = {
		.description = c->description,
		.expires = c->has_expiry ? &c->expires : NULL,
		.req = c->req,
	};

	return storage_volume_snapshot_update(c->req->state, op, &c->id,
	                                      request_param(c->req, "snapshot"), &change, err);
}

static int update(struct request *req, struct response *res, bool is_patch, struct error **err)
{
	scoped(changing_done) struct changing c = { .req = req };
	struct json_object *body;

	int r = request_json(req, &body, err);
	if (r == 0)
		r = storage_volumes_id(req, &c.project, &c.id, err);
	if (r == 0)
		r = jv_get_string(body, "description", &c.description, err);
	if (r < 0)
		return r;
	r = get_expiry(body, &c.expires, err);
	if (r < 0)
		return r;
	c.has_expiry = r > 0 || !is_patch;
	if (!is_patch && !c.description)
		c.description = "";
	return answer(&c, res, request_param(req, "snapshot"), "Updating storage volume snapshot",
	              run_update, err);
}

static int snapshot_put(struct request *req, struct response *res, struct error **err)
{
	return update(req, res, false, err);
}

static int snapshot_patch(struct request *req, struct response *res, struct error **err)
{
	return update(req, res, true, err);
}

static int run_rename(struct operation *op, void *arg, struct error **err)
{
	const struct changing *c = arg;
	scoped_free char *old = url_of(&c->id, c->id.project, request_param(c->req, "snapshot"));

	operation_set_metadata_key(op, "original_entity_url", jv_of_string(old));
	return storage_volume_snapshot_rename(c->req->state, op, &c->id,
	                                      request_param(c->req, "snapshot"), c->new_name, err);
}

static int snapshot_post(struct request *req, struct response *res, struct error **err)
{
	scoped(changing_done) struct changing c = { .req = req, .new_name = "" };
	struct json_object *body;

	int r = request_json(req, &body, err);
	if (r == 0)
		r = storage_volumes_id(req, &c.project, &c.id, err);
	if (r == 0)
		r = jv_get_string(body, "name", &c.new_name, err);
	if (r < 0)
		return r;
	if (*c.new_name == '\0')
		return error_set(err, 400, "No name provided");
	return answer(&c, res, c.new_name, "Renaming storage volume snapshot", run_rename, err);
}

static int run_delete(struct operation *op, void *arg, struct error **err)
{
	const struct changing *c = arg;

	return storage_volume_snapshot_delete(c->req->state, op, &c->id,
	                                      request_param(c->req, "snapshot"), err);
}

static int snapshot_remove(struct request *req, struct response *res, struct error **err)
{
	scoped(changing_done) struct changing c = { .req = req };

	int r = storage_volumes_id(req, &c.project, &c.id, err);
	return r < 0 ? r
	             : answer(&c, res, request_param(req, "snapshot"),
	                      "Deleting storage volume snapshot", run_delete, err);
}

#define SNAPSHOTS "/1.0/storage-pools/{pool}/volumes/{type}/{name}/snapshots"
#define SNAPSHOT SNAPSHOTS "/{snapshot}"

/* clang-format off */
static const struct route routes[] = {
	{ .method = "GET",    .path = SNAPSHOTS, .handler = snapshots_list,   .access = ACCESS_ENTITLED, .entity = "storage_volume", .entitlement = "can_view", .extension = "storage_api_volume_snapshots" },
	{ .method = "POST",   .path = SNAPSHOTS, .handler = snapshots_create, .access = ACCESS_ENTITLED, .entity = "storage_volume", .entitlement = "can_edit", .placement = ON_OWNER, .owner = storage_volumes_owner, .extension = "storage_api_volume_snapshots" },
	{ .method = "GET",    .path = SNAPSHOT,  .handler = snapshot_get,     .access = ACCESS_ENTITLED, .entity = "storage_volume", .entitlement = "can_view", .extension = "storage_api_volume_snapshots" },
	{ .method = "PUT",    .path = SNAPSHOT,  .handler = snapshot_put,     .access = ACCESS_ENTITLED, .entity = "storage_volume", .entitlement = "can_edit", .placement = ON_OWNER, .owner = storage_volumes_owner, .extension = "storage_api_volume_snapshots" },
	{ .method = "PATCH",  .path = SNAPSHOT,  .handler = snapshot_patch,   .access = ACCESS_ENTITLED, .entity = "storage_volume", .entitlement = "can_edit", .placement = ON_OWNER, .owner = storage_volumes_owner, .extension = "storage_api_volume_snapshots" },
	{ .method = "POST",   .path = SNAPSHOT,  .handler = snapshot_post,    .access = ACCESS_ENTITLED, .entity = "storage_volume", .entitlement = "can_edit", .placement = ON_OWNER, .owner = storage_volumes_owner, .extension = "storage_api_volume_snapshots" },
	{ .method = "DELETE", .path = SNAPSHOT,  .handler = snapshot_remove,  .access = ACCESS_ENTITLED, .entity = "storage_volume", .entitlement = "can_edit", .placement = ON_OWNER, .owner = storage_volumes_owner, .extension = "storage_api_volume_snapshots" },
};
/* clang-format on */

const struct route_table storage_volume_snapshots_routes = ROUTE_TABLE(routes);
