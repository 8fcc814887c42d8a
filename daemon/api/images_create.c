/*
 * The body is a tarball or multipart/form-data with the rest in headers, or JSON that names a
 * source. Which one, the content type says.
 */
#include "daemon/api/images_create.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/api/images.h"
#include "daemon/api/images_publish.h"
#include "daemon/api/images_remote.h"
#include "daemon/core/operation.h"
#include "daemon/core/request.h"
#include "daemon/core/response.h"
#include "daemon/core/state.h"
#include "daemon/image/image.h"
#include "daemon/image/image_import.h"
#include "lib/base/alloc.h"
#include "lib/base/date.h"
#include "lib/base/parse.h"
#include "lib/base/path.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/data/jv.h"
#include "lib/net/url.h"

struct upload {
	struct state *state;
	struct image_import image;
	char *project, *filename, *fingerprint, *content_type;
	struct smap properties;
	char **profiles;
	char **aliases;
	struct image_import_alias *alias_items;
	struct json_object *wish; /* Of who gave the secret out; NULL without one. */
	int fd;
};

static void upload_free(void *arg)
{
	struct upload *u = arg;

	free(u->project);
	free(u->filename);
	free(u->fingerprint);
	free(u->content_type);
	smap_done(&u->properties);
	strv_free(u->profiles);
	strv_free(u->aliases);
	free(u->alias_items);
	jv_unref(u->wish);
	if (u->fd >= 0)
		close(u->fd);
	free(u);
}

static int run_upload(struct operation *op, void *arg, struct error **err)
{
	const struct upload *u = arg;
	scoped_free char *fingerprint = NULL;

	if (str_starts(u->content_type, "multipart/form-data"))
		return image_import_multipart(u->state, op, &u->image, u->fd, u->content_type,
		                              &fingerprint, err);
	return image_import_files(u->state, op, &u->image, u->fd, -1, &fingerprint, err);
}

/* "a=1&b=2" of a header. */
static int parse_pairs(struct request *req, const char *header, struct url_query *ret_query,
                       struct error **err)
{
	if (url_query_parse(request_header(req, header), ret_query) < 0)
		return error_set(err, 400, "Invalid %s header", header);
	return 0;
}

static int parse_lists(struct request *req, struct upload *u, struct error **err)
{
	struct url_query pairs;

	if (parse_pairs(req, "X-LXD-properties", &pairs, err) < 0)
		return (*err)->code;
	for (size_t i = 0; i < pairs.n_pairs; i++)
		smap_set(&u->properties, pairs.pairs[i].key, pairs.pairs[i].value);
	url_query_done(&pairs);

	if (parse_pairs(req, "X-LXD-profiles", &pairs, err) < 0)
		return (*err)->code;
	for (size_t i = 0; i < pairs.n_pairs; i++)
		strv_add(&u->profiles, pairs.pairs[i].value);
	url_query_done(&pairs);

	if (parse_pairs(req, "X-LXD-aliases", &pairs, err) < 0)
		return (*err)->code;
	for (size_t i = 0; i < pairs.n_pairs; i++)
		if (strcmp(pairs.pairs[i].key, "alias") == 0)
			strv_add(&u->aliases, pairs.pairs[i].value);
	url_query_done(&pairs);
	return 0;
}

static int parse_headers(struct request *req, struct upload *u, struct error **err)
{
	const char *filename = request_header(req, "X-LXD-filename");
	const char *public = request_header(req, "X-LXD-public");

	/* It becomes a file name at whoever exports the image. */
	if (!str_is_empty(filename) && (!path_is_name(filename) || strpbrk(filename, "\r\n\"")))
		return error_set(err, 400, "Invalid X-LXD-filename header");
	u->filename = xstrdup(str_or_empty(filename));
	u->fingerprint = xstrdup(str_or_empty(request_header(req, "X-LXD-fingerprint")));
	u->content_type = xstrdup(str_or_empty(request_header(req, "Content-Type")));
	if (!str_is_empty(public) && parse_bool(public, &u->image.is_public) < 0)
		return error_set(err, 400, "Invalid X-LXD-public header");
	if (image_check_public(u->image.is_public, u->project, err) < 0 ||
	    parse_lists(req, u, err) < 0)
		return (*err)->code;

	size_t n = strv_len(u->aliases);
	u->alias_items = xcalloc(n + 1, sizeof(*u->alias_items));
	for (size_t i = 0; i < n; i++)
		u->alias_items[i].name = u->aliases[i];
	u->image.project = u->project;
	u->image.filename = u->filename;
	u->image.fingerprint = u->fingerprint;
	u->image.properties = &u->properties;
	u->image.profiles = (const char *const *)u->profiles;
	u->image.aliases = u->alias_items;
	u->image.n_aliases = n;
	return image_import_check(&u->image, err);
}

/* Whoever brings a secret says what is sent; what becomes of it, whoever gave the secret out. */
static int use_secret(struct request *req, struct upload *u, const char *secret, struct error **err)
{
	struct json_object *aliases = NULL;

	int r = images_remote_use_secret(req, u->project, u->fingerprint, secret, &u->wish, err);
	if (r < 0)
		return r;
	smap_clear(&u->properties);
	strv_free(u->profiles);
	u->profiles = NULL;
	u->image.is_public = false;
	if (jv_get_bool(u->wish, "public", &u->image.is_public, err) < 0 ||
	    jv_get_bool(u->wish, "auto_update", &u->image.auto_update, err) < 0 ||
	    jv_get_smap(u->wish, "properties", &u->properties, err) < 0 ||
	    jv_get_strv(u->wish, "profiles", &u->profiles, err) < 0 ||
	    jv_get_date(u->wish, "expires_at", &u->image.expires, err) < 0 ||
	    jv_get_array(u->wish, "aliases", &aliases, err) < 0)
		return (*err)->code;

	free(u->alias_items);
	u->alias_items = image_import_aliases(aliases, &u->image.n_aliases);
	u->image.profiles = (const char *const *)u->profiles;
	u->image.aliases = u->alias_items;
	return 0;
}

/* The secret that comes with an upload; NULL without one. */
static const char *secret_of(struct request *req)
{
	const char *secret = request_header(req, "X-LXD-secret");

	return str_is_empty(secret) ? NULL : secret;
}

static int upload(struct request *req, struct response *res, struct error **err)
{
	scoped(operation_unrefp) struct operation *op = NULL;
	struct upload *u = xcalloc(1, sizeof(*u));

	const char *secret = secret_of(req);
	uint64_t size;

	u->fd = -1;
	u->state = req->state;
	u->image.expires = DATE_NONE;
	int r = images_project(req, &u->project, err);
	if (r == 0)
		r = parse_headers(req, u, err);
	if (r == 0 && secret)
		r = use_secret(req, u, secret, err);
	if (r == 0)
		r = request_body_fd_take(req, &u->fd, &size, err);
	if (r < 0) {
		upload_free(u);
		return r;
	}
	r = images_download(req, run_upload, upload_free, u, &op, err);
	if (r < 0)
		return r;
	/* With it the sender may wait for the end. */
	if (secret)
		operation_set_metadata_key(op, "secret", jv_of_string(secret));
	return response_operation(res, op, err);
}

static bool is_json(struct request *req)
{
	return str_starts(request_header(req, "Content-Type"), "application/json");
}

/* An upload with a secret may be anybody's; all else is for those who may create images. */
static int check_access(struct request *req, struct error **err)
{
	if (!is_json(req) && secret_of(req))
		return 0;
	return request_authorize(req, "image", "can_create_images", req->project, err);
}

static int images_create(struct request *req, struct response *res, struct error **err)
{
	struct json_object *body, *source = NULL;
	const char *type = "";

	int r = check_access(req, err);
	if (r < 0)
		return r;
	if (!is_json(req))
		return upload(req, res, err);
	r = request_json(req, &body, err);
	if (r == 0)
		r = jv_get_object(body, "source", &source, err);
	if (r >= 0)
		r = jv_get_string(source, "type", &type, err);
	if (r < 0)
		return r;
	if (strcmp(type, "instance") == 0 || strcmp(type, "container") == 0 ||
	    strcmp(type, "snapshot") == 0)
		return images_publish(req, res, body, source, err);
	if (strcmp(type, "image") == 0 || strcmp(type, "url") == 0)
		return images_remote_create(req, res, body, source, err);
	return error_set(err, 400, "Invalid images JSON");
}

/* An instance becomes an image where it is; an upload is taken where it arrives. */
static int owner(struct request *req, char **ret_member, struct error **err)
{
	int r = check_access(req, err);
	if (r < 0)
		return r;
	if (is_json(req))
		return images_publish_owner(req, ret_member, err);
	*ret_member = NULL;
	return 0;
}

/* clang-format off */
static const struct route routes[] = {
	{ .method = "POST", .path = "/1.0/images", .handler = images_create, .access = ACCESS_ANYONE, .entity = "image", .placement = ON_OWNER, .owner = owner, .body = ROUTE_BODY_FILE },
};
/* clang-format on */

const struct route_table images_create_routes = ROUTE_TABLE(routes);
