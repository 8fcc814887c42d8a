/*
 * Each object is deleted as a client would: by a request to this daemon's own socket, which finds
 * the member that has it and takes its locks. That is slow and safe, and a project goes once.
 */
#include "daemon/api/projects_purge.h"

#include "daemon/core/dirs.h"
#include "daemon/core/lifecycle.h"
#include "daemon/core/state.h"
#include "db/cache.h"
#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/data/jv.h"
#include "lib/net/http_client.h"
#include "lib/net/url.h"

#define FAMILIES (DB_PROJECTS | DB_INSTANCES | DB_IMAGES | DB_VOLUMES)

/* Sends a request and waits for its operation, if it is answered with one. */
static int ask(struct http_client *client, const char *method, const char *path,
               struct json_object *body, struct error **err)
{
	scoped(jv_unrefp) struct json_object *envelope = NULL;
	scoped(jv_unrefp) struct json_object *ended = NULL;
	struct json_object *op;

	int r = http_client_query(client, method, path, body, 0, &envelope, err);
	if (r < 0 || !str_equals(jv_text(envelope, "type"), "async"))
		return r;

	scoped_free char *wait = xasprintf("%s/wait", str_or_empty(jv_text(envelope, "operation")));

	r = http_client_query(client, "GET", wait, NULL, 0, &ended, err);
	if (r < 0)
		return r;

	op = jv_member(ended, "metadata");
	if (jv_number(op, "status_code") != 200)
		return error_set(err, 400, "%s", str_or_empty(jv_text(op, "err")));

	return 0;
}

/* An object that somebody else deleted meanwhile is no failure. */
static int remove_object(struct http_client *client, const char *url, struct error **err)
{
	scoped(error_freep) struct error *cause = NULL;

	int r = ask(client, "DELETE", url, NULL, &cause);
	if (r < 0 && cause->status != 404) {
		*err = TAKE_PTR(cause);
		return error_wrap(err, "Failed deleting \"%s\"", url);
	}

	return 0;
}

static int remove_instance(struct http_client *client, const struct db_instance *row,
                           struct error **err)
{
	scoped(jv_unrefp) struct json_object *stop = jv_object();
	scoped(error_freep) struct error *ignored = NULL;
	scoped_free char *url =
		lifecycle_url(row->project, (const char *const[]){ "instances", row->name, NULL });
	scoped_free char *state_url = lifecycle_url(
		row->project, (const char *const[]){ "instances", row->name, "state", NULL });

	jv_set_string(stop, "action", "stop");
	jv_set_bool(stop, "force", true);
	jv_set_int(stop, "timeout", 10);
	ask(client, "PUT", state_url, stop, &ignored);
	return remove_object(client, url, err);
}

static int remove_volume(struct http_client *client, const struct db_storage_volume *row,
                         struct error **err)
{
	scoped_free char *url = lifecycle_url(
		row->project, (const char *const[]){ "storage-pools", row->pool, "volumes",
	                                             "custom", row->name, NULL });
	scoped_free char *member = url_escape(row->member);
	scoped_free char *targeted = xasprintf("%s&target=%s", url, member);

	return remove_object(
		client, *row->member && !str_equals(row->member, "none") ? targeted : url, err);
}

int projects_purge_run(struct state *state, const char *project, struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	const struct http_client_config config = { .unix_path = state->dirs->unix_socket };
	scoped(http_client_unrefp) struct http_client *client = http_client_new(&config);
	size_t n;

	int r = db_cache_view(state->cache, FAMILIES, &view, err);
	if (r < 0)
		return r;

	const struct db_expanded *const *instances = db_cache_instances(view, &n);
	const struct db_images *images = db_cache_images(view);
	const struct db_storage_volumes *volumes = db_cache_volumes(view);

	for (size_t i = 0; r == 0 && i < n; i++) {
		if (str_equals(instances[i]->row.project, project))
			r = remove_instance(client, &instances[i]->row, err);
	}

	for (size_t i = 0; r == 0 && i < images->n; i++) {
		scoped_free char *url = lifecycle_url(
			project,
			(const char *const[]){ "images", images->rows[i].fingerprint, NULL });

		if (str_equals(images->rows[i].project, project))
			r = remove_object(client, url, err);
	}

	for (size_t i = 0; r == 0 && i < volumes->n; i++) {
		const struct db_storage_volume *row = &volumes->rows[i];

		if (row->type == DB_VOLUME_CUSTOM && str_equals(row->project, project))
			r = remove_volume(client, row, err);
	}

	return r;
}
