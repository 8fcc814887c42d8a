#include "daemon/api/internal_storage.h"

#include <string.h>

#include "cluster/connect.h"
#include "daemon/core/operation.h"
#include "daemon/core/request.h"
#include "daemon/core/response.h"
#include "daemon/core/state.h"
#include "daemon/image/image.h"
#include "daemon/image/image_export.h"
#include "daemon/storage/storage_pools.h"
#include "daemon/storage/storage_send.h"
#include "db/cache.h"
#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/data/jv.h"

static int pool_post(struct request *req, struct response *res, struct error **err)
{
	const char *name = request_param(req, "name"), *action = "";
	struct json_object *body;

	int r = request_json(req, &body, err);
	if (r == 0)
		r = jv_need_string(body, "action", &action, err);
	if (r < 0)
		return r;

	if (strcmp(action, "create") == 0)
		r = storage_pools_create_here(req->state, NULL, name, err);
	else if (strcmp(action, "delete") == 0)
		r = storage_pools_delete_here(req->state, NULL, name, err);
	else if (strcmp(action, "update") == 0)
		r = storage_pool_update_here(req->state, name, err);
	else
		r = error_set(err, 400, "Invalid action \"%s\"", action);
	if (r < 0)
		return r;
	response_empty(res);
	return 0;
}

/* Names come from another member, but paths are made of them all the same. */
static int check_fingerprint(struct request *req, struct error **err)
{
	if (!image_is_fingerprint(request_param(req, "fingerprint")))
		return error_set(err, 400, "Invalid fingerprint");
	return 0;
}

static int image_get(struct request *req, struct response *res, struct error **err)
{
	const char *part = request_param(req, "part");
	struct image_export files = { .meta_fd = -1, .rootfs_fd = -1 };

	int r = check_fingerprint(req, err);
	if (r == 0)
		r = image_export_open_here(req->state, request_param(req, "fingerprint"), &files,
		                           err);
	if (r < 0)
		return r;

	bool is_rootfs = strcmp(part, "rootfs") == 0;
	if ((!is_rootfs && strcmp(part, "meta") != 0) || (is_rootfs && files.rootfs_fd < 0)) {
		image_export_done(&files);
		return error_set(err, 404, "Not found");
	}
	if (is_rootfs)
		response_file(res, "application/octet-stream", files.rootfs_name,
		              TAKE_FD(files.rootfs_fd), files.rootfs_size);
	else
		response_file(res, "application/octet-stream", files.meta_name,
		              TAKE_FD(files.meta_fd), files.meta_size);
	image_export_done(&files);
	return 0;
}

static int image_remove(struct request *req, struct response *res, struct error **err)
{
	int r = check_fingerprint(req, err);
	if (r == 0)
		r = image_delete_here(req->state, request_param(req, "fingerprint"), err);
	if (r < 0)
		return r;
	response_empty(res);
	return 0;
}

struct sending {
	struct state *state;
	struct storage_send_volume send;
	char *project, *pool, *name, *snapshot;
};

static void send_upgraded(struct stream *stream_take, void *arg)
{
	struct sending *s = arg;

	storage_send_start(s->state, &s->send, stream_take);
	free(s->project);
	free(s->pool);
	free(s->name);
	free(s->snapshot);
	free(s);
}

static bool is_set(const struct request *req, const char *key)
{
	return str_equals(request_query(req, key), "1");
}

static int volume_send(struct request *req, struct response *res, struct error **err)
{
	const char *pool = request_query(req, "pool"), *name = request_query(req, "volume");
	const char *snapshot = request_query(req, "snapshot");

	if (str_is_empty(pool) || str_is_empty(name))
		return error_set(err, 400, "No volume");

	struct sending *s = xcalloc(1, sizeof(*s));
	s->state = req->state;
	s->project = xstrdup(req->project);
	s->pool = xstrdup(pool);
	s->name = xstrdup(name);
	s->snapshot = str_is_empty(snapshot) ? NULL : xstrdup(snapshot);
	s->send = (struct storage_send_volume){
		.id = { s->project, s->pool, s->name },
		.snapshot = s->snapshot,
		.is_alone = is_set(req, "alone"),
		.is_refresh = is_set(req, "refresh"),
	};
	response_upgrade(res, "volume", send_upgraded, s);
	return 0;
}

/* {"operation": ..., "secret": ...}: what an offer of this member is an offer of. */
static int claim_post(struct request *req, struct response *res, struct error **err)
{
	scoped(storage_send_claim_done) struct storage_send_claim claim = { 0 };
	const char *operation = "", *secret = "";
	struct json_object *body;

	int r = request_json(req, &body, err);
	if (r == 0)
		r = jv_need_string(body, "operation", &operation, err);
	if (r == 0)
		r = jv_need_string(body, "secret", &secret, err);
	if (r == 0)
		r = storage_send_claim(req->state, operation, secret, &claim, err);
	if (r < 0)
		return r;

	struct json_object *answer = jv_object();
	jv_set_string(answer, "project", claim.project);
	jv_set_string(answer, "pool", claim.pool);
	jv_set_string(answer, "name", claim.name);
	jv_set_bool(answer, "is_alone", claim.is_alone);
	response_sync(res, answer);
	return 0;
}

static int find_member(struct state *state, const char *operation, char **ret_member,
                       struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	int64_t id = operation_member_id(operation);

	int r = db_cache_view(state->cache, DB_MEMBERS, &view, err);
	if (r < 0)
		return r;
	const struct db_members *rows = db_cache_members(view);
	for (size_t i = 0; i < rows->n; i++) {
		if (rows->rows[i].id == id) {
			*ret_member = xstrdup(rows->rows[i].name);
			return 0;
		}
	}
	return error_set(err, 501, "Volumes of other servers are not supported");
}

static int claim_there(struct state *state, const char *member, const char *operation,
                       const char *secret, struct storage_send_claim *ret_claim, struct error **err)
{
	scoped(jv_unrefp) struct json_object *body = jv_object();
	scoped(jv_unrefp) struct json_object *answer = NULL;
	const struct connect_call call = {
		.method = "POST",
		.path = "/internal/storage-volumes/claim",
		.body = body,
	};

	jv_set_string(body, "operation", operation);
	jv_set_string(body, "secret", secret);
	int r = connect_call_member(state->cluster, member, &call, &answer, err);
	if (r < 0)
		return r;
	*ret_claim = (struct storage_send_claim){
		.project = xstrdup(str_or_empty(jv_text(answer, "project"))),
		.pool = xstrdup(str_or_empty(jv_text(answer, "pool"))),
		.name = xstrdup(str_or_empty(jv_text(answer, "name"))),
		.is_alone = jv_flag(answer, "is_alone"),
	};
	return 0;
}

int internal_storage_claim(struct state *state, const char *operation, const char *secret,
                           char **ret_member, struct storage_send_claim *ret_claim,
                           struct error **err)
{
	scoped_free char *here = state_member_name(state);
	scoped_free char *member = NULL;

	int r = find_member(state, operation, &member, err);
	if (r == 0)
		r = strcmp(member, here) == 0
		            ? storage_send_claim(state, operation, secret, ret_claim, err)
		            : claim_there(state, member, operation, secret, ret_claim, err);
	if (r == 0)
		*ret_member = TAKE_PTR(member);
	return r;
}

/* clang-format off */
static const struct route routes[] = {
	{ .method = "POST",   .path = "/internal/storage-pools/{name}",         .handler = pool_post,    .access = ACCESS_PEER },
	{ .method = "POST",   .path = "/internal/storage-volumes/send",         .handler = volume_send,  .access = ACCESS_PEER },
	{ .method = "POST",   .path = "/internal/storage-volumes/claim",        .handler = claim_post,   .access = ACCESS_PEER },
	{ .method = "DELETE", .path = "/internal/images/{fingerprint}",         .handler = image_remove, .access = ACCESS_PEER },
	{ .method = "GET",    .path = "/internal/images/{fingerprint}/{part}",  .handler = image_get,    .access = ACCESS_PEER, .answers_file = true },
};
/* clang-format on */

const struct route_table internal_storage_routes = ROUTE_TABLE(routes);
