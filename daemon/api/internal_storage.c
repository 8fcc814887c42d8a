#include "daemon/api/internal_storage.h"

#include <string.h>

#include "daemon/core/request.h"
#include "daemon/core/response.h"
#include "daemon/core/state.h"
#include "daemon/image/image.h"
#include "daemon/image/image_export.h"
#include "daemon/storage/storage_pools.h"
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

/* clang-format off */
static const struct route routes[] = {
	{ .method = "POST",   .path = "/internal/storage-pools/{name}",         .handler = pool_post,    .access = ACCESS_PEER },
	{ .method = "DELETE", .path = "/internal/images/{fingerprint}",         .handler = image_remove, .access = ACCESS_PEER },
	{ .method = "GET",    .path = "/internal/images/{fingerprint}/{part}",  .handler = image_get,    .access = ACCESS_PEER, .answers_file = true },
};
/* clang-format on */

const struct route_table internal_storage_routes = ROUTE_TABLE(routes);
