#include "daemon/image/image_alias.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/lifecycle.h"
#include "daemon/core/request.h"
#include "daemon/core/state.h"
#include "db/images.h"
#include "lib/base/alloc.h"
#include "lib/base/path.h"
#include "lib/base/str.h"
#include "lib/data/jv.h"

#define NAME_MAX_LEN 255

struct change {
	const char *project, *name;
	const char *new_name, *target, *description; /* NULL: stays. */
	struct request *req;
};

char *image_alias_url(const char *project, const char *name)
{
	return lifecycle_url(project, (const char *const[]){ "images", "aliases", name, NULL });
}

struct json_object *image_alias_json(const struct db_image_alias *row)
{
	struct json_object *o = jv_object();

	jv_set_string(o, "name", row->name);
	jv_set_string(o, "description", row->description);
	jv_set_string(o, "type", row->type == 1 ? "virtual-machine" : "container");
	jv_set_string(o, "target", row->fingerprint);
	return o;
}

/* Aliases may hold slashes ("alpine/edge"), but must be good in a URL and as one word. */
int image_alias_check_name(const char *name, struct error **err)
{
	if (*name == '\0' || strlen(name) > NAME_MAX_LEN || path_has_dotdot(name) ||
	    name[0] == '/' || str_ends(name, "/") || !str_is_utf8(name, strlen(name)))
		return error_set(err, 400, "Invalid alias name \"%.255s\"", name);
	for (const unsigned char *c = (const unsigned char *)name; *c; c++)
		if (*c <= ' ' || *c == 0x7f || strchr("?&\"'<>\\", *c))
			return error_set(err, 400, "Invalid alias name \"%s\"", name);
	return 0;
}

int image_alias_check_list(struct json_object *list, struct error **err)
{
	for (size_t i = 0; i < jv_len(list); i++) {
		struct json_object *alias = jv_item(list, i);
		const char *name, *description;

		if (jv_check_object(alias, "alias", err) < 0 ||
		    jv_need_string(alias, "name", &name, err) < 0 ||
		    jv_get_string(alias, "description", &description, err) < 0 ||
		    image_alias_check_name(name, err) < 0)
			return (*err)->code;
	}
	return 0;
}

static int find_target(struct db_tx *tx, const char *project, const char *target, int64_t *ret_id,
                       struct error **err)
{
	scoped(db_image_done) struct db_image image = { 0 };

	int r = db_image_find(tx, project, target, &image, err);
	if (r == 0)
		*ret_id = image.id;
	return r;
}

static int exists_already(int r, const char *name, struct error **err)
{
	if (r != -EEXIST)
		return r;
	error_free(*err);
	*err = NULL;
	return error_set(err, 409, "Alias \"%s\" already exists", name);
}

static int write_new(struct db_tx *tx, void *arg, struct error **err)
{
	const struct change *c = arg;
	int64_t id = 0;

	int r = find_target(tx, c->project, c->target, &id, err);
	if (r < 0)
		return r;
	r = db_image_alias_create(tx, c->project, c->name, str_or_empty(c->description), id, err);
	return exists_already(r, c->name, err);
}

static void send_event(struct request *req, const char *action, const char *project,
                       const char *name)
{
	scoped_free char *url = image_alias_url(project, name);

	lifecycle_send_for(req, action, project, url, NULL);
}

int image_alias_create(struct request *req, const char *project, const char *name,
                       const char *target, const char *description, struct error **err)
{
	struct change c = {
		.project = project,
		.name = name,
		.target = target,
		.description = description,
	};

	if (str_is_empty(name) || str_is_empty(target))
		return error_set(err, 400, "name and target are required");
	if (image_alias_check_name(name, err) < 0)
		return (*err)->code;
	int r = db_write(req->state->db, write_new, &c, err);
	if (r == 0)
		send_event(req, "image-alias-created", project, name);
	return r;
}

static int get_row(struct db_tx *tx, const struct change *c, struct db_image_alias *ret_row,
                   struct error **err)
{
	return db_image_alias_get(tx, c->project, c->name, ret_row, err);
}

static int write_change(struct db_tx *tx, void *arg, struct error **err)
{
	const struct change *c = arg;
	scoped(db_image_alias_done) struct db_image_alias row = { 0 };
	scoped(jv_unrefp) struct json_object *etag = NULL;
	int64_t id = 0;

	int r = get_row(tx, c, &row, err);
	if (r < 0)
		return r;
	etag = image_alias_json(&row);
	r = request_check_etag(c->req, etag, err);
	if (r == 0)
		r = find_target(tx, c->project, c->target ? c->target : row.fingerprint, &id, err);
	if (r < 0)
		return r;
	return db_image_alias_update(tx, row.id, c->description ? c->description : row.description,
	                             id, err);
}

int image_alias_update(struct request *req, const char *project, const char *name,
                       const char *target, const char *description, struct error **err)
{
	struct change c = {
		.project = project,
		.name = name,
		.target = target,
		.description = description,
		.req = req,
	};

	if (target && *target == '\0')
		return error_set(err, 400, "The target field is required");
	int r = db_write(req->state->db, write_change, &c, err);
	if (r == 0)
		send_event(req, "image-alias-updated", project, name);
	return r;
}

static int write_rename(struct db_tx *tx, void *arg, struct error **err)
{
	const struct change *c = arg;
	scoped(db_image_alias_done) struct db_image_alias row = { 0 };

	int r = get_row(tx, c, &row, err);
	if (r == 0)
		r = db_image_alias_rename(tx, row.id, c->new_name, err);
	return exists_already(r, c->new_name, err);
}

int image_alias_rename(struct request *req, const char *project, const char *name,
                       const char *new_name, struct error **err)
{
	struct change c = { .project = project, .name = name, .new_name = new_name };

	if (str_is_empty(new_name))
		return error_set(err, 400, "No name provided");
	if (image_alias_check_name(new_name, err) < 0)
		return (*err)->code;
	int r = db_write(req->state->db, write_rename, &c, err);
	if (r == 0)
		send_event(req, "image-alias-renamed", project, new_name);
	return r;
}

static int write_delete(struct db_tx *tx, void *arg, struct error **err)
{
	const struct change *c = arg;
	scoped(db_image_alias_done) struct db_image_alias row = { 0 };

	int r = get_row(tx, c, &row, err);
	return r < 0 ? r : db_image_alias_delete(tx, row.id, err);
}

int image_alias_delete(struct request *req, const char *project, const char *name,
                       struct error **err)
{
	struct change c = { .project = project, .name = name };

	int r = db_write(req->state->db, write_delete, &c, err);
	if (r == 0)
		send_event(req, "image-alias-deleted", project, name);
	return r;
}
