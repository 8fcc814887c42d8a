#include "daemon/image/image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cluster/notify.h"
#include "daemon/core/dirs.h"
#include "daemon/core/lifecycle.h"
#include "daemon/core/locks.h"
#include "daemon/core/operation.h"
#include "daemon/core/request.h"
#include "daemon/core/state.h"
#include "daemon/storage/storage_image.h"
#include "db/cache.h"
#include "db/images.h"
#include "lib/base/alloc.h"
#include "lib/base/date.h"
#include "lib/base/file.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/data/jv.h"

#define TOUCH_AGE (INT64_C(3600) * DATE_SECOND)

#define FINGERPRINT_LEN 64
#define MIN_PREFIX_LEN 12
#define HEX_DIGITS "0123456789abcdef"

char *image_path(struct state *state, const char *fingerprint, bool is_rootfs)
{
	return xasprintf("%s/%s%s", state->dirs->images, fingerprint, is_rootfs ? ".rootfs" : "");
}

char *image_url(const char *project, const char *fingerprint)
{
	return lifecycle_url(project, (const char *const[]){ "images", fingerprint, NULL });
}

bool image_is_fingerprint(const char *text)
{
	return strlen(text) == FINGERPRINT_LEN && str_is_made_of(text, HEX_DIGITS);
}

static const char *type_name(int64_t type)
{
	return type == DB_INSTANCE_VM ? "virtual-machine" : "container";
}

static bool is_type(int64_t type, const char *wanted)
{
	return str_is_empty(wanted) || strcmp(type_name(type), wanted) == 0;
}

static int find_prefix(const struct db_view *view, const char *project, const char *prefix,
                       const char *type, char **ret_fingerprint, struct error **err)
{
	const struct db_images *images = db_cache_images(view);
	const struct db_image *found = NULL;

	for (size_t i = 0; i < images->n; i++) {
		const struct db_image *row = &images->rows[i];

		if (strcmp(row->project, project) != 0 || !str_starts(row->fingerprint, prefix) ||
		    !is_type(row->type, type))
			continue;
		if (found)
			return error_set(err, 400, "More than one image matches");
		found = row;
	}
	if (!found)
		return error_set(err, 404, "Image not found");
	*ret_fingerprint = xstrdup(found->fingerprint);
	return 0;
}

int image_resolve(struct state *state, const char *project, const char *text, bool may_be_alias,
                  const char *type, char **ret_fingerprint, struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;

	int r = db_cache_view(state->cache, DB_IMAGES, &view, err);
	if (r < 0)
		return r;

	const struct db_image_alias *alias =
		may_be_alias ? db_cache_image_alias(view, project, text) : NULL;
	if (alias && is_type(alias->type, type)) {
		*ret_fingerprint = xstrdup(alias->fingerprint);
		return 0;
	}
	if (may_be_alias && !str_is_made_of(text, HEX_DIGITS))
		return error_set(err, 404, "Image not found");
	if (strlen(text) < MIN_PREFIX_LEN)
		return may_be_alias
		               ? error_set(err, 404, "Image not found")
		               : error_set(
					 err, 400,
					 "Image fingerprint prefix must contain %d characters or more",
					 MIN_PREFIX_LEN);
	return find_prefix(view, project, text, type, ret_fingerprint, err);
}

int image_touch(struct db_tx *tx, const struct db_view *view, const char *project,
                const char *fingerprint, struct error **err)
{
	const struct db_image *row = db_cache_image(view, project, fingerprint);
	int64_t now = date_now();

	if (!row || (row->last_used != DATE_NONE && row->last_used > now - TOUCH_AGE))
		return 0;
	return db_image_set_last_used(tx, row->id, now, err);
}

struct deletion {
	const char *project, *fingerprint;
	size_t n_left; /* Projects that have the image afterwards. */
};

static int write_deletion(struct db_tx *tx, void *arg, struct error **err)
{
	struct deletion *d = arg;
	scoped(db_image_list_done) struct db_images all = { 0 };
	int64_t id = 0;

	int r = db_image_list(tx, NULL, &all, err);
	if (r < 0)
		return r;
	d->n_left = 0;
	for (size_t i = 0; i < all.n; i++) {
		if (strcmp(all.rows[i].fingerprint, d->fingerprint) != 0)
			continue;
		if (strcmp(all.rows[i].project, d->project) == 0)
			id = all.rows[i].id;
		else
			d->n_left++;
	}
	if (id == 0)
		return error_set(err, 404, "Image not found");
	return db_image_delete(tx, id, err);
}

/* 1 if any project has it, else 0. */
static int is_named(struct state *state, const char *fingerprint, struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;

	int r = db_cache_view(state->cache, DB_IMAGES, &view, err);
	if (r < 0)
		return r;
	const struct db_images *rows = db_cache_images(view);
	for (size_t i = 0; i < rows->n; i++)
		if (strcmp(rows->rows[i].fingerprint, fingerprint) == 0)
			return 1;
	return 0;
}

int image_delete_here(struct state *state, const char *fingerprint, struct error **err)
{
	scoped(locks_releasep) struct lock *lock = NULL;
	scoped_free char *meta = image_path(state, fingerprint, false);
	scoped_free char *rootfs = image_path(state, fingerprint, true);

	int r = locks_take(state->locks, LOCK_IMAGE, fingerprint, NULL, &lock, err);
	/* It may have come anew since its last row went. */
	if (r == 0)
		r = is_named(state, fingerprint, err);
	if (r != 0)
		return r < 0 ? r : 0;
	r = storage_image_delete(state, fingerprint, err);
	if (r < 0)
		return r;
	if (unlink(rootfs) < 0 && errno != ENOENT)
		return error_set_errno(err, -errno, "Failed removing \"%s\"", rootfs);
	if (unlink(meta) < 0 && errno != ENOENT)
		return error_set_errno(err, -errno, "Failed removing \"%s\"", meta);
	return 0;
}

int image_delete(struct state *state, struct operation *operation, const char *project,
                 const char *fingerprint, struct error **err)
{
	struct deletion d = { .project = project, .fingerprint = fingerprint };
	scoped_free char *url = image_url(project, fingerprint);
	scoped_free char *path = xasprintf("/internal/images/%s", fingerprint);
	const struct connect_call call = { .method = "DELETE", .path = path };

	int r = db_write(state->db, write_deletion, &d, err);
	if (r < 0)
		return r;
	if (d.n_left == 0) {
		scoped(error_freep) struct error *ignored = NULL;

		r = image_delete_here(state, fingerprint, err);
		/* A member that is away removes what no row names when it is back. */
		if (state_is_clustered(state))
			notify_members(state->cluster, NOTIFY_TRY, &call, NULL, &ignored);
	}
	if (r == 0 && operation)
		lifecycle_send_op(operation, "image-deleted", project, url, NULL);
	return r;
}

struct json_object *image_etag(const struct db_image *row)
{
	struct json_object *o = jv_object();

	jv_set_bool(o, "public", row->public);
	jv_set_bool(o, "auto_update", row->auto_update);
	jv_set_smap(o, "properties", &row->properties);
	return o;
}

static struct json_object *aliases_json(const struct db_image *row)
{
	struct json_object *array = jv_array();

	for (size_t i = 0; i < row->aliases.n; i++) {
		struct json_object *o = jv_object();

		jv_set_string(o, "name", row->aliases.rows[i].name);
		jv_set_string(o, "description", row->aliases.rows[i].description);
		jv_add_take(array, o);
	}
	return array;
}

struct json_object *image_json(const struct db_image *row)
{
	struct json_object *o = jv_object();

	jv_set_take(o, "aliases", aliases_json(row));
	jv_set_string(o, "architecture", row->architecture);
	jv_set_bool(o, "cached", row->cached);
	jv_set_bool(o, "public", row->public);
	jv_set_string(o, "filename", row->filename);
	jv_set_string(o, "fingerprint", row->fingerprint);
	jv_set_int(o, "size", row->size);
	if (*row->source_server) {
		struct json_object *source = jv_object();

		jv_set_string(source, "alias", row->source_alias);
		jv_set_string(source, "certificate", row->source_certificate);
		jv_set_string(source, "protocol", row->source_protocol);
		jv_set_string(source, "server", row->source_server);
		jv_set_string(source, "image_type", row->source_type);
		jv_set_take(o, "update_source", source);
	}
	jv_set_bool(o, "auto_update", row->auto_update);
	jv_set_string(o, "type", type_name(row->type));
	/* LXD stores "never" of these two as the beginning of 1970, unlike everywhere else. */
	jv_set_date(o, "created_at", row->created == DATE_NONE ? 0 : row->created);
	jv_set_date(o, "expires_at", row->expires == DATE_NONE ? 0 : row->expires);
	jv_set_date(o, "last_used_at", row->last_used);
	jv_set_date(o, "uploaded_at", row->uploaded);
	jv_set_smap(o, "properties", &row->properties);
	jv_set_strv(o, "profiles", row->profiles);
	jv_set_string(o, "project", row->project);
	return o;
}

int image_check_public(bool is_public, const char *project, struct error **err)
{
	if (!is_public || strcmp(project, "default") == 0)
		return 0;
	return error_set(err, 400, "Images can only be marked public in the default project");
}

int image_check_properties(const struct smap *properties, struct error **err)
{
	SMAP_FOREACH (e, properties) {
		size_t len = strlen(e->key);

		if (len == 0 || len > 255 || str_has_control(e->key) || !str_is_utf8(e->key, len))
			return error_set(err, 400, "Invalid image property \"%.255s\"", e->key);
	}
	return 0;
}
