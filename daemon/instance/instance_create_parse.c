/* The body of POST /1.0/instances: read, checked, completed. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "daemon/core/request.h"
#include "daemon/core/state.h"
#include "daemon/image/image.h"
#include "daemon/instance/instance_check.h"
#include "daemon/instance/instance_create.h"
#include "daemon/project/project.h"
#include "daemon/project/project_limits.h"
#include "drivers/instance/instance_conf.h"
#include "lib/base/alloc.h"
#include "lib/base/date.h"
#include "lib/base/random.h"
#include "lib/base/strv.h"
#include "lib/base/uuid.h"
#include "lib/data/jv.h"

struct parsing {
	struct request *req;
	struct json_object *body;
	struct json_object *source;
	const struct db_view *view;
	struct instance_new *new;
};

static void replace(char **text, const char *with)
{
	free(*text);
	*text = xstrdup(with ? with : "");
}

static int read_name(struct parsing *p, struct error **err)
{
	const char *name = NULL;
	struct db_instance *row = &p->new->row.row;

	int r = jv_get_string(p->body, "name", &name, err);
	if (r < 0)
		return r;

	row->name = name && *name ? xstrdup(name) : random_name();
	r = instance_check_name(row->name, err);
	if (r < 0)
		return r;
	if (db_cache_instance(p->view, row->project, row->name))
		return error_set(err, 409, "Instance \"%s\" already exists", row->name);

	return 0;
}

static int read_type(struct parsing *p, struct error **err)
{
	const char *type = NULL;
	struct db_instance *row = &p->new->row.row;

	int r = jv_get_string(p->body, "type", &type, err);
	if (r < 0)
		return r;
	if (!type || !*type || strcmp(type, "container") == 0)
		row->type = DB_INSTANCE_CONTAINER;
	else if (strcmp(type, "virtual-machine") == 0)
		row->type = DB_INSTANCE_VM;
	else
		return error_set(err, 400, "Invalid instance type \"%s\"", type);

	const char *name = row->type == DB_INSTANCE_VM ? "virtual-machine" : "container";
	if (!instance_driver_find(name))
		return error_set(err, 400, "Instance type \"%s\" is not supported on this server",
		                 name);
	return 0;
}

static int read_fields(struct parsing *p, struct error **err)
{
	struct db_instance *row = &p->new->row.row;
	const char *description = NULL;
	const char *architecture = NULL;
	struct utsname host;

	int r = jv_get_string(p->body, "description", &description, err);
	if (r >= 0)
		r = jv_get_string(p->body, "architecture", &architecture, err);
	if (r >= 0)
		r = jv_get_bool(p->body, "ephemeral", &row->ephemeral, err);
	if (r >= 0)
		r = jv_get_bool(p->body, "stateful", &row->stateful, err);
	if (r >= 0)
		r = jv_get_bool(p->body, "start", &p->new->filling.is_started, err);
	if (r >= 0)
		r = jv_get_smap(p->body, "config", &row->config, err);
	if (r >= 0)
		r = instance_check_read_devices(p->body, "devices", &row->devices, err);
	if (r >= 0)
		r = jv_get_strv(p->body, "profiles", &row->profiles, err);
	if (r < 0)
		return r;

	row->description = xstrdup(description ? description : "");
	if (architecture && *architecture)
		replace(&row->architecture, architecture);
	else if (!row->architecture && uname(&host) == 0)
		replace(&row->architecture, host.machine);
	row->created = date_now();
	row->last_used = DATE_NONE;
	return 0;
}

/* Without profiles the source's, or "default"; an empty list means none. */
static void complete_profiles(struct parsing *p)
{
	struct db_instance *row = &p->new->row.row;
	bool is_given = jv_member(p->body, "profiles") != NULL;

	if (!is_given && !row->profiles)
		strv_add(&row->profiles, "default");
}

static int read_image(struct parsing *p, struct error **err)
{
	struct instance_filling *filling = &p->new->filling;
	struct db_instance *row = &p->new->row.row;
	const char *fingerprint = NULL;
	const char *alias = NULL;
	const char *server = NULL;
	const char *project = NULL;

	int r = jv_get_string(p->source, "fingerprint", &fingerprint, err);
	if (r >= 0)
		r = jv_get_string(p->source, "alias", &alias, err);
	if (r >= 0)
		r = jv_get_string(p->source, "server", &server, err);
	if (r >= 0)
		r = project_effective(p->view, row->project, PROJECT_IMAGES, &project, err);
	if (r < 0)
		return r;
	if (server && *server)
		return error_set(err, 400,
		                 "Images of other servers cannot be fetched by this server");

	bool is_alias = alias && *alias;
	const char *text = is_alias ? alias : fingerprint;
	if (!text || !*text)
		return error_set(err, 400,
		                 "Must specify one of alias, fingerprint or properties for "
		                 "init from image");

	r = image_resolve(p->req->state, project, text, is_alias,
	                  row->type == DB_INSTANCE_VM ? "virtual-machine" : "container",
	                  &filling->fingerprint, err);
	if (r < 0)
		return r;

	const struct db_image *image = db_cache_image(p->view, project, filling->fingerprint);
	if (!image)
		return error_set(err, 404, "Image not found");

	filling->source = INSTANCE_FROM_IMAGE;
	filling->image_project = xstrdup(project);
	if (*image->architecture)
		replace(&row->architecture, image->architecture);
	SMAP_FOREACH (e, &image->properties) {
		scoped_free char *key = xasprintf("image.%s", e->key);
		smap_set(&row->config, key, e->value);
	}
	smap_set(&row->config, "volatile.base_image", filling->fingerprint);
	smap_set(&row->config, "volatile.apply_template", "create");
	if (!jv_member(p->body, "profiles") && image->profiles)
		row->profiles = strv_copy(image->profiles);
	return 0;
}

/* Config and devices of the source, under those of the request. */
static void inherit(struct parsing *p, const struct smap *config, const struct db_devices *devices)
{
	struct db_instance *row = &p->new->row.row;
	struct smap own = smap_take(&row->config);
	struct db_devices own_devices = row->devices;

	row->devices = (struct db_devices){ 0 };
	SMAP_FOREACH (e, config)
		if (instance_conf_is_copied(e->key))
			smap_set(&row->config, e->key, e->value);
	smap_merge(&row->config, &own);
	db_device_copy(&row->devices, devices);
	db_device_overlay(&row->devices, &own_devices);
	smap_done(&own);
	db_device_list_done(&own_devices);
}

static int inherit_snapshot(struct parsing *p, const struct instance *source, const char *name,
                            struct error **err)
{
	size_t n = 0;
	const struct db_instance_snapshot *rows =
		db_cache_snapshots_of(source->view, source->row->row.id, &n);

	for (size_t i = 0; i < n; i++) {
		if (strcmp(rows[i].name, name) != 0)
			continue;
		inherit(p, &rows[i].config, &rows[i].devices);
		if (!jv_member(p->body, "profiles"))
			p->new->row.row.profiles = strv_copy(rows[i].profiles);
		return 0;
	}
	return error_set(err, 404, "Instance snapshot not found");
}

static int read_copy(struct parsing *p, struct error **err)
{
	struct instance_filling *filling = &p->new->filling;
	struct db_instance *row = &p->new->row.row;
	scoped(instance_freep) struct instance *source = NULL;
	const char *text = NULL;
	const char *project = row->project;

	int r = jv_need_string(p->source, "source", &text, err);
	if (r >= 0)
		r = jv_get_string(p->source, "project", &project, err);
	if (r >= 0)
		r = jv_get_bool(p->source, "instance_only", &filling->instance_only, err);
	if (r >= 0 && !filling->instance_only)
		r = jv_get_bool(p->source, "container_only", &filling->instance_only, err);
	if (r < 0)
		return r;
	if (!project || !*project)
		project = row->project;

	r = request_authorize(p->req, "instance", "can_view", project, err);
	if (r < 0)
		return r;

	const char *slash = strchr(text, '/');
	filling->source = INSTANCE_FROM_COPY;
	filling->project = xstrdup(project);
	filling->name = slash ? xasprintf("%.*s", (int)(slash - text), text) : xstrdup(text);
	filling->snapshot = slash ? xstrdup(slash + 1) : NULL;
	r = instance_load(p->req->state, project, filling->name, &source, err);
	if (r < 0)
		return r;

	row->type = source->row->row.type;
	replace(&row->architecture, source->row->row.architecture);
	if (filling->snapshot) {
		r = inherit_snapshot(p, source, filling->snapshot, err);
		if (r < 0)
			return r;
	} else {
		inherit(p, &source->row->row.config, &source->row->row.devices);
		if (!jv_member(p->body, "profiles"))
			row->profiles = strv_copy(source->row->row.profiles);
	}
	const char *base = smap_get(&source->row->row.config, "volatile.base_image");
	if (base)
		smap_set(&row->config, "volatile.base_image", base);
	const char *idmap = smap_get(&source->row->row.config, "volatile.last_state.idmap");
	if (idmap)
		smap_set(&row->config, "volatile.last_state.idmap", idmap);
	smap_set(&row->config, "volatile.apply_template", "copy");
	return 0;
}

static int read_source(struct parsing *p, struct error **err)
{
	const char *type = NULL;

	int r = jv_need_object(p->body, "source", &p->source, err);
	if (r == 0)
		r = jv_get_string(p->source, "type", &type, err);
	if (r < 0)
		return r;
	if (!type)
		type = "";

	if (strcmp(type, "none") == 0) {
		p->new->filling.source = INSTANCE_FROM_NONE;
		return 0;
	}
	if (strcmp(type, "image") == 0)
		return read_image(p, err);
	if (strcmp(type, "copy") == 0)
		return read_copy(p, err);

	return error_set(err, 400, "Unknown source type %s", type);
}

static void add_volatile(struct db_instance *row)
{
	char uuid[UUID_SIZE];

	uuid_make(uuid);
	smap_set(&row->config, "volatile.uuid", uuid);
	smap_set(&row->config, "volatile.uuid.generation", uuid);
	uuid_make(uuid);
	smap_set(&row->config, "volatile.cloud-init.instance-id", uuid);
	if (!smap_has(&row->config, "volatile.last_state.idmap"))
		smap_set(&row->config, "volatile.last_state.idmap", "[]");
}

static int parse(struct parsing *p, struct error **err)
{
	struct instance_new *new = p->new;
	struct db_instance *row = &new->row.row;
	const struct db_project *project = db_cache_project(p->view, p->req->project);
	const char *profile_project = NULL;

	if (!project)
		return error_set(err, 404, "Project \"%s\" not found", p->req->project);

	row->project = xstrdup(p->req->project);
	row->member = xstrdup("");
	int r = read_type(p, err);
	if (r == 0)
		r = read_name(p, err);
	if (r == 0)
		r = read_fields(p, err);
	if (r == 0)
		r = read_source(p, err);
	if (r == 0)
		r = project_effective(p->view, row->project, PROJECT_PROFILES, &profile_project,
		                      err);
	if (r == 0 && p->req->target && *p->req->target)
		r = project_limits_check_target(project, p->req->target, err);
	if (r < 0)
		return r;

	complete_profiles(p);
	add_volatile(row);
	new->profile_project = xstrdup(profile_project);
	new->target = p->req->target;
	r = instance_check_expand(p->view, profile_project, &new->row, err);
	if (r == 0)
		r = instance_check_row(p->req->state, p->view, &new->row, err);

	return r;
}

int instance_create_parse(struct request *req, struct json_object *body,
                          struct instance_new *ret_new, struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	struct instance_new new = { 0 };

	int r = db_cache_view(req->state->cache, INSTANCE_FAMILIES | DB_IMAGES, &view, err);
	if (r < 0)
		return r;

	struct parsing parsing = { .req = req, .body = body, .view = view, .new = &new };
	r = parse(&parsing, err);
	if (r < 0) {
		instance_create_new_done(&new);
		return r;
	}

	*ret_new = new;
	return 0;
}
