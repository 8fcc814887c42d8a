#include "daemon/init_preseed.h"

#include <string.h>

#include "daemon/local_client.h"
#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/base/strbuf.h"
#include "lib/data/jv.h"
#include "lib/net/url.h"

/* One kind of object in a preseed. */
struct kind {
	const char *key;
	const char *collection; /* URL of its collection. */
	const char *what;       /* For messages. */
	bool is_per_project;
	const char *const *settable; /* Fields that a PUT takes; ends with NULL. */
};

static const char *const pool_fields[] = { "config", "description", NULL };
static const char *const project_fields[] = { "config", "description", NULL };
static const char *const profile_fields[] = { "config", "description", "devices", NULL };

static const struct kind kinds[] = {
	{ "networks", "/1.0/networks", "network", true, pool_fields },
	{ "storage_pools", "/1.0/storage-pools", "storage pool", false, pool_fields },
	{ "projects", "/1.0/projects", "project", false, project_fields },
	{ "profiles", "/1.0/profiles", "profile", true, profile_fields },
};

static char *object_path(const struct kind *kind, const char *name, const char *project)
{
	scoped_free char *escaped = url_escape(name);
	scoped_free char *in = str_is_empty(project) ? NULL : url_escape(project);

	return in ? xasprintf("%s/%s?project=%s", kind->collection, escaped, in)
	          : xasprintf("%s/%s", kind->collection, escaped);
}

static char *collection_path(const struct kind *kind, const char *project)
{
	scoped_free char *in = str_is_empty(project) ? NULL : url_escape(project);

	return in ? xasprintf("%s?project=%s", kind->collection, in) : xstrdup(kind->collection);
}

/* Values of config written by hand may be numbers and booleans. */
static void coerce(struct json_object *object)
{
	jv_coerce_strings(object, "config");
	JV_FOREACH (jv_member(object, "devices"), name, device) {
		(void)device;
		jv_coerce_strings(jv_member(object, "devices"), name);
	}
}

/* What is there keeps the keys that the preseed does not name. */
static int update(struct http_client *client, const struct kind *kind, const char *path,
                  struct json_object *existing, struct json_object *wanted, struct error **err)
{
	scoped(jv_unrefp) struct json_object *body = jv_object();

	for (const char *const *field = kind->settable; *field; field++) {
		struct json_object *value = jv_member(existing, *field);

		if (value)
			jv_set_take(body, *field, jv_copy(value));
	}
	for (const char *const *field = kind->settable; *field; field++) {
		struct json_object *value = jv_member(wanted, *field);

		if (json_object_is_type(value, json_type_object) && jv_member(body, *field))
			jv_merge(jv_member(body, *field), value);
		else if (value)
			jv_set_take(body, *field, jv_copy(value));
	}

	return local_client_call(client, "PUT", path, body, NULL, err);
}

static int apply_one(struct http_client *client, const struct kind *kind,
                     struct json_object *wanted, struct error **err)
{
	scoped(jv_unrefp) struct json_object *existing = NULL;
	scoped(error_freep) struct error *cause = NULL;
	const char *name = jv_text(wanted, "name");
	const char *project = kind->is_per_project ? jv_text(wanted, "project") : NULL;

	if (str_is_empty(name))
		return error_set(err, 400, "A %s of the preseed has no name", kind->what);

	scoped_free char *path = object_path(kind, name, project);
	scoped_free char *collection = collection_path(kind, project);

	coerce(wanted);

	int r = local_client_call(client, "GET", path, NULL, &existing, &cause);
	if (r == 0) {
		r = update(client, kind, path, existing, wanted, err);
		return r < 0 ? error_wrap(err, "Failed updating %s \"%s\"", kind->what, name) : 0;
	}
	if (cause->status != 404) {
		*err = TAKE_PTR(cause);
		return r;
	}

	jv_unset(wanted, "project");
	r = local_client_call(client, "POST", collection, wanted, NULL, err);
	return r < 0 ? error_wrap(err, "Failed creating %s \"%s\"", kind->what, name) : 0;
}

static int apply_kind(struct http_client *client, const struct kind *kind,
                      struct json_object *preseed, struct error **err)
{
	struct json_object *list = NULL;

	int r = jv_get_array(preseed, kind->key, &list, err);

	for (size_t i = 0; r >= 0 && i < jv_len(list); i++) {
		struct json_object *wanted = jv_item(list, i);

		r = jv_check_object(wanted, kind->key, err);
		if (r >= 0)
			r = apply_one(client, kind, wanted, err);
	}

	return r < 0 ? r : 0;
}

static int apply_volumes(struct http_client *client, struct json_object *preseed,
                         struct error **err)
{
	struct json_object *list = NULL;

	int r = jv_get_array(preseed, "storage_volumes", &list, err);

	for (size_t i = 0; r >= 0 && i < jv_len(list); i++) {
		struct json_object *wanted = jv_item(list, i);
		const char *pool = jv_text(wanted, "pool");

		if (str_is_empty(pool))
			return error_set(err, 400, "A volume of the preseed names no pool");

		scoped_free char *escaped = url_escape(pool);
		scoped_free char *collection =
			xasprintf("/1.0/storage-pools/%s/volumes/custom", escaped);
		const struct kind kind = { "storage_volumes", collection, "storage volume", true,
			                   pool_fields };

		jv_unset(wanted, "pool");
		r = apply_one(client, &kind, wanted, err);
	}

	return r < 0 ? r : 0;
}

static int apply_config(struct http_client *client, struct json_object *preseed, struct error **err)
{
	scoped(jv_unrefp) struct json_object *body = NULL;
	struct json_object *config = NULL;

	jv_coerce_strings(preseed, "config");

	int r = jv_get_object(preseed, "config", &config, err);
	if (r < 0)
		return r;
	if (!config || json_object_object_length(config) == 0)
		return 0;

	body = jv_object();
	jv_set_take(body, "config", jv_copy(config));
	r = local_client_call(client, "PATCH", "/1.0", body, NULL, err);
	return r < 0 ? error_wrap(err, "Failed updating the server's configuration") : 0;
}

static int apply_cluster(struct http_client *client, struct json_object *cluster,
                         struct error **err)
{
	int r = local_client_call(client, "PUT", "/1.0/cluster", cluster, NULL, err);

	return r < 0 ? error_wrap(err, "Failed clustering") : 0;
}

static bool joins(struct json_object *cluster)
{
	return !str_is_empty(jv_text(cluster, "cluster_address")) ||
	       !str_is_empty(jv_text(cluster, "cluster_token"));
}

int init_preseed_apply(struct http_client *client, struct json_object *preseed, struct error **err)
{
	struct json_object *cluster = NULL;

	int r = jv_get_object(preseed, "cluster", &cluster, err);
	if (r < 0)
		return r;

	r = apply_config(client, preseed, err);
	if (r < 0)
		return r;

	/* A member that joins gets everything else from the cluster. */
	if (cluster && jv_flag(cluster, "enabled")) {
		r = apply_cluster(client, cluster, err);
		if (r < 0 || joins(cluster))
			return r;
	}

	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		r = apply_kind(client, &kinds[i], preseed, err);
		if (r < 0)
			return r;
	}

	return apply_volumes(client, preseed, err);
}

static int dump_kind(struct http_client *client, const struct kind *kind,
                     struct json_object *preseed, struct error **err)
{
	scoped(jv_unrefp) struct json_object *list = NULL;
	scoped(error_freep) struct error *cause = NULL;
	scoped_free char *path = xasprintf("%s?recursion=1", kind->collection);
	struct json_object *items = jv_array();

	int r = local_client_call(client, "GET", path, NULL, &list, &cause);
	if (r < 0 && cause->status != 404) {
		jv_unref(items);
		*err = TAKE_PTR(cause);
		return r;
	}

	for (size_t i = 0; i < jv_len(list); i++) {
		struct json_object *item = jv_item(list, i), *o = jv_object();

		for (const char *const *field = kind->settable; *field; field++) {
			struct json_object *value = jv_member(item, *field);

			if (value)
				jv_set_take(o, *field, jv_copy(value));
		}
		jv_set_string(o, "name", jv_text(item, "name"));
		if (jv_text(item, "driver"))
			jv_set_string(o, "driver", jv_text(item, "driver"));
		jv_add_take(items, o);
	}

	jv_set_take(preseed, kind->key, items);
	return 0;
}

int init_preseed_dump(struct http_client *client, struct json_object **ret_preseed,
                      struct error **err)
{
	scoped(jv_unrefp) struct json_object *preseed = jv_object();
	scoped(jv_unrefp) struct json_object *server = NULL;

	int r = local_client_call(client, "GET", "/1.0", NULL, &server, err);
	if (r < 0)
		return r;

	jv_set_take(preseed, "config", jv_copy(jv_member(server, "config")));
	jv_unset(jv_member(preseed, "config"), "volatile.uuid");
	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		r = dump_kind(client, &kinds[i], preseed, err);
		if (r < 0)
			return r;
	}

	*ret_preseed = TAKE_PTR(preseed);
	return 0;
}
