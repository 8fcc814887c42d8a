#include "daemon/api/warnings.h"

#include "daemon/api/recursion.h"
#include "daemon/core/access.h"
#include "daemon/core/lifecycle.h"
#include "daemon/core/request.h"
#include "daemon/core/response.h"
#include "daemon/core/state.h"
#include "db/cache.h"
#include "lib/base/enum.h"
#include "lib/base/str.h"
#include "lib/data/jv.h"

static const char *const severities[] = {
	[DB_WARNING_LOW] = "low",
	[DB_WARNING_MODERATE] = "moderate",
	[DB_WARNING_HIGH] = "high",
};

static const char *const statuses[] = {
	[DB_WARNING_NEW] = "new",
	[DB_WARNING_ACKNOWLEDGED] = "acknowledged",
	[DB_WARNING_RESOLVED] = "resolved",
};

static struct json_object *to_json(const struct db_warning *row)
{
	struct json_object *o = jv_object();

	jv_set_string(o, "uuid", row->uuid);
	jv_set_string(o, "location", row->member);
	jv_set_string(o, "project", row->project);
	jv_set_string(o, "type", row->type);
	jv_set_int(o, "count", row->count);
	jv_set_date(o, "first_seen_at", row->first_seen);
	jv_set_date(o, "last_seen_at", row->last_seen);
	jv_set_string(o, "last_message", row->message);
	jv_set_string(o, "severity", ENUM_NAME(severities, row->severity));
	jv_set_string(o, "status", ENUM_NAME(statuses, row->status));
	jv_set_string(o, "entity_url", row->entity_url);
	return o;
}

static char *url_of(const char *uuid)
{
	return lifecycle_url(NULL, (const char *const[]){ "warnings", uuid, NULL });
}

static int warnings_list(struct request *req, struct response *res, struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	scoped(jv_unrefp) struct json_object *list = jv_array();
	const char *project = request_query(req, "project");

	int r = db_cache_view(req->state->cache, DB_WARNINGS, &view, err);
	if (r < 0)
		return r;

	const struct db_warnings *rows = db_cache_warnings(view);

	for (size_t i = 0; i < rows->n; i++) {
		const struct db_warning *row = &rows->rows[i];

		if (!str_is_empty(project) && *row->project && !str_equals(project, row->project))
			continue;

		scoped_free char *url = url_of(row->uuid);

		recursion_add(req, list, url, recursion_needs_items(req) ? to_json(row) : NULL);
	}

	response_sync(res, TAKE_PTR(list));
	return 0;
}

static int warning_get(struct request *req, struct response *res, struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	const char *uuid = request_param(req, "uuid");

	int r = db_cache_view(req->state->cache, DB_WARNINGS, &view, err);
	if (r < 0)
		return r;

	const struct db_warnings *rows = db_cache_warnings(view);

	for (size_t i = 0; i < rows->n; i++) {
		if (str_equals(rows->rows[i].uuid, uuid)) {
			response_sync(res, to_json(&rows->rows[i]));
			return 0;
		}
	}

	return error_set(err, 404, "Warning not found");
}

struct change {
	const char *uuid;
	enum db_warning_status status;
};

static int load(struct db_tx *tx, const char *uuid, struct error **err)
{
	scoped(db_warning_done) struct db_warning row = { 0 };
	scoped(error_freep) struct error *cause = NULL;

	int r = db_warning_get(tx, uuid, &row, &cause);
	if (r == -ENOENT)
		return error_set(err, 404, "Warning not found");
	if (r < 0)
		*err = TAKE_PTR(cause);

	return r;
}

static int change(struct db_tx *tx, void *arg, struct error **err)
{
	const struct change *c = arg;

	int r = load(tx, c->uuid, err);
	if (r < 0)
		return r;

	return db_warning_set_status(tx, c->uuid, c->status, err);
}

/* A status is all there is to change, so that PUT and PATCH are the same. */
static int warning_put(struct request *req, struct response *res, struct error **err)
{
	struct change c = { .uuid = request_param(req, "uuid") };
	struct json_object *body;
	const char *status = "";

	int r = request_json(req, &body, err);
	if (r < 0)
		return r;

	r = jv_get_string(body, "status", &status, err);
	if (r < 0)
		return r;

	if (str_equals(status, statuses[DB_WARNING_NEW]))
		c.status = DB_WARNING_NEW;
	else if (str_equals(status, statuses[DB_WARNING_ACKNOWLEDGED]))
		c.status = DB_WARNING_ACKNOWLEDGED;
	else
		return error_set(err, 400, "Invalid warning status \"%s\"", status);

	r = db_write(req->state->db, change, &c, err);
	if (r < 0)
		return r;

	scoped_free char *url = url_of(c.uuid);

	lifecycle_send_for(req,
	                   c.status == DB_WARNING_NEW ? "warning-reset" : "warning-acknowledged",
	                   NULL, url, NULL);
	response_empty(res);
	return 0;
}

static int remove_row(struct db_tx *tx, void *arg, struct error **err)
{
	int r = load(tx, arg, err);
	if (r < 0)
		return r;

	return db_warning_delete(tx, arg, err);
}

static int warning_delete(struct request *req, struct response *res, struct error **err)
{
	const char *uuid = request_param(req, "uuid");

	int r = db_write(req->state->db, remove_row, (void *)uuid, err);
	if (r < 0)
		return r;

	scoped_free char *url = url_of(uuid);

	lifecycle_send_for(req, "warning-deleted", NULL, url, NULL);
	response_empty(res);
	return 0;
}

/* clang-format off */
static const struct route routes[] = {
	{ .method = "GET",    .path = "/1.0/warnings",        .handler = warnings_list,  .access = ACCESS_ENTITLED, .entity = "server", .entitlement = "can_view_warnings", .extension = "warnings" },
	{ .method = "GET",    .path = "/1.0/warnings/{uuid}", .handler = warning_get,    .access = ACCESS_ENTITLED, .entity = "server", .entitlement = "can_view_warnings", .extension = "warnings" },
	{ .method = "PUT",    .path = "/1.0/warnings/{uuid}", .handler = warning_put,    .access = ACCESS_ENTITLED, .entity = "server", .entitlement = "can_edit",          .extension = "warnings" },
	{ .method = "PATCH",  .path = "/1.0/warnings/{uuid}", .handler = warning_put,    .access = ACCESS_ENTITLED, .entity = "server", .entitlement = "can_edit",          .extension = "warnings" },
	{ .method = "DELETE", .path = "/1.0/warnings/{uuid}", .handler = warning_delete, .access = ACCESS_ENTITLED, .entity = "server", .entitlement = "can_edit",          .extension = "warnings" },
};
/* clang-format on */

const struct route_table warnings_routes = ROUTE_TABLE(routes);
