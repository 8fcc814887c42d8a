/* Changes of what is said of an image: visibility, properties, profiles, expiry. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/lifecycle.h"
#include "daemon/core/request.h"
#include "daemon/core/state.h"
#include "daemon/image/image.h"
#include "daemon/project/project.h"
#include "db/cache.h"
#include "db/images.h"
#include "lib/base/alloc.h"
#include "lib/base/date.h"
#include "lib/base/strv.h"
#include "lib/data/jv.h"

struct change {
	struct request *req;
	const char *project, *fingerprint;
	char *profile_project;

	/* What the body says. */
	bool is_public, auto_update;
	struct smap properties;
	char **profiles;
	int64_t expires;
	bool has_public, has_auto_update, has_properties, has_profiles, has_expiry;
	bool merges;
};

static void change_done(struct change *c)
{
	free(c->profile_project);
	smap_done(&c->properties);
	strv_free(c->profiles);
}

static int parse(struct change *c, struct json_object *body, struct error **err)
{
	int r[] = {
		jv_get_bool(body, "public", &c->is_public, err),
		*err ? -EINVAL : jv_get_bool(body, "auto_update", &c->auto_update, err),
		*err ? -EINVAL : jv_get_smap(body, "properties", &c->properties, err),
		*err ? -EINVAL : jv_get_strv(body, "profiles", &c->profiles, err),
		*err ? -EINVAL : jv_get_date(body, "expires_at", &c->expires, err),
	};

	if (*err || image_check_properties(&c->properties, err) < 0)
		return (*err)->code;
	c->has_public = r[0] > 0 || !c->merges;
	c->has_auto_update = r[1] > 0 || !c->merges;
	c->has_properties = r[2] > 0 || !c->merges;
	c->has_profiles = r[3] > 0;
	c->has_expiry = r[4] > 0;
	return image_check_public(c->has_public && c->is_public, c->project, err);
}

static int write_change(struct db_tx *tx, void *arg, struct error **err)
{
	const struct change *c = arg;
	scoped(db_image_done) struct db_image row = { 0 };
	scoped(jv_unrefp) struct json_object *etag = NULL;

	int r = db_image_get(tx, c->project, c->fingerprint, &row, err);
	if (r < 0)
		return r;
	etag = image_etag(&row);
	r = request_check_etag(c->req, etag, err);
	if (r < 0)
		return r;

	if (c->has_public)
		row.public = c->is_public;
	if (c->has_auto_update)
		row.auto_update = c->auto_update;
	if (c->has_properties)
		smap_copy(&row.properties, &c->properties);
	if (c->has_expiry)
		row.expires = c->expires;
	if (c->has_profiles) {
		strv_free(row.profiles);
		row.profiles = strv_copy(c->profiles);
	}
	return db_image_update(tx, &row, c->profile_project, err);
}

static int find_profile_project(struct change *c, struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	const char *project;

	int r = db_cache_view(c->req->state->cache, DB_PROJECTS, &view, err);
	if (r == 0)
		r = project_effective(view, c->project, PROJECT_PROFILES, &project, err);
	if (r == 0)
		c->profile_project = xstrdup(project);
	return r;
}

int image_update(struct request *req, const char *project, const char *fingerprint,
                 struct json_object *body, bool is_patch, struct error **err)
{
	scoped(change_done) struct change c = {
		.req = req,
		.project = project,
		.fingerprint = fingerprint,
		.merges = is_patch,
		.expires = DATE_NONE,
	};

	int r = parse(&c, body, err);
	if (r == 0)
		r = find_profile_project(&c, err);
	if (r == 0)
		r = db_write(req->state->db, write_change, &c, err);
	if (r < 0)
		return r;
	scoped_free char *url = image_url(project, fingerprint);
	lifecycle_send_for(req, "image-updated", project, url, NULL);
	return 0;
}
