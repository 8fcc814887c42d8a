#include "daemon/api/storage_volumes_create.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/api/internal_storage.h"
#include "daemon/api/storage_volumes.h"
#include "daemon/core/operation.h"
#include "daemon/core/request.h"
#include "daemon/core/response.h"
#include "daemon/core/state.h"
#include "daemon/project/project.h"
#include "daemon/storage/storage_usage.h"
#include "lib/base/alloc.h"
#include "lib/base/smap.h"
#include "lib/base/str.h"
#include "lib/data/jv.h"

/* Uploads are unpacked after the answer went out, so this owns all it needs. */
struct creating {
	struct state *state;
	struct storage_volume_new vol;
	struct smap config;
	char *project, *pool, *name, *description;
	char *source_project, *source_pool, *source_name, *source_member;
	int fd; /* Of an upload, or -1. */
	bool is_iso;
};

static void creating_free(void *arg)
{
	struct creating *c = arg;

	smap_done(&c->config);
	free(c->project);
	free(c->pool);
	free(c->name);
	free(c->description);
	free(c->source_project);
	free(c->source_pool);
	free(c->source_name);
	free(c->source_member);
	if (c->fd >= 0)
		close(c->fd);
	free(c);
}

static int run_create(struct operation *op, void *arg, struct error **err)
{
	const struct creating *c = arg;

	if (c->fd < 0)
		return storage_volume_create(c->state, op, &c->vol, err);
	return c->is_iso ? storage_volume_import_iso(c->state, op, &c->vol.id, c->fd, err)
	                 : storage_volume_import_tar(c->state, op, &c->vol.id, c->fd, err);
}

/*
 * An offer of a member of this cluster is claimed and becomes a copy: what the client brings is the
 * operation's URL and its secret, and may do no more than that.
 */
static int claim_offer(struct request *req, struct json_object *source, struct creating *c,
                       struct error **err)
{
	scoped(storage_send_claim_done) struct storage_send_claim claim = { 0 };
	const char *operation = "", *mode = "";
	struct json_object *secrets = NULL;

	if (jv_get_string(source, "mode", &mode, err) < 0 ||
	    jv_need_string(source, "operation", &operation, err) < 0 ||
	    jv_need_object(source, "secrets", &secrets, err) < 0)
		return (*err)->code;
	if (*mode && strcmp(mode, "pull") != 0)
		return error_set(err, 501, "Volumes can only be pulled from other members");

	const char *id = strrchr(operation, '/');
	int r = internal_storage_claim(req->state, id ? id + 1 : operation,
	                               str_or_empty(jv_text(secrets, "fs")), &c->source_member,
	                               &claim, err);
	if (r < 0)
		return r;
	c->vol.volume_only |= claim.is_alone;
	c->source_project = TAKE_PTR(claim.project);
	c->source_pool = TAKE_PTR(claim.pool);
	c->source_name = TAKE_PTR(claim.name);
	return 0;
}

/* Another project as source must be one that the client may look into. */
static int find_source(struct request *req, struct json_object *source, struct creating *c,
                       struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	const char *name = "", *pool = "", *project = "", *location = "", *effective = "";

	if (jv_get_string(source, "name", &name, err) < 0 ||
	    jv_get_string(source, "pool", &pool, err) < 0 ||
	    jv_get_string(source, "project", &project, err) < 0 ||
	    jv_get_string(source, "location", &location, err) < 0)
		return (*err)->code;
	if (*name == '\0')
		return error_set(err, 400, "No source volume name supplied");

	const char *wanted = *project ? project : req->project;
	int r = request_authorize(req, "storage_volume", "can_view", wanted, err);
	if (r == 0)
		r = db_cache_view(req->state->cache, DB_PROJECTS, &view, err);
	if (r == 0)
		r = project_effective(view, wanted, PROJECT_VOLUMES, &effective, err);
	if (r < 0)
		return r;
	c->source_project = xstrdup(effective);
	c->source_pool = xstrdup(*pool ? pool : c->pool);
	c->source_name = xstrdup(name);
	c->source_member = *location ? xstrdup(location) : NULL;
	return 0;
}

static int parse_source(struct request *req, struct json_object *source, struct creating *c,
                        struct error **err)
{
	const char *type = "", *name = "";

	if (jv_get_string(source, "type", &type, err) < 0 ||
	    jv_get_string(source, "name", &name, err) < 0 ||
	    jv_get_bool(source, "volume_only", &c->vol.volume_only, err) < 0 ||
	    jv_get_bool(source, "refresh", &c->vol.refresh, err) < 0)
		return (*err)->code;
	if (*type == '\0' && *name == '\0')
		return 0;
	if (strcmp(type, "migration") != 0 && strcmp(type, "copy") != 0)
		return error_set(err, 400, "Unknown source type \"%s\"", type);

	int r = strcmp(type, "copy") == 0 ? find_source(req, source, c, err)
	                                  : claim_offer(req, source, c, err);
	if (r < 0)
		return r;
	c->vol.source =
		(struct storage_volume_id){ c->source_project, c->source_pool, c->source_name };
	c->vol.source_member = c->source_member;
	return 0;
}

static int parse_type(const char *type, struct error **err)
{
	if (str_is_empty(type))
		return error_set(err, 400, "No storage volume type provided");
	if (strcmp(type, "custom") != 0)
		return error_set(err, 400,
		                 "Currently not allowed to create storage volumes of type \"%s\"",
		                 type);
	return 0;
}

static int parse_body(struct request *req, const char *path_type, struct creating *c,
                      struct error **err)
{
	const char *name = "", *description = NULL, *content = "", *type = path_type;
	struct json_object *body, *source = NULL;

	int r = request_json(req, &body, err);
	if (r < 0)
		return r;
	if (jv_get_string(body, "name", &name, err) < 0 ||
	    jv_get_string(body, "description", &description, err) < 0 ||
	    jv_get_string(body, "content_type", &content, err) < 0 ||
	    (!path_type && jv_get_string(body, "type", &type, err) < 0) ||
	    jv_get_smap(body, "config", &c->config, err) < 0 ||
	    jv_get_object(body, "source", &source, err) < 0)
		return (*err)->code;
	if (parse_type(type, err) < 0)
		return (*err)->code;
	if (*content && !storage_volume_parse_content(content, &c->vol))
		return error_set(err, 400, "Invalid volume content type name");

	c->name = xstrdup(name);
	c->description = description ? xstrdup(description) : NULL;
	return source ? parse_source(req, source, c, err) : 0;
}

static int parse_upload(struct request *req, const char *path_type, struct creating *c,
                        struct error **err)
{
	const char *type = request_header(req, "X-LXD-type");
	uint64_t size;

	if (parse_type(path_type ? path_type : "custom", err) < 0)
		return (*err)->code;
	c->name = xstrdup(str_or_empty(request_header(req, "X-LXD-name")));
	c->is_iso = str_equals(type, "iso");
	if (!c->is_iso && !str_equals(type, "tar"))
		return error_set(err, 501, "Volume backups are not supported yet");
	return request_body_fd_take(req, &c->fd, &size, err);
}

static int parse(struct request *req, const char *path_type, struct creating *c, struct error **err)
{
	int r = storage_volumes_project(req, &c->project, err);
	if (r < 0)
		return r;
	c->fd = -1;
	c->state = req->state;
	c->pool = xstrdup(request_param(req, "pool"));
	r = str_starts(request_header(req, "Content-Type"), "application/octet-stream")
	            ? parse_upload(req, path_type, c, err)
	            : parse_body(req, path_type, c, err);
	if (r < 0)
		return r;
	c->vol.id = (struct storage_volume_id){ c->project, c->pool, c->name };
	c->vol.description = c->description;
	c->vol.config = &c->config;
	return storage_volume_check_new(req->state, &c->vol, err);
}

static char *url_of(const struct storage_volume_id *id)
{
	const struct db_storage_volume row = {
		.pool = (char *)(uintptr_t)id->pool,
		.project = (char *)(uintptr_t)id->project,
		.name = (char *)(uintptr_t)id->name,
		.type = DB_VOLUME_CUSTOM,
	};

	return storage_usage_volume_url(&row);
}

static int create(struct request *req, struct response *res, const char *type, struct error **err)
{
	scoped(operation_unrefp) struct operation *op = NULL;
	struct creating *c = xcalloc(1, sizeof(*c));

	c->fd = -1;
	int r = parse(req, type, c, err);
	if (r < 0) {
		creating_free(c);
		return r;
	}
	scoped_free char *url = url_of(&c->vol.id);
	const struct operation_spec spec = {
		.project = c->project,
		.description =
			c->source_name ? "Copying storage volume" : "Creating storage volume",
		.entity_url = url,
		.run = run_create,
		.free_arg = creating_free,
		.arg = c,
	};
	bool is_quick = c->fd < 0 && !c->source_name;
	r = operation_new_for(req, &spec, &op, err);
	if (r < 0)
		return r;
	/* Clients older than the API's change do not wait for an empty volume. */
	return is_quick ? response_operation_done(res, op, err) : response_operation(res, op, err);
}

static int pool_create(struct request *req, struct response *res, struct error **err)
{
	return create(req, res, NULL, err);
}

static int pool_type_create(struct request *req, struct response *res, struct error **err)
{
	return create(req, res, request_param(req, "type"), err);
}

/* clang-format off */
static const struct route routes[] = {
	{ .method = "POST", .path = "/1.0/storage-pools/{pool}/volumes",        .handler = pool_create,      .access = ACCESS_ENTITLED, .entity = "storage_volume", .entitlement = "can_create_storage_volumes", .placement = ON_TARGET, .extension = "storage", .body = ROUTE_BODY_FILE },
	{ .method = "POST", .path = "/1.0/storage-pools/{pool}/volumes/{type}", .handler = pool_type_create, .access = ACCESS_ENTITLED, .entity = "storage_volume", .entitlement = "can_create_storage_volumes", .placement = ON_TARGET, .extension = "storage", .body = ROUTE_BODY_FILE },
};
/* clang-format on */

const struct route_table storage_volumes_create_routes = ROUTE_TABLE(routes);
