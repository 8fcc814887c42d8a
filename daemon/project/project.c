#include "daemon/project/project.h"

#include <string.h>

#include "daemon/core/access.h"
#include "daemon/core/lifecycle.h"
#include "daemon/core/request.h"
#include "daemon/core/state.h"
#include "daemon/project/project_conf.h"
#include "daemon/project/project_limits.h"
#include "daemon/project/project_usage.h"
#include "db/cache.h"
#include "lib/base/alloc.h"
#include "lib/base/parse.h"
#include "lib/base/smap.h"
#include "lib/base/str.h"
#include "lib/conf/conf.h"
#include "lib/data/jv.h"

static const char *const feature_keys[] = {
	[PROJECT_INSTANCES] = NULL,
	[PROJECT_IMAGES] = "features.images",
	[PROJECT_PROFILES] = "features.profiles",
	[PROJECT_VOLUMES] = "features.storage.volumes",
	[PROJECT_BUCKETS] = "features.storage.buckets",
	[PROJECT_NETWORKS] = "features.networks",
	[PROJECT_ZONES] = "features.networks.zones",
};
static_assert(COUNT_OF(feature_keys) == PROJECT_N_FEATURES, "A feature has no key");

/* What a new project has of its own unless told otherwise. */
static const char *const features_of_new[] = {
	"features.images",
	"features.profiles",
	"features.storage.buckets",
	"features.storage.volumes",
};

const struct conf_key *project_conf_table(void)
{
	return project_conf_keys;
}

bool project_has(const struct db_project *project, enum project_feature feature)
{
	return !feature_keys[feature] || str_equals(project->name, "default") ||
	       smap_is_true(&project->config, feature_keys[feature]);
}

int project_effective(const struct db_view *view, const char *project, enum project_feature feature,
                      const char **ret_project, struct error **err)
{
	const struct db_project *row = db_cache_project(view, project);

	if (!row)
		return error_set(err, 404, "Failed loading project \"%s\": Project not found",
		                 project);

	*ret_project = project_has(row, feature) ? row->name : "default";
	return 0;
}

static int load(struct db_tx *tx, const char *name, struct db_project *ret_row, struct error **err)
{
	scoped(error_freep) struct error *cause = NULL;

	int r = db_project_get(tx, name, ret_row, &cause);
	if (r == -ENOENT)
		return error_set(err, 404, "Failed loading project \"%s\": Project not found",
		                 name);
	if (r < 0)
		*err = TAKE_PTR(cause);

	return r;
}

int project_effective_in(struct db_tx *tx, const char *project, enum project_feature feature,
                         char **ret_project, struct error **err)
{
	scoped(db_project_done) struct db_project row = { 0 };

	int r = load(tx, project, &row, err);
	if (r < 0)
		return r;

	*ret_project = xstrdup(project_has(&row, feature) ? row.name : "default");
	return 0;
}

static int check_common(const char *kind, const char *name, struct error **err)
{
	if (str_is_empty(name))
		return error_set(err, 400, "No name provided");

	if (strchr(name, '/'))
		return error_set(err, 400, "%s names may not contain slashes", kind);

	if (str_equals(name, ".") || str_equals(name, "..") || str_has_control(name))
		return error_set(err, 400, "Invalid %s name \"%s\"", kind, name);

	if (strlen(name) > 64)
		return error_set(err, 400, "%s names may not be longer than 64 bytes", kind);

	return 0;
}

int project_check_name(const char *kind, const char *name, struct error **err)
{
	static const struct {
		char c;
		const char *what;
	} forbidden[] = {
		{ ' ', "spaces" },        { '_', "underscores" },  { '\'', "single quotes" },
		{ '"', "double quotes" }, { '*', "asterisks" },    { '?', "question marks" },
		{ '&', "ampersands" },    { '+', "plus signs" },   { '%', "percent signs" },
		{ '$', "dollar signs" },  { '#', "number signs" },
	};

	int r = check_common(kind, name, err);
	if (r < 0)
		return r;

	for (size_t i = 0; i < COUNT_OF(forbidden); i++) {
		if (strchr(name, forbidden[i].c))
			return error_set(err, 400, "%s names may not contain %s", kind,
			                 forbidden[i].what);
	}

	return 0;
}

int project_check_profile_name(const char *name, struct error **err)
{
	return check_common("Profile", name, err);
}

static char *url_of(const char *name)
{
	return lifecycle_url(NULL, (const char *const[]){ "projects", name, NULL });
}

struct json_object *project_json(const struct db_view *view, const struct db_project *project)
{
	struct json_object *o = jv_object();

	jv_set_string(o, "name", project->name);
	jv_set_string(o, "description", project->description);
	jv_set_smap(o, "config", &project->config);
	jv_set_take(o, "used_by", project_usage_urls(view, project->name));
	return o;
}

struct json_object *project_state_json(const struct db_view *view, const struct db_project *project)
{
	struct json_object *o = jv_object();

	jv_set_take(o, "resources", project_usage_json(view, project));
	return o;
}

struct json_object *project_etag(const struct db_project *project)
{
	struct json_object *o = jv_object();

	jv_set_string(o, "name", project->name);
	jv_set_string(o, "description", project->description);
	jv_set_smap(o, "config", &project->config);
	return o;
}

static int check_config(const struct smap *config, struct error **err)
{
	SMAP_FOREACH (e, config) {
		if (!conf_find(project_conf_keys, e->key))
			return error_set(err, 400, "Invalid project configuration key \"%s\"",
			                 e->key);

		int r = conf_validate(project_conf_keys, e->key, e->value, err);
		if (r < 0)
			return error_wrap(err, "Invalid project configuration key \"%s\" value",
			                  e->key);
	}

	return 0;
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

static int create_default_profile(struct db_tx *tx, const char *project, struct error **err)
{
	scoped_free char *description = xasprintf("Default Muster profile for project %s", project);
	const struct db_profile profile = {
		.project = (char *)project,
		.name = (char *)"default",
		.description = description,
	};
	int64_t id;

	return db_profile_create(tx, &profile, &id, err);
}

static int create(struct db_tx *tx, void *arg, struct error **err)
{
	const struct db_project *row = arg;
	scoped(db_project_done) struct db_project existing = { 0 };
	scoped(error_freep) struct error *cause = NULL;
	int64_t id;

	int r = db_project_get(tx, row->name, &existing, &cause);
	if (r == 0)
		return error_set(err, 409, "Project \"%s\" already exists", row->name);
	if (r != -ENOENT) {
		*err = TAKE_PTR(cause);
		return r;
	}

	r = db_project_create(tx, row, &id, err);
	if (r < 0)
		return r;

	return project_has(row, PROJECT_PROFILES) ? create_default_profile(tx, row->name, err) : 0;
}

int project_create(struct request *req, struct json_object *body, char **ret_url,
                   struct error **err)
{
	scoped(smap_done) struct smap config = { 0 };
	const char *name = "", *description = "";

	if (jv_get_string(body, "name", &name, err) < 0 ||
	    jv_get_string(body, "description", &description, err) < 0 ||
	    jv_get_smap(body, "config", &config, err) < 0)
		return (*err)->code;

	int r = project_check_name("Project", name, err);
	if (r < 0)
		return r;

	drop_empty(&config);
	r = check_config(&config, err);
	if (r < 0)
		return r;

	for (size_t i = 0; i < COUNT_OF(features_of_new); i++) {
		if (!smap_has(&config, features_of_new[i]))
			smap_set(&config, features_of_new[i], "true");
	}

	const struct db_project row = {
		.name = (char *)name,
		.description = (char *)description,
		.config = config,
	};

	r = db_write(req->state->db, create, (void *)&row, err);
	if (r < 0)
		return r;

	*ret_url = url_of(name);
	lifecycle_send_for(req, "project-created", name, *ret_url, NULL);
	return 0;
}

struct update {
	const struct request *req;
	const char *name;
	struct json_object *body;
	bool is_patch;
};

static int check_features(struct db_tx *tx, const struct db_project *before,
                          const struct db_project *after, struct error **err)
{
	for (int f = PROJECT_IMAGES; f < PROJECT_N_FEATURES; f++) {
		bool had = smap_is_true(&before->config, feature_keys[f]);
		bool has = smap_is_true(&after->config, feature_keys[f]);
		int64_t n;

		if (had == has)
			continue;

		if (str_equals(before->name, "default"))
			return error_set(err, 400,
			                 "The features of the default project cannot be changed");

		int r = db_project_count_content(tx, before->name, &n, err);
		if (r < 0)
			return r;
		if (n > 0)
			return error_set(err, 400,
			                 "Features can only be changed on empty projects");

		if (f == PROJECT_PROFILES) {
			r = has ? create_default_profile(tx, before->name, err)
			        : db_profile_delete(tx, before->name, "default", err);
			if (r < 0)
				return r;
		}
	}

	return 0;
}

static int update(struct db_tx *tx, void *arg, struct error **err)
{
	struct update *u = arg;
	scoped(db_project_done) struct db_project row = { 0 };
	scoped(smap_done) struct smap config = { 0 };
	const char *description;

	int r = load(tx, u->name, &row, err);
	if (r < 0)
		return r;

	scoped(jv_unrefp) struct json_object *etag = project_etag(&row);

	r = request_check_etag(u->req, etag, err);
	if (r < 0)
		return r;

	description = u->is_patch ? row.description : "";
	if (u->is_patch)
		smap_copy(&config, &row.config);

	scoped(smap_done) struct smap given = { 0 };

	if (jv_get_string(u->body, "description", &description, err) < 0 ||
	    jv_get_smap(u->body, "config", &given, err) < 0)
		return (*err)->code;
	smap_merge(&config, &given);
	drop_empty(&config);

	r = check_config(&config, err);
	if (r < 0)
		return r;

	const struct db_project wanted = {
		.id = row.id,
		.name = row.name,
		.description = (char *)description,
		.config = config,
	};

	r = check_features(tx, &row, &wanted, err);
	if (r == 0)
		r = project_limits_check_change(tx, &row, &wanted, err);
	if (r < 0)
		return r;

	return db_project_update(tx, &wanted, err);
}

int project_update(struct request *req, const char *name, struct json_object *body, bool is_patch,
                   struct error **err)
{
	struct update u = { .req = req, .name = name, .body = body, .is_patch = is_patch };
	scoped_free char *url = url_of(name);

	int r = db_write(req->state->db, update, &u, err);
	if (r < 0)
		return r;

	lifecycle_send_for(req, "project-updated", name, url, NULL);
	return 0;
}

struct rename {
	const char *name;
	const char *new_name;
};

static int check_empty(struct db_tx *tx, const char *name, const char *verb, struct error **err)
{
	int64_t n;

	int r = db_project_count_content(tx, name, &n, err);
	if (r < 0)
		return r;

	return n > 0 ? error_set(err, 400, "Only empty projects can be %s", verb) : 0;
}

static int rename_row(struct db_tx *tx, void *arg, struct error **err)
{
	const struct rename *n = arg;
	scoped(db_project_done) struct db_project row = { 0 };
	scoped(db_project_done) struct db_project other = { 0 };
	scoped(error_freep) struct error *none = NULL;

	int r = load(tx, n->name, &row, err);
	if (r < 0)
		return r;

	if (db_project_get(tx, n->new_name, &other, &none) == 0)
		return error_set(err, 409, "A project named \"%s\" already exists", n->new_name);

	r = check_empty(tx, n->name, "renamed", err);
	if (r < 0)
		return r;

	return db_project_rename(tx, n->name, n->new_name, err);
}

int project_rename(struct request *req, const char *name, const char *new_name, struct error **err)
{
	const struct rename n = { .name = name, .new_name = new_name };
	scoped_free char *url = url_of(new_name);

	if (str_equals(name, "default"))
		return error_set(err, 403, "The 'default' project cannot be renamed");

	int r = project_check_name("Project", new_name, err);
	if (r < 0)
		return r;

	r = db_write(req->state->db, rename_row, (void *)&n, err);
	if (r < 0)
		return r;

	struct json_object *context = jv_object();

	jv_set_string(context, "old_name", name);
	lifecycle_send_for(req, "project-renamed", new_name, url, context);
	return 0;
}

struct removal {
	const char *name;
	bool is_forced;
};

/* Profiles and placement groups are rows and nothing else. */
static int delete_rows(struct db_tx *tx, const char *project, struct error **err)
{
	struct db_profiles profiles = { 0 };
	struct db_placement_groups groups = { 0 };

	int r = db_profile_list(tx, project, &profiles, err);
	for (size_t i = 0; r == 0 && i < profiles.n; i++) {
		if (!str_equals(profiles.rows[i].name, "default"))
			r = db_profile_delete(tx, project, profiles.rows[i].name, err);
	}
	db_profile_list_done(&profiles);
	if (r < 0)
		return r;

	r = db_placement_group_list(tx, project, &groups, err);
	for (size_t i = 0; r == 0 && i < groups.n; i++)
		r = db_placement_group_delete(tx, project, groups.rows[i].name, err);
	db_placement_group_list_done(&groups);
	return r;
}

static int delete (struct db_tx *tx, void *arg, struct error **err)
{
	const struct removal *d = arg;
	scoped(db_project_done) struct db_project row = { 0 };

	int r = load(tx, d->name, &row, err);
	if (r < 0)
		return r;

	if (d->is_forced) {
		r = delete_rows(tx, d->name, err);
		if (r < 0)
			return r;
	}

	r = check_empty(tx, d->name, "removed", err);
	if (r < 0)
		return r;

	return db_project_delete(tx, d->name, err);
}

int project_delete(struct request *req, const char *name, bool is_forced, struct error **err)
{
	const struct removal d = { .name = name, .is_forced = is_forced };
	scoped_free char *url = url_of(name);

	if (str_equals(name, "default"))
		return error_set(err, 403, "The 'default' project cannot be deleted");

	int r = db_write(req->state->db, delete, (void *)&d, err);
	if (r < 0)
		return r;

	lifecycle_send_for(req, "project-deleted", name, url, NULL);
	return 0;
}
