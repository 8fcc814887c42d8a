/*
 * Images from and to other servers: this one fetches, it sends, or somebody else sends with a
 * secret that was given out here.
 */
#include "daemon/api/images_remote.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/api/images.h"
#include "daemon/core/lifecycle.h"
#include "daemon/core/operation.h"
#include "daemon/core/request.h"
#include "daemon/core/response.h"
#include "daemon/core/state.h"
#include "daemon/core/token.h"
#include "daemon/core/upload_pass.h"
#include "daemon/image/image.h"
#include "daemon/image/image_alias.h"
#include "daemon/image/image_remote.h"
#include "db/tokens.h"
#include "lib/base/alloc.h"
#include "lib/base/date.h"
#include "lib/base/smap.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/data/jv.h"

#define PASS_MS 3600000 /* As long as the token lives. */

/* --- Fetching --- */

/* Strings are of 'body', which is a copy: it outlives the request. */
struct pulling {
	struct state *state;
	struct json_object *body;
	struct image_pull pull;
	const char *url; /* Of a source of type "url". */
	char *project;
	struct smap properties;
	char **profiles;
	struct image_import_alias *aliases;
};

static void pulling_free(void *arg)
{
	struct pulling *p = arg;

	jv_unref(p->body);
	free(p->project);
	smap_done(&p->properties);
	strv_free(p->profiles);
	free(p->aliases);
	free(p);
}

static int run_pull(struct operation *op, void *arg, struct error **err)
{
	struct pulling *p = arg;
	scoped_free char *fingerprint = NULL;

	return p->url ? image_pull_url(p->state, op, &p->pull.image, p->url, &fingerprint, err)
	              : image_pull(p->state, op, &p->pull, &fingerprint, err);
}

static int parse_aliases(struct pulling *p, struct error **err)
{
	struct json_object *list = NULL;

	int r = jv_get_array(p->body, "aliases", &list, err);
	if (r < 0)
		return r;
	size_t n = jv_len(list);
	p->aliases = xcalloc(n + 1, sizeof(*p->aliases));
	for (size_t i = 0; i < n; i++) {
		struct json_object *alias = jv_item(list, i);

		if (jv_check_object(alias, "alias", err) < 0 ||
		    jv_need_string(alias, "name", &p->aliases[i].name, err) < 0 ||
		    jv_get_string(alias, "description", &p->aliases[i].description, err) < 0)
			return (*err)->code;
	}
	p->pull.image.aliases = p->aliases;
	p->pull.image.n_aliases = n;
	return 0;
}

/* What the client says of the image itself. */
static int parse_image(struct pulling *p, struct error **err)
{
	struct image_import *image = &p->pull.image;

	image->project = p->project;
	image->expires = DATE_NONE;
	if (jv_get_string(p->body, "filename", &image->filename, err) < 0 ||
	    jv_get_bool(p->body, "public", &image->is_public, err) < 0 ||
	    jv_get_bool(p->body, "auto_update", &image->auto_update, err) < 0 ||
	    jv_get_smap(p->body, "properties", &p->properties, err) < 0 ||
	    jv_get_strv(p->body, "profiles", &p->profiles, err) < 0 ||
	    jv_get_date(p->body, "expires_at", &image->expires, err) < 0 ||
	    parse_aliases(p, err) < 0)
		return (*err)->code;
	if (image_check_public(image->is_public, p->project, err) < 0)
		return (*err)->code;
	image->properties = &p->properties;
	image->profiles = (const char *const *)p->profiles;
	return image_import_check(image, err);
}

static int parse_source(struct pulling *p, struct json_object *source, struct error **err)
{
	struct image_pull *pull = &p->pull;
	const char *protocol = "", *type = "";

	if (jv_get_string(source, "type", &type, err) < 0 ||
	    jv_get_string(source, "url", &p->url, err) < 0 ||
	    jv_get_string(source, "server", &pull->server, err) < 0 ||
	    jv_get_string(source, "certificate", &pull->certificate, err) < 0 ||
	    jv_get_string(source, "protocol", &protocol, err) < 0 ||
	    jv_get_string(source, "alias", &pull->alias, err) < 0 ||
	    jv_get_string(source, "fingerprint", &pull->fingerprint, err) < 0 ||
	    jv_get_string(source, "secret", &pull->secret, err) < 0 ||
	    jv_get_string(source, "project", &pull->project, err) < 0)
		return (*err)->code;
	if (strcmp(type, "url") == 0)
		return image_remote_check(p->url, NULL, err);

	p->url = NULL;
	if (strcmp(protocol, "simplestreams") == 0)
		return error_set(err, 501, "Images of simplestreams servers are not supported");
	if (*protocol && strcmp(protocol, "lxd") != 0)
		return error_set(err, 400, "Unknown image server protocol \"%s\"", protocol);
	if (str_is_empty(pull->alias) == str_is_empty(pull->fingerprint))
		return error_set(err, 400, "An image is named by its alias or its fingerprint");
	return image_remote_check(pull->server, pull->certificate, err);
}

static int pull(struct request *req, struct response *res, struct json_object *body,
                struct error **err)
{
	scoped(operation_unrefp) struct operation *op = NULL;
	struct pulling *p = xcalloc(1, sizeof(*p));

	p->state = req->state;
	p->body = jv_copy(body);
	int r = images_project(req, &p->project, err);
	if (r == 0)
		r = parse_image(p, err);
	if (r == 0)
		r = parse_source(p, jv_member(p->body, "source"), err);
	if (r < 0) {
		pulling_free(p);
		return r;
	}
	r = images_download(req, run_pull, pulling_free, p, &op, err);
	return r < 0 ? r : response_operation(res, op, err);
}

/* --- Secrets for those who send --- */

static char *token_name(const char *project, const char *fingerprint)
{
	return xasprintf("%s/%s", project, fingerprint);
}

/* The members of 'body' that the upload will have, whoever makes it. */
static struct json_object *wish_of(struct json_object *body, const char *fingerprint,
                                   const char *entity)
{
	static const char *const keys[] = { "aliases", "properties", "profiles",
		                            "public",  "expires_at", "auto_update" };
	struct json_object *wish = jv_object();

	for (size_t i = 0; i < COUNT_OF(keys); i++)
		jv_set_take(wish, keys[i], jv_copy(jv_member(body, keys[i])));
	jv_set_string(wish, "fingerprint", fingerprint);
	jv_set_string(wish, "entity_url", entity);
	return wish;
}

static int give_secret(struct request *req, struct response *res, struct json_object *body,
                       struct json_object *source, struct error **err)
{
	/* Checked here, while the one who says it is there to be told. */
	struct pulling checked = { .body = body };
	scoped_free char *url = NULL;
	const char *fingerprint = "";
	struct json_object *operation = NULL;

	int r = jv_get_string(source, "fingerprint", &fingerprint, err);
	if (r >= 0)
		r = images_project(req, &checked.project, err);
	if (r >= 0)
		r = parse_image(&checked, err);
	scoped_free char *project = TAKE_PTR(checked.project);
	smap_done(&checked.properties);
	strv_free(checked.profiles);
	free(checked.aliases);
	if (r < 0)
		return r;
	if (!image_is_fingerprint(fingerprint))
		return error_set(err, 400, "Invalid fingerprint \"%s\"", fingerprint);

	scoped_free char *entity =
		lifecycle_url(NULL, (const char *const[]){ "projects", req->project, NULL });
	scoped_free char *name = token_name(project, fingerprint);
	scoped(jv_unrefp) struct json_object *wish = wish_of(body, fingerprint, entity);
	const struct token_spec spec = {
		.kind = DB_TOKEN_UPLOAD,
		.name = name,
		.project = project,
		.description = "Image upload token",
		.expiry = "1H",
		.metadata = wish,
	};
	r = token_create(req, &spec, &url, &operation, err);
	if (r < 0)
		return r;
	upload_pass_add(req->state->upload_passes,
	                jv_text(jv_member(operation, "metadata"), "secret"),
	                date_deadline(PASS_MS));
	response_async(res, url, operation);
	return 0;
}

int images_remote_use_secret(struct request *req, const char *project, const char *fingerprint,
                             const char *secret, struct json_object **ret_wish, struct error **err)
{
	scoped_free char *name = token_name(project, fingerprint);

	int r = token_use(req->state, DB_TOKEN_UPLOAD, secret, name, ret_wish, err);
	if (r == 0)
		upload_pass_forget(req->state->upload_passes, secret);
	return r;
}

int images_remote_create(struct request *req, struct response *res, struct json_object *body,
                         struct json_object *source, struct error **err)
{
	const char *mode = "";

	int r = jv_get_string(source, "mode", &mode, err);
	if (r < 0)
		return r;
	if (strcmp(mode, "push") == 0)
		return give_secret(req, res, body, source, err);
	if (*mode && strcmp(mode, "pull") != 0)
		return error_set(err, 400, "Unknown transfer mode \"%s\"", mode);
	return pull(req, res, body, err);
}

/* --- Sending --- */

struct pushing {
	struct state *state;
	struct json_object *body;
	struct image_push push;
	char *project, *fingerprint;
	char **aliases;
};

static void pushing_free(void *arg)
{
	struct pushing *p = arg;

	jv_unref(p->body);
	free(p->project);
	free(p->fingerprint);
	strv_free(p->aliases);
	free(p);
}

static int run_push(struct operation *op, void *arg, struct error **err)
{
	const struct pushing *p = arg;

	return image_push(p->state, op, &p->push, err);
}

static int parse_push(struct pushing *p, struct error **err)
{
	struct json_object *aliases = NULL;
	struct image_push *push = &p->push;

	if (jv_get_string(p->body, "target", &push->target, err) < 0 ||
	    jv_get_string(p->body, "certificate", &push->certificate, err) < 0 ||
	    jv_get_string(p->body, "secret", &push->secret, err) < 0 ||
	    jv_get_string(p->body, "project", &push->target_project, err) < 0 ||
	    jv_get_array(p->body, "aliases", &aliases, err) < 0 ||
	    image_alias_check_list(aliases, err) < 0)
		return (*err)->code;
	for (size_t i = 0; i < jv_len(aliases); i++)
		strv_add(&p->aliases, jv_text(jv_item(aliases, i), "name"));
	/* It becomes a line of the head of a request. */
	if (push->secret && str_has_control(push->secret))
		return error_set(err, 400, "Invalid secret");
	push->project = p->project;
	push->fingerprint = p->fingerprint;
	push->aliases = (const char *const *)p->aliases;
	return image_remote_check(push->target, push->certificate, err);
}

static int export_post(struct request *req, struct response *res, struct error **err)
{
	scoped(operation_unrefp) struct operation *op = NULL;
	struct pushing *p = xcalloc(1, sizeof(*p));
	struct json_object *body;

	p->state = req->state;
	int r = request_json(req, &body, err);
	if (r == 0)
		r = images_project(req, &p->project, err);
	if (r == 0)
		r = request_authorize(req, "image", "can_edit", p->project, err);
	if (r == 0)
		r = image_resolve(req->state, p->project, request_param(req, "fingerprint"), false,
		                  NULL, &p->fingerprint, err);
	if (r == 0) {
		p->body = jv_copy(body);
		r = parse_push(p, err);
	}
	if (r < 0) {
		pushing_free(p);
		return r;
	}
	scoped_free char *url = image_url(p->project, p->fingerprint);
	const struct operation_spec spec = {
		.description = "Uploading image",
		.entity_url = url,
		.run = run_push,
		.free_arg = pushing_free,
		.arg = p,
	};
	r = operation_new_for(req, &spec, &op, err);
	return r < 0 ? r : response_operation(res, op, err);
}

/* clang-format off */
static const struct route routes[] = {
	{ .method = "POST", .path = "/1.0/images/{fingerprint}/export", .handler = export_post, .access = ACCESS_ENTITLED, .entity = "image", .entitlement = "can_edit", .extension = "images_push_relay" },
};
/* clang-format on */

const struct route_table images_remote_routes = ROUTE_TABLE(routes);
