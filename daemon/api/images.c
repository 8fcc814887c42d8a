#include "daemon/api/images.h"

#include <string.h>

#include "daemon/api/recursion.h"
#include "daemon/core/access.h"
#include "daemon/core/lifecycle.h"
#include "daemon/core/request.h"
#include "daemon/core/response.h"
#include "daemon/core/state.h"
#include "daemon/core/token.h"
#include "daemon/image/image.h"
#include "daemon/image/image_export.h"
#include "daemon/project/project.h"
#include "db/cache.h"
#include "db/tokens.h"
#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/data/jv.h"

int images_project(struct request *req, char **ret_project, struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	const char *project;

	int r = db_cache_view(req->state->cache, DB_PROJECTS, &view, err);
	if (r == 0)
		r = project_effective(view, req->project, PROJECT_IMAGES, &project, err);
	if (r == 0)
		*ret_project = xstrdup(project);
	return r;
}

int images_project_to_change(struct request *req, char **ret_project, struct error **err)
{
	int r = images_project(req, ret_project, err);

	return r < 0 ? r : request_authorize(req, "image", "can_edit", *ret_project, err);
}

bool images_is_public_only(const struct request *req)
{
	return !access_is_trusted(req->requestor) ||
	       !access_may_enter(req->requestor, req->project) || request_query(req, "public");
}

int images_check_lists(const struct request *req, struct error **err)
{
	if (access_is_trusted(req->requestor) || strcmp(req->project, "default") == 0)
		return 0;

	return error_set(err, 404, "Project \"%s\" not found", req->project);
}

int images_download(struct request *req, operation_run *run, operation_free_arg *free_arg,
                    void *arg_take, struct operation **ret_op, struct error **err)
{
	scoped_free char *url =
		lifecycle_url(NULL, (const char *const[]){ "projects", req->project, NULL });
	const struct operation_spec spec = {
		.description = "Downloading image",
		.entity_url = url,
		.run = run,
		.free_arg = free_arg,
		.arg = arg_take,
	};

	return operation_new_for(req, &spec, ret_op, err);
}

static bool is_shown(const struct request *req, const struct db_image *row, const char *project)
{
	if (!row->public && images_is_public_only(req))
		return false;
	if (req->all_projects)
		return access_is_trusted(req->requestor) &&
		       access_may_enter(req->requestor, row->project);
	return strcmp(row->project, project) == 0;
}

static int images_list(struct request *req, struct response *res, struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	scoped(jv_unrefp) struct json_object *list = jv_array();
	scoped_free char *project = NULL;
	bool needs_items = recursion_needs_items(req);

	int r = images_check_lists(req, err);
	if (r == 0)
		r = images_project(req, &project, err);
	if (r == 0)
		r = db_cache_view(req->state->cache, DB_IMAGES, &view, err);
	if (r < 0)
		return r;

	assert(project);
	const struct db_images *images = db_cache_images(view);
	for (size_t i = 0; i < images->n; i++) {
		if (!is_shown(req, &images->rows[i], project))
			continue;
		/* Lists name images without their project, as LXD does. */
		scoped_free char *url = image_url(NULL, images->rows[i].fingerprint);

		recursion_add(req, list, url, needs_items ? image_json(&images->rows[i]) : NULL);
	}
	response_sync(res, TAKE_PTR(list));
	return 0;
}

/* The fingerprint that the path means: whole, or long enough a beginning. */
static int find(struct request *req, char **ret_project, char **ret_fingerprint, struct error **err)
{
	int r = images_project(req, ret_project, err);
	if (r < 0)
		return r;
	r = image_resolve(req->state, *ret_project, request_param(req, "fingerprint"), false, NULL,
	                  ret_fingerprint, err);
	return r;
}

/* Whoever brings the secret of a token may look at that one image, and download it once. */
static bool has_secret(struct request *req, const char *fingerprint)
{
	scoped(error_freep) struct error *ignored = NULL;
	const char *secret = request_query(req, "secret");

	return secret &&
	       token_look(req->state, DB_TOKEN_IMAGE, secret, fingerprint, NULL, &ignored) == 0;
}

static bool uses_secret(struct request *req, const char *fingerprint)
{
	scoped(error_freep) struct error *ignored = NULL;
	const char *secret = request_query(req, "secret");

	return secret &&
	       token_use(req->state, DB_TOKEN_IMAGE, secret, fingerprint, NULL, &ignored) == 0;
}

static int not_found(int r, struct error **err)
{
	if (r < 0 && (*err)->status == 404) {
		error_free(*err);
		*err = NULL;
		return error_set(err, 404, "Not Found");
	}
	return r;
}

static int image_get(struct request *req, struct response *res, struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	scoped_free char *project = NULL;
	scoped_free char *fingerprint = NULL;

	int r = find(req, &project, &fingerprint, err);
	if (r == 0)
		r = db_cache_view(req->state->cache, DB_IMAGES, &view, err);
	if (r < 0)
		return not_found(r, err);
	const struct db_image *row = db_cache_image(view, project, fingerprint);
	if (!row || (!row->public && images_is_public_only(req) && !has_secret(req, fingerprint)))
		return error_set(err, 404, "Not Found");

	scoped(jv_unrefp) struct json_object *etag = image_etag(row);
	response_sync_etag(res, image_json(row), etag);
	return 0;
}

static int update(struct request *req, struct response *res, bool is_patch, struct error **err)
{
	scoped_free char *project = NULL;
	scoped_free char *fingerprint = NULL;
	struct json_object *body;

	int r = request_json(req, &body, err);
	if (r == 0)
		r = find(req, &project, &fingerprint, err);
	if (r == 0)
		r = request_authorize(req, "image", "can_edit", project, err);
	if (r == 0)
		r = image_update(req, project, fingerprint, body, is_patch, err);
	if (r < 0)
		return r;
	response_empty(res);
	return 0;
}

static int image_put(struct request *req, struct response *res, struct error **err)
{
	return update(req, res, false, err);
}

static int image_patch(struct request *req, struct response *res, struct error **err)
{
	return update(req, res, true, err);
}

struct deletion {
	struct state *state;
	char *project, *fingerprint;
};

static void deletion_free(void *arg)
{
	struct deletion *d = arg;

	free(d->project);
	free(d->fingerprint);
	free(d);
}

static int run_delete(struct operation *op, void *arg, struct error **err)
{
	const struct deletion *d = arg;

	return image_delete(d->state, op, d->project, d->fingerprint, err);
}

static int image_remove(struct request *req, struct response *res, struct error **err)
{
	scoped(operation_unrefp) struct operation *op = NULL;
	struct deletion *d = xcalloc(1, sizeof(*d));

	d->state = req->state;
	int r = find(req, &d->project, &d->fingerprint, err);
	if (r == 0)
		r = request_authorize(req, "image", "can_delete", d->project, err);
	if (r < 0) {
		deletion_free(d);
		return r;
	}
	scoped_free char *url = image_url(d->project, d->fingerprint);
	const struct operation_spec spec = {
		.description = "Deleting image",
		.entity_url = url,
		.run = run_delete,
		.free_arg = deletion_free,
		.arg = d,
	};
	r = operation_new_for(req, &spec, &op, err);
	return r < 0 ? r : response_operation(res, op, err);
}

/* One file after the other, with what multipart/form-data puts around them. */
static int send_split(struct request *req, struct response *res, struct image_export *files,
                      struct error **err)
{
	scoped_free char *type = NULL;
	uint64_t size;
	int body;

	int r = image_export_multipart(req->state, files, &body, &size, &type, err);
	if (r == 0)
		response_file(res, type, NULL, body, size);
	return r;
}

static int export_get(struct request *req, struct response *res, struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	scoped(image_export_done) struct image_export files = { .meta_fd = -1, .rootfs_fd = -1 };
	scoped_free char *project = NULL;
	scoped_free char *fingerprint = NULL;

	int r = find(req, &project, &fingerprint, err);
	if (r == 0)
		r = db_cache_view(req->state->cache, DB_IMAGES, &view, err);
	if (r < 0)
		return not_found(r, err);
	const struct db_image *row = db_cache_image(view, project, fingerprint);
	if (!row || (!row->public && images_is_public_only(req) && !uses_secret(req, fingerprint)))
		return error_set(err, 404, "Not Found");
	db_cache_view_unref(TAKE_PTR(view));

	r = image_export_open(req->state, project, fingerprint, &files, err);
	if (r < 0)
		return r;
	if (files.rootfs_fd >= 0)
		return send_split(req, res, &files, err);
	response_file(res, "application/octet-stream", files.meta_name, TAKE_FD(files.meta_fd),
	              files.meta_size);
	return 0;
}

static int secret_post(struct request *req, struct response *res, struct error **err)
{
	scoped_free char *project = NULL;
	scoped_free char *fingerprint = NULL;
	scoped_free char *url = NULL;
	struct json_object *operation = NULL;

	int r = find(req, &project, &fingerprint, err);
	if (r < 0)
		return r;
	scoped(jv_unrefp) struct json_object *metadata = jv_object();
	scoped_free char *entity = image_url(project, fingerprint);
	jv_set_string(metadata, "entity_url", entity);
	jv_set_string(metadata, "fingerprint", fingerprint);
	const struct token_spec spec = {
		.kind = DB_TOKEN_IMAGE,
		.name = fingerprint,
		.project = project,
		.description = "Image download token",
		.expiry = "1H",
		.metadata = metadata,
	};
	r = token_create(req, &spec, &url, &operation, err);
	if (r < 0)
		return r;
	response_async(res, url, operation);
	return 0;
}

/* Only images that came from elsewhere could be fetched again; the operation says there is nothing.
 */
static int run_refresh(struct operation *op, void *arg, struct error **err)
{
	operation_set_metadata_key(op, "refreshed", json_object_new_boolean(false));
	return 0;
}

static int refresh_post(struct request *req, struct response *res, struct error **err)
{
	scoped(operation_unrefp) struct operation *op = NULL;
	scoped_free char *project = NULL;
	scoped_free char *fingerprint = NULL;

	int r = find(req, &project, &fingerprint, err);
	if (r < 0)
		return r;
	scoped_free char *url = image_url(project, fingerprint);
	const struct operation_spec spec = {
		.description = "Refreshing image",
		.entity_url = url,
		.run = run_refresh,
	};
	r = operation_new_for(req, &spec, &op, err);
	return r < 0 ? r : response_operation(res, op, err);
}

/* clang-format off */
static const struct route routes[] = {
	{ .method = "GET",    .path = "/1.0/images",                       .handler = images_list,  .access = ACCESS_ANYONE,   .entity = "image" },
	{ .method = "GET",    .path = "/1.0/images/{fingerprint}",         .handler = image_get,    .access = ACCESS_ANYONE,   .entity = "image" },
	{ .method = "PUT",    .path = "/1.0/images/{fingerprint}",         .handler = image_put,    .access = ACCESS_ENTITLED, .entity = "image", .entitlement = "can_edit" },
	{ .method = "PATCH",  .path = "/1.0/images/{fingerprint}",         .handler = image_patch,  .access = ACCESS_ENTITLED, .entity = "image", .entitlement = "can_edit", .extension = "patch" },
	{ .method = "DELETE", .path = "/1.0/images/{fingerprint}",         .handler = image_remove, .access = ACCESS_ENTITLED, .entity = "image", .entitlement = "can_delete" },
	{ .method = "GET",    .path = "/1.0/images/{fingerprint}/export",  .handler = export_get,   .access = ACCESS_ANYONE,   .entity = "image", .answers_file = true },
	{ .method = "POST",   .path = "/1.0/images/{fingerprint}/secret",  .handler = secret_post,  .access = ACCESS_ENTITLED, .entity = "image", .entitlement = "can_edit" },
	{ .method = "POST",   .path = "/1.0/images/{fingerprint}/refresh", .handler = refresh_post, .access = ACCESS_ENTITLED, .entity = "image", .entitlement = "can_edit", .extension = "image_force_refresh" },
};
/* clang-format on */

const struct route_table images_routes = ROUTE_TABLE(routes);
