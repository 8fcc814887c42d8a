/* Fetching images from other servers. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/operation.h"
#include "daemon/core/state.h"
#include "daemon/image/image.h"
#include "daemon/image/image_remote.h"
#include "daemon/image/image_remote_private.h"
#include "daemon/image/image_transfer.h"
#include "daemon/storage/storage_service.h"
#include "db/cache.h"
#include "lib/base/alloc.h"
#include "lib/base/path.h"
#include "lib/base/smap.h"
#include "lib/base/str.h"
#include "lib/data/jv.h"
#include "lib/net/http_client.h"
#include "lib/net/url.h"

#define ASK_MS 60000

/* One fetch under way. */
struct fetch {
	struct state *state;
	struct operation *operation;
	struct image_transfer transfer;
	struct http_client *client;
	const struct image_pull *pull;
	char *fingerprint; /* Whole. */
	char *filename;
	struct smap properties;
};

static void fetch_done(struct fetch *f)
{
	http_client_unref(f->client);
	free(f->fingerprint);
	free(f->filename);
	smap_done(&f->properties);
}

static int ask(struct fetch *f, const char *path, struct json_object **ret_metadata,
               struct error **err)
{
	scoped(jv_unrefp) struct json_object *envelope = NULL;

	int r = http_client_query(f->client, "GET", path, NULL, ASK_MS, &envelope, err);
	if (r < 0)
		return r;
	*ret_metadata = jv_ref(jv_member(envelope, "metadata"));
	return *ret_metadata ? 0 : error_set(err, 502, "The other server's answer is damaged");
}

static int resolve_alias(struct fetch *f, const char *alias, char **ret_target, struct error **err)
{
	scoped(jv_unrefp) struct json_object *metadata = NULL;
	scoped_free char *plain = url_path("1.0", "images", "aliases", alias, NULL);
	scoped_free char *path = image_remote_path(plain, f->pull->project, NULL);

	int r = ask(f, path, &metadata, err);
	if (r < 0)
		return r;
	*ret_target = xstrdup(str_or_empty(jv_text(metadata, "target")));
	return 0;
}

/* What the other server says of the image. */
static int look(struct fetch *f, struct error **err)
{
	const struct image_pull *pull = f->pull;
	scoped(jv_unrefp) struct json_object *metadata = NULL;
	scoped_free char *wanted = NULL;
	int r = 0;

	if (!str_is_empty(pull->alias))
		r = resolve_alias(f, pull->alias, &wanted, err);
	else
		wanted = xstrdup(pull->fingerprint);
	if (r < 0)
		return r;
	scoped_free char *plain = url_path("1.0", "images", wanted, NULL);
	scoped_free char *path = image_remote_path(plain, pull->project, pull->secret);
	r = ask(f, path, &metadata, err);
	if (r == 0)
		r = jv_get_smap(metadata, "properties", &f->properties, err);
	if (r < 0)
		return r;

	const char *fingerprint = str_or_empty(jv_text(metadata, "fingerprint"));
	const char *filename = str_or_empty(jv_text(metadata, "filename"));
	const char *type = str_or_empty(jv_text(metadata, "type"));
	if (!image_is_fingerprint(fingerprint) || !str_starts(fingerprint, wanted))
		return error_set(err, 502, "The other server's answer is damaged");
	if (strcmp(type, "virtual-machine") == 0)
		return error_set(err, 400, "Images of virtual machines are not supported");
	f->fingerprint = xstrdup(fingerprint);
	f->filename = xstrdup(path_is_name(filename) && !str_has_control(filename) ? filename : "");
	if (pull->image.properties)
		smap_merge(&f->properties, pull->image.properties);
	return 0;
}

/* 1 if the project has it, else 0. */
static int is_here(struct fetch *f, struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;

	int r = db_cache_view(f->state->cache, DB_IMAGES, &view, err);
	if (r < 0)
		return r;
	return db_cache_image(view, f->pull->image.project, f->fingerprint) != NULL;
}

/* Into a file without a name; '*ret_type' is its content type. */
static int download(struct fetch *f, const char *path, int *ret_fd, char **ret_type,
                    struct error **err)
{
	scoped(http_response_done) struct http_response res = { 0 };
	scoped_fd int fd = -EBADF;

	int r = image_transfer_get(f->state, f->client, &f->transfer, path, &fd, &res, err);
	if (r == 0 && res.status >= 400)
		r = http_client_error_of(&res, err);
	else if (r == 0 && res.status != 200)
		r = error_set(err, 502, "The other server's answer is damaged");
	if (r < 0)
		return r;
	*ret_type = xstrdup(str_or_empty(http_response_header(&res, "Content-Type")));
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static int import(struct fetch *f, const char *path, const struct image_import *image,
                  struct error **err)
{
	scoped_fd int fd = -EBADF;
	scoped_free char *type = NULL;
	scoped_free char *fingerprint = NULL;

	int r = download(f, path, &fd, &type, err);
	if (r < 0)
		return r;
	if (str_starts(type, "multipart/form-data"))
		return image_import_multipart(f->state, f->operation, image, fd, type, &fingerprint,
		                              err);
	return image_import_files(f->state, f->operation, image, fd, -1, &fingerprint, err);
}

static int fetch(struct fetch *f, struct error **err)
{
	const struct image_pull *pull = f->pull;

	int r = look(f, err);
	if (r == 0)
		r = is_here(f, err);
	if (r != 0) {
		if (r > 0)
			operation_set_metadata_key(f->operation, "fingerprint",
			                           jv_of_string(f->fingerprint));
		return r < 0 ? r : 0;
	}

	const struct image_import_source source = {
		.server = pull->server,
		.certificate = str_or_empty(pull->certificate),
		.protocol = "lxd",
		.alias = pull->alias,
	};
	struct image_import image = pull->image;

	image.fingerprint = f->fingerprint;
	image.properties = &f->properties;
	if (str_is_empty(image.filename))
		image.filename = f->filename;
	/* What was asked for by its fingerprint stays what it is: nothing follows an alias. */
	image.source = str_is_empty(pull->alias) ? NULL : &source;
	scoped_free char *plain = url_path("1.0", "images", f->fingerprint, "export", NULL);
	scoped_free char *path = image_remote_path(plain, pull->project, pull->secret);
	return import(f, path, &image, err);
}

int image_pull(struct state *state, struct operation *op, const struct image_pull *pull,
               char **ret_fingerprint, struct error **err)
{
	scoped(fetch_done) struct fetch f = {
		.state = state,
		.operation = op,
		.transfer.op = storage_service_op(op),
		.client = image_remote_client(pull->server, pull->certificate),
		.pull = pull,
	};

	int r = fetch(&f, err);
	if (r < 0)
		return error_wrap(err, "Failed fetching the image from \"%s\"", pull->server);
	*ret_fingerprint = TAKE_PTR(f.fingerprint);
	return 0;
}

/* "https://host:port" of a URL, and the rest of it. */
static int split_url(const char *text, char **ret_server, char **ret_path, struct error **err)
{
	int r = image_remote_check(text, NULL, err);
	if (r < 0)
		return r;
	size_t len = strlen("https://") + strcspn(text + strlen("https://"), "/?#");

	*ret_server = xasprintf("%.*s", (int)len, text);
	*ret_path = text[len] == '/' ? xstrdup(text + len) : xasprintf("/%s", text + len);
	return 0;
}

/* What the first URL's headers say: where the image is, and which it must be. */
static int ask_headers(const char *url, char **ret_url, char **ret_fingerprint, struct error **err)
{
	scoped(http_client_unrefp) struct http_client *client = NULL;
	scoped(http_response_done) struct http_response res = { 0 };
	scoped_free char *server = NULL;
	scoped_free char *path = NULL;

	int r = split_url(url, &server, &path, err);
	if (r < 0)
		return r;
	client = image_remote_client(server, NULL);
	const struct http_request req = { .method = "HEAD", .path = path, .timeout_ms = ASK_MS };
	r = http_client_do(client, &req, &res, err);
	if (r == 0 && res.status >= 400)
		r = error_set(err, 400, "The server answers with status %d", res.status);
	if (r < 0)
		return r;

	const char *fingerprint = http_response_header(&res, "LXD-Image-Hash");
	const char *image = http_response_header(&res, "LXD-Image-URL");
	if (str_is_empty(fingerprint) || !image_is_fingerprint(fingerprint))
		return error_set(err, 400, "Missing LXD-Image-Hash header");
	if (str_is_empty(image))
		return error_set(err, 400, "Missing LXD-Image-URL header");
	*ret_url = xstrdup(image);
	*ret_fingerprint = xstrdup(fingerprint);
	return 0;
}

int image_pull_url(struct state *state, struct operation *op, const struct image_import *image,
                   const char *url, char **ret_fingerprint, struct error **err)
{
	const struct image_pull pull = { .image = *image };
	scoped(fetch_done) struct fetch f = {
		.state = state,
		.operation = op,
		.transfer.op = storage_service_op(op),
		.pull = &pull,
	};
	scoped_free char *image_address = NULL;
	scoped_free char *server = NULL;
	scoped_free char *path = NULL;

	int r = ask_headers(url, &image_address, &f.fingerprint, err);
	if (r == 0)
		r = split_url(image_address, &server, &path, err);
	if (r == 0) {
		struct image_import named = *image;

		named.fingerprint = f.fingerprint;
		f.client = image_remote_client(server, NULL);
		r = import(&f, path, &named, err);
	}
	if (r < 0)
		return error_wrap(err, "Failed fetching the image from \"%s\"", url);
	*ret_fingerprint = TAKE_PTR(f.fingerprint);
	return 0;
}
