#include "daemon/api/images_publish.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/api/images.h"
#include "daemon/core/locks.h"
#include "daemon/core/operation.h"
#include "daemon/core/request.h"
#include "daemon/core/response.h"
#include "daemon/core/server_conf.h"
#include "daemon/core/state.h"
#include "daemon/image/image.h"
#include "daemon/image/image_alias.h"
#include "daemon/image/image_publish.h"
#include "daemon/instance/instance.h"
#include "daemon/storage/storage_instance.h"
#include "lib/base/alloc.h"
#include "lib/base/date.h"
#include "lib/base/smap.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/data/jv.h"

struct publishing {
	struct state *state;
	struct image_import image;
	char *instance_project, *instance, *snapshot; /* 'snapshot' may be NULL. */
	char *project, *filename, *compression;
	struct smap properties;
	char **profiles;
	struct json_object *aliases;
};

static void publishing_free(void *arg)
{
	struct publishing *p = arg;

	free(p->instance_project);
	free(p->instance);
	free(p->snapshot);
	free(p->project);
	free(p->filename);
	free(p->compression);
	smap_done(&p->properties);
	strv_free(p->profiles);
	jv_unref(p->aliases);
	free(p);
}

static int pack(struct publishing *p, struct operation *op, const struct instance *inst,
                struct error **err)
{
	struct image_publish publish = { .architecture = inst->row->row.architecture,
		                         .compression = p->compression };
	scoped_free struct image_import_alias *aliases =
		image_import_aliases(p->aliases, &p->image.n_aliases);
	scoped(idmap_done) struct idmap disk_map = { 0 };
	scoped_free char *fingerprint = NULL;
	struct storage_instance storage;

	if (!p->snapshot && instance_is_running(inst))
		return error_set(err, 400, "Cannot export a running instance as an image");
	int r = instance_storage(inst, &storage, err);
	if (r == 0)
		r = storage_instance_parse_map(
			smap_get(&inst->row->row.config, "volatile.last_state.idmap"), &disk_map,
			err);
	if (r < 0)
		return r;

	scoped_free char *path = storage_instance_path(p->state, &storage, p->snapshot);
	publish.volume_path = path;
	publish.disk_map = &disk_map;
	p->image.aliases = aliases;
	return image_publish(p->state, op, &p->image, &publish, &fingerprint, err);
}

static int run_publish(struct operation *op, void *arg, struct error **err)
{
	struct publishing *p = arg;
	scoped(locks_releasep) struct lock *lock = NULL;
	scoped(instance_freep) struct instance *inst = NULL;

	int r = instance_lock(p->state, p->instance_project, p->instance,
	                      operation_cancel_token(op), &lock, &inst, err);
	return r < 0 ? r : pack(p, op, inst, err);
}

static int parse(struct request *req, struct json_object *body, struct json_object *source,
                 struct publishing *p, struct error **err)
{
	const char *name = "", *filename = "", *compression = "", *project = "";
	struct json_object *aliases = NULL;

	p->image.expires = DATE_NONE;
	if (jv_get_string(source, "name", &name, err) < 0 ||
	    jv_get_string(source, "project", &project, err) < 0 ||
	    jv_get_string(body, "filename", &filename, err) < 0 ||
	    jv_get_string(body, "compression_algorithm", &compression, err) < 0 ||
	    jv_get_bool(body, "public", &p->image.is_public, err) < 0 ||
	    jv_get_smap(body, "properties", &p->properties, err) < 0 ||
	    jv_get_strv(body, "profiles", &p->profiles, err) < 0 ||
	    jv_get_date(body, "expires_at", &p->image.expires, err) < 0 ||
	    jv_get_array(body, "aliases", &aliases, err) < 0 ||
	    image_alias_check_list(aliases, err) < 0)
		return (*err)->code;
	if (*name == '\0')
		return error_set(err, 400, "No source provided");
	if (*compression && server_conf_check_compression(compression, err) < 0)
		return (*err)->code;
	if (image_check_public(p->image.is_public, p->project, err) < 0)
		return (*err)->code;

	const char *slash = strchr(name, '/');
	p->instance = slash ? xasprintf("%.*s", (int)(slash - name), name) : xstrdup(name);
	p->snapshot = slash ? xstrdup(slash + 1) : NULL;
	p->instance_project = xstrdup(req->project);
	p->filename = xstrdup(filename);
	p->compression = xstrdup(compression);
	/* Read on another thread, so it must be a copy. */
	p->aliases = aliases ? jv_copy(aliases) : NULL;
	p->image.project = p->project;
	p->image.filename = p->filename;
	p->image.properties = &p->properties;
	p->image.profiles = (const char *const *)p->profiles;
	return image_check_properties(&p->properties, err);
}

/* The project's own setting comes before the server's, and the client's before both. */
static void use_project_compression(struct publishing *p, const struct db_view *view,
                                    const char *project)
{
	const struct db_project *row = db_cache_project(view, project);

	if (!row || *p->compression)
		return;
	free(p->compression);
	p->compression = xstrdup(smap_get_or(&row->config, "images.compression_algorithm", ""));
}

int images_publish(struct request *req, struct response *res, struct json_object *body,
                   struct json_object *source, struct error **err)
{
	scoped(operation_unrefp) struct operation *op = NULL;
	scoped(instance_freep) struct instance *inst = NULL;
	struct publishing *p = xcalloc(1, sizeof(*p));

	p->state = req->state;
	int r = images_project(req, &p->project, err);
	if (r == 0)
		r = parse(req, body, source, p, err);
	if (r == 0)
		r = instance_load(req->state, p->instance_project, p->instance, &inst, err);
	if (r < 0) {
		publishing_free(p);
		return r;
	}
	use_project_compression(p, inst->view, req->project);
	r = images_download(req, run_publish, publishing_free, p, &op, err);
	return r < 0 ? r : response_operation(res, op, err);
}

int images_publish_owner(struct request *req, char **ret_member, struct error **err)
{
	scoped(instance_freep) struct instance *inst = NULL;
	struct json_object *body, *source = NULL;
	const char *name = "", *type = "";

	*ret_member = NULL;
	int r = request_json(req, &body, err);
	if (r == 0)
		r = jv_get_object(body, "source", &source, err);
	if (r >= 0)
		r = jv_get_string(source, "name", &name, err);
	if (r >= 0)
		r = jv_get_string(source, "type", &type, err);
	if (r < 0)
		return r;
	if (*name == '\0' || strcmp(type, "image") == 0 || strcmp(type, "url") == 0)
		return 0;

	scoped_free char *instance = xasprintf("%.*s", (int)strcspn(name, "/"), name);
	r = instance_load(req->state, req->project, instance, &inst, err);
	if (r == 0)
		*ret_member = xstrdup(inst->row->row.member);
	return r;
}
