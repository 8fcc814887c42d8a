#include "daemon/project/profile.h"

#include "cluster/notify.h"
#include "daemon/core/lifecycle.h"
#include "daemon/core/operation.h"
#include "daemon/core/request.h"
#include "daemon/core/state.h"
#include "daemon/project/device_map.h"
#include "daemon/project/project.h"
#include "daemon/project/project_limits.h"
#include "db/cache.h"
#include "drivers/device/device_driver.h"
#include "drivers/instance/ct/ct_config.h"
#include "drivers/instance/instance_conf.h"
#include "lib/base/alloc.h"
#include "lib/base/log.h"
#include "lib/base/smap.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/data/jv.h"

static char *url_of(const char *project, const char *name)
{
	return lifecycle_url(project, (const char *const[]){ "profiles", name, NULL });
}

static struct json_object *users_of(const struct db_view *view, const struct db_profile *profile)
{
	struct json_object *urls = jv_array();
	size_t n;
	const struct db_expanded *const *instances = db_cache_instances(view, &n);

	for (size_t i = 0; i < n; i++) {
		const struct db_instance *row = &instances[i]->row;
		const struct db_project *project;

		if (!strv_contains(row->profiles, profile->name))
			continue;

		project = db_cache_project(view, row->project);
		if (!project ||
		    !str_equals(project_has(project, PROJECT_PROFILES) ? row->project : "default",
		                profile->project))
			continue;

		scoped_free char *url = lifecycle_url(
			row->project, (const char *const[]){ "instances", row->name, NULL });

		jv_add_string(urls, url);
	}

	return urls;
}

struct json_object *profile_json(const struct db_view *view, const struct db_profile *profile)
{
	struct json_object *o = jv_object();

	jv_set_string(o, "name", profile->name);
	jv_set_string(o, "description", profile->description);
	jv_set_smap(o, "config", &profile->config);
	jv_set_take(o, "devices", device_map_json(&profile->devices));
	jv_set_take(o, "used_by", users_of(view, profile));
	jv_set_string(o, "project", profile->project);
	return o;
}

struct json_object *profile_etag(const struct db_profile *profile)
{
	struct json_object *o = jv_object();

	jv_set_smap(o, "config", &profile->config);
	jv_set_string(o, "description", profile->description);
	jv_set_take(o, "devices", device_map_json(&profile->devices));
	return o;
}

static void drop_empty(struct smap *config)
{
	scoped(smap_done) struct smap kept = { 0 };

	SMAP_FOREACH (e, config) {
		if (*e->value)
			smap_set(&kept, e->key, e->value);
	}
	smap_copy(config, &kept);
}

/* Everything about a profile that can be wrong, its project's restrictions included. */
static int check(const struct db_project *project, const struct db_profile *profile,
                 struct error **err)
{
	int r = instance_conf_validate_map(INSTANCE_CONF_PROFILE, &profile->config, false, err);
	if (r == 0)
		r = ct_config_check_raw(smap_get_or(&profile->config, "raw.lxc", ""), err);
	if (r < 0)
		return r;

	for (size_t i = 0; i < profile->devices.n; i++) {
		const struct db_device *dev = &profile->devices.rows[i];

		r = device_driver_validate(dev->name, &dev->config, err);
		if (r < 0)
			return r;
	}

	return project_limits_check_profile(project, &profile->config, &profile->devices, err);
}

/* A root disk must be in a pool that there is. */
static int check_pools(const struct db_view *view, const struct db_devices *devices,
                       struct error **err)
{
	for (size_t i = 0; i < devices->n; i++) {
		const struct smap *config = &devices->rows[i].config;
		const char *pool = smap_get(config, "pool");

		if (!str_equals(smap_get(config, "type"), "disk") || str_is_empty(pool))
			continue;
		if (!db_cache_pool(view, pool))
			return error_set(
				err, 400,
				"Device validation failed for \"%s\": Storage pool \"%s\" not "
				"found",
				devices->rows[i].name, pool);
	}

	return 0;
}

/*
 * Begins a change: gives the project that keeps the profiles of the request's, whose restrictions
 * hold for them. Projects without profiles of their own use those of another; to change them is
 * another right.
 */
static int begin(const struct request *req, struct db_tx *tx, struct db_view **ret_view,
                 const struct db_project **ret_project, struct error **err)
{
	const char *effective = NULL;

	int r = db_cache_view_in(req->state->cache, tx, DB_PROJECTS | DB_POOLS, ret_view, err);
	if (r == 0)
		r = project_effective(*ret_view, req->project, PROJECT_PROFILES, &effective, err);
	if (r == 0)
		r = request_authorize(req, "profile", "can_edit", effective, err);
	if (r < 0)
		return r;

	*ret_project = db_cache_project(*ret_view, effective);
	return 0;
}

struct creation {
	const struct request *req;
	struct db_profile row;
	char *effective; /* Where it went. */
};

static int create(struct db_tx *tx, void *arg, struct error **err)
{
	struct creation *c = arg;
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	scoped(error_freep) struct error *cause = NULL;
	const struct db_project *project = NULL;
	int64_t id;

	int r = begin(c->req, tx, &view, &project, err);
	if (r == 0)
		r = check(project, &c->row, err);
	if (r == 0)
		r = check_pools(view, &c->row.devices, err);
	if (r < 0)
		return r;

	free(c->effective);
	c->effective = xstrdup(project->name);

	struct db_profile row = c->row;

	row.project = project->name;
	r = db_profile_create(tx, &row, &id, &cause);
	if (r == -EEXIST)
		return error_set(err, 409,
		                 "Error inserting \"%s\" into database: The profile already exists",
		                 c->row.name);
	*err = TAKE_PTR(cause);
	return r;
}

static int read_body(struct json_object *body, struct db_profile *row, struct error **err)
{
	const char *description = row->description;

	if (jv_get_string(body, "description", &description, err) < 0 ||
	    jv_get_smap(body, "config", &row->config, err) < 0 ||
	    device_map_read(body, "devices", &row->devices, err) < 0)
		return (*err)->code;

	if (description != row->description) {
		free(row->description);
		row->description = xstrdup(description);
	}
	drop_empty(&row->config);
	return 0;
}

int profile_create(struct request *req, struct json_object *body, char **ret_url,
                   struct error **err)
{
	struct creation c = { .req = req };
	const char *name = "";

	int r = jv_get_string(body, "name", &name, err);
	if (r < 0)
		return r;

	r = project_check_profile_name(name, err);
	if (r < 0)
		return r;

	c.row.name = xstrdup(name);
	c.row.description = xstrdup("");
	r = read_body(body, &c.row, err);
	if (r == 0)
		r = db_cache_write(req->state->cache, create, &c, err);
	if (r == 0) {
		*ret_url = url_of(c.effective, name);
		lifecycle_send_for(req, "profile-created", c.effective, *ret_url, NULL);
	}

	db_profile_done(&c.row);
	free(c.effective);
	return r;
}

struct update {
	const struct request *req;
	const char *name;
	struct json_object *body;
	bool is_patch;
	char *effective;
	char **members; /* Those that must be told. */
};

static int load(struct db_tx *tx, const char *project, const char *name, const char *what,
                struct db_profile *ret_row, char ***ret_users, struct error **err)
{
	scoped(error_freep) struct error *cause = NULL;

	int r = db_profile_get(tx, project, name, ret_row, ret_users, &cause);
	if (r == -ENOENT)
		return error_set(err, 404, "%sProfile not found", what);
	if (r < 0)
		*err = TAKE_PTR(cause);

	return r;
}

/* PATCH: what is not there stays; config is merged by key, devices by name. */
static int apply_patch(struct json_object *body, struct db_profile *row, struct error **err)
{
	scoped(smap_done) struct smap given = { 0 };
	const char *description = NULL;

	if (jv_get_string(body, "description", &description, err) < 0 ||
	    jv_get_smap(body, "config", &given, err) < 0 ||
	    device_map_merge(body, "devices", &row->devices, err) < 0)
		return (*err)->code;

	smap_merge(&row->config, &given);
	drop_empty(&row->config);
	if (description) {
		free(row->description);
		row->description = xstrdup(description);
	}

	return 0;
}

static int apply_put(struct json_object *body, struct db_profile *row, struct error **err)
{
	smap_clear(&row->config);
	db_device_list_done(&row->devices);
	free(row->description);
	row->description = xstrdup("");
	return read_body(body, row, err);
}

static int update(struct db_tx *tx, void *arg, struct error **err)
{
	struct update *u = arg;
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	scoped(db_profile_done) struct db_profile now = { 0 };
	scoped(db_profile_done) struct db_profile row = { 0 };
	scoped(strv_freep) char **users = NULL;
	scoped_free char *what = xasprintf("Failed retrieving profile \"%s\": ", u->name);
	const struct db_project *project = NULL;

	int r = begin(u->req, tx, &view, &project, err);
	if (r == 0)
		r = load(tx, project->name, u->name, what, &now, &users, err);
	if (r < 0)
		return r;
	db_profile_copy(&row, &now);

	scoped(jv_unrefp) struct json_object *etag = profile_etag(&row);

	r = request_check_etag(u->req, etag, err);
	if (r < 0)
		return r;

	r = u->is_patch ? apply_patch(u->body, &row, err) : apply_put(u->body, &row, err);
	if (r < 0)
		return r;

	r = check(project, &row, err);
	if (r == 0)
		r = check_pools(view, &row.devices, err);
	if (r < 0)
		return r;

	free(u->effective);
	u->effective = xstrdup(project->name);
	strv_free(TAKE_PTR(u->members));
	if (!smap_equals(&now.config, &row.config) || !db_device_equal(&now.devices, &row.devices))
		u->members = TAKE_PTR(users);
	return db_profile_update(tx, &now, &row, err);
}

/* Running instances take over what may change while they run, each on its own member. */
static void tell_members(struct state *state, const char *project, const char *name,
                         char *const *members)
{
	scoped_free char *here = state_member_name(state);
	scoped(jv_unrefp) struct json_object *body = jv_object();
	scoped(error_freep) struct error *err = NULL;
	const struct connect_call call = {
		.method = "POST",
		.path = "/internal/profile-changed",
		.body = body,
		.timeout_ms = 30000,
	};

	if (state->profile_changed && strv_contains(members, here))
		state->profile_changed(state, project, name);
	if (!state_is_clustered(state) || strv_len(members) == strv_contains(members, here))
		return;

	jv_set_string(body, "project", project);
	jv_set_string(body, "name", name);
	if (notify_members(state->cluster, NOTIFY_TRY, &call, NULL, &err) < 0)
		log_warn("Failed telling other members of profile \"%s\": %s", name, err->msg);
}

int profile_update(struct request *req, const char *name, struct json_object *body, bool is_patch,
                   struct operation *op, struct error **err)
{
	struct update u = { .req = req, .name = name, .body = body, .is_patch = is_patch };
	scoped_free char *url = NULL;

	(void)op;

	int r = db_cache_write(req->state->cache, update, &u, err);
	if (r == 0) {
		url = url_of(u.effective, name);
		tell_members(req->state, u.effective, name, u.members);
		lifecycle_send_for(req, "profile-updated", u.effective, url, NULL);
	}

	free(u.effective);
	strv_free(u.members);
	return r;
}

struct rename {
	const struct request *req;
	const char *name;
	const char *new_name;
	char *effective;
};

static int rename_row(struct db_tx *tx, void *arg, struct error **err)
{
	struct rename *n = arg;
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	scoped(db_profile_done) struct db_profile row = { 0 };
	scoped(error_freep) struct error *cause = NULL;
	const struct db_project *project = NULL;

	free(TAKE_PTR(n->effective));

	int r = begin(n->req, tx, &view, &project, err);
	if (r == 0)
		r = load(tx, project->name, n->name, "", &row, NULL, err);
	if (r < 0)
		return r;

	n->effective = xstrdup(project->name);
	if (str_equals(n->name, n->new_name))
		return error_set(err, 409, "Name \"%s\" already in use", n->new_name);

	r = db_profile_rename(tx, project->name, n->name, n->new_name, &cause);
	if (r == -EEXIST)
		return error_set(err, 409, "Name \"%s\" already in use", n->new_name);
	*err = TAKE_PTR(cause);
	return r;
}

int profile_rename(struct request *req, const char *name, struct json_object *body, char **ret_url,
                   struct error **err)
{
	const char *new_name = "";

	if (str_equals(name, "default"))
		return error_set(err, 403, "The \"default\" profile cannot be renamed");

	int r = jv_get_string(body, "name", &new_name, err);
	if (r < 0)
		return r;

	r = project_check_profile_name(new_name, err);
	if (r < 0)
		return r;

	struct rename n = { .req = req, .name = name, .new_name = new_name };

	r = db_cache_write(req->state->cache, rename_row, &n, err);
	if (r == 0) {
		struct json_object *context = jv_object();

		jv_set_string(context, "old_name", name);
		*ret_url = url_of(n.effective, new_name);
		lifecycle_send_for(req, "profile-renamed", n.effective, *ret_url, context);
	}

	free(n.effective);
	return r;
}

static int delete (struct db_tx *tx, void *arg, struct error **err)
{
	struct rename *d = arg;
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	scoped(db_profile_done) struct db_profile row = { 0 };
	const struct db_project *project = NULL;

	free(TAKE_PTR(d->effective));

	int r = begin(d->req, tx, &view, &project, err);
	if (r == 0)
		r = load(tx, project->name, d->name, "", &row, NULL, err);
	if (r < 0)
		return r;

	d->effective = xstrdup(project->name);
	return db_profile_delete(tx, project->name, d->name, err);
}

int profile_delete(struct request *req, const char *name, struct error **err)
{
	struct rename d = { .req = req, .name = name };

	if (str_equals(name, "default"))
		return error_set(err, 403, "The \"default\" profile cannot be deleted");

	int r = db_cache_write(req->state->cache, delete, &d, err);
	if (r == 0) {
		scoped_free char *url = url_of(d.effective, name);

		lifecycle_send_for(req, "profile-deleted", d.effective, url, NULL);
	}

	free(d.effective);
	return r;
}
