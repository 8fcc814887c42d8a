#include "client/instance_copy.h"

#include <stdlib.h>
#include <string.h>

#include "client/follow.h"
#include "client/output.h"
#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/data/jv.h"

static char *instance_of(const char *source)
{
	return xasprintf("%.*s", (int)strcspn(source, "/"), source);
}

static int get_source(const struct instance_copy *c, struct json_object **ret_source,
                      struct error **err)
{
	scoped_free char *instance = instance_of(c->source);
	const char *slash = strchr(c->source, '/');

	if (slash)
		return server_get(c->from, ret_source, err, "/1.0/instances/%s/snapshots/%s",
		                  instance, slash + 1);
	return server_get(c->from, ret_source, err, "/1.0/instances/%s", instance);
}

/* The new instance's document: the old one's without what belongs to the old one only. */
static struct json_object *body_of(const struct instance_copy *c, struct json_object *source)
{
	static const char *const fields[] = { "architecture", "config",   "devices",
		                              "ephemeral",    "profiles", "description",
		                              "stateful",     NULL };
	struct json_object *body = output_pick(source, fields);
	struct json_object *config = jv_copy(jv_member(source, "config"));
	scoped(strv_freep) char **drop = NULL;

	JV_FOREACH (config, key, unused) {
		(void)unused;
		if (str_starts(key, "volatile.") && !c->keep_volatile &&
		    strcmp(key, "volatile.base_image") != 0)
			strv_add(&drop, key);
	}
	STRV_FOREACH (key, drop) {
		jv_unset(config, key);
	}
	jv_set_take(body, "config", config ? config : jv_object());
	if (!jv_member(source, "devices"))
		jv_set_take(body, "devices", jv_object());
	else
		jv_set_take(body, "devices", jv_copy(jv_member(source, "devices")));
	jv_set_string(body, "name", c->name);
	jv_set_string(body, "type",
	              str_is_empty(jv_text(source, "type")) ? "container"
	                                                    : jv_text(source, "type"));
	return body;
}

static struct json_object *source_of(const struct instance_copy *c, struct json_object *body,
                                     const char *type)
{
	struct json_object *source = jv_object();

	jv_set_string(source, "type", type);
	jv_set_string(source, "base-image",
	              jv_text(jv_member(body, "config"), "volatile.base_image"));
	jv_set_bool(source, "instance_only", c->instance_only);
	jv_set_bool(source, "container_only", c->instance_only);
	jv_set_bool(source, "live", c->live);
	jv_set_bool(source, "refresh", c->refresh);
	jv_set_bool(source, "allow_inconsistent", c->allow_inconsistent);
	return source;
}

/* The target's view: project and member, put back afterwards. */
static int create(const struct instance_copy *c, struct json_object *body,
                  struct json_object **ret_op, struct error **err)
{
	scoped_free char *before = xstrdup(server_project(c->to));

	if (c->to_project)
		server_set_project(c->to, c->to_project);
	server_set_target(c->to, c->to_target);
	int r = server_start(c->to, "POST", body, ret_op, err, "/1.0/instances");
	server_set_target(c->to, NULL);
	if (c->to_project)
		server_set_project(c->to, before);
	return r;
}

static int finish(const struct instance_copy *c, struct json_object *op, struct error **err)
{
	scoped(jv_unrefp) struct json_object *done = NULL;
	struct follow follow = { .label = c->label };
	int r = follow_operation(c->client, c->to, op, &follow, &done, err);

	if (r < 0 || *c->name)
		return r;
	const char *url =
		jv_string(jv_item(jv_member(jv_member(done, "resources"), "instances"), 0));
	if (url && strrchr(url, '/')) {
		const char *made = strrchr(url, '/') + 1;

		client_say(c->client, "Instance name is: %.*s", (int)strcspn(made, "?"), made);
	}
	return r;
}

static int copy_inside(const struct instance_copy *c, struct json_object *body, struct error **err)
{
	scoped(jv_unrefp) struct json_object *op = NULL;
	struct json_object *source = source_of(c, body, "copy");

	jv_set_string(source, "source", c->source);
	jv_set_string(source, "project", server_project(c->from));
	jv_set_take(body, "source", source);
	int r = create(c, body, &op, err);
	return r < 0 ? r : finish(c, op, err);
}

/* "https://host:port/1.0/operations/UUID" on an address that the other side can reach. */
static int operation_url(struct server *server, struct json_object *op, char **ret_url,
                         char **ret_certificate, struct error **err)
{
	struct json_object *info, *list;
	int r = server_info(server, &info, err);

	if (r < 0)
		return r;
	list = jv_member(jv_member(info, "environment"), "addresses");
	for (size_t i = 0; i < jv_len(list); i++) {
		const char *a = str_or_empty(jv_string(jv_item(list, i)));

		if (str_starts(a, "127.") || str_starts(a, "[::1]"))
			continue;
		*ret_url = xasprintf("https://%s/1.0/operations/%s", a,
		                     str_or_empty(jv_text(op, "id")));
		*ret_certificate = xstrdup(
			str_or_empty(jv_text(jv_member(info, "environment"), "certificate")));
		return 0;
	}
	return error_set(err, 400, "The server \"%s\" listens on no address that others can reach",
	                 server_name(server));
}

/* Asks the source to send; 'target' tells it where to in push mode. */
static int start_source(const struct instance_copy *c, struct json_object *target,
                        struct json_object **ret_op, struct error **err)
{
	scoped(jv_unrefp) struct json_object *body = jv_object();
	scoped_free char *instance = instance_of(c->source);
	const char *slash = strchr(c->source, '/');

	jv_set_string(body, "name", slash ? slash + 1 : instance);
	jv_set_bool(body, "migration", true);
	jv_set_bool(body, "live", c->live);
	jv_set_bool(body, "instance_only", c->instance_only);
	jv_set_bool(body, "container_only", c->instance_only);
	jv_set_bool(body, "allow_inconsistent", c->allow_inconsistent);
	if (target)
		jv_set_take(body, "target", jv_ref(target));
	if (slash)
		return server_start(c->from, "POST", body, ret_op, err,
		                    "/1.0/instances/%s/snapshots/%s", instance, slash + 1);
	return server_start(c->from, "POST", body, ret_op, err, "/1.0/instances/%s", instance);
}

static int copy_pull(const struct instance_copy *c, struct json_object *body, struct error **err)
{
	scoped(jv_unrefp) struct json_object *sending = NULL, *op = NULL;
	scoped_free char *url = NULL, *certificate = NULL;
	struct json_object *source;
	int r = start_source(c, NULL, &sending, err);

	if (r == 0)
		r = operation_url(c->from, sending, &url, &certificate, err);
	if (r < 0)
		return r;
	source = source_of(c, body, "migration");
	jv_set_string(source, "mode", "pull");
	jv_set_string(source, "operation", url);
	jv_set_string(source, "certificate", certificate);
	jv_set_take(source, "secrets", jv_ref(jv_member(sending, "metadata")));
	jv_set_take(body, "source", source);
	r = create(c, body, &op, err);
	if (r == 0)
		r = finish(c, op, err);
	if (r < 0) {
		scoped(error_freep) struct error *unread = NULL;

		server_send(c->from, "DELETE", NULL, &unread, "/1.0/operations/%s",
		            str_or_empty(jv_text(sending, "id")));
		return r;
	}
	return server_wait(c->from, str_or_empty(jv_text(sending, "id")), NULL, err);
}

static int copy_push(const struct instance_copy *c, struct json_object *body, struct error **err)
{
	scoped(jv_unrefp) struct json_object *receiving = NULL, *sending = NULL,
					     *target = jv_object();
	scoped_free char *url = NULL, *certificate = NULL;
	struct json_object *source = source_of(c, body, "migration");

	jv_set_string(source, "mode", "push");
	jv_set_take(body, "source", source);
	int r = create(c, body, &receiving, err);
	if (r == 0)
		r = operation_url(c->to, receiving, &url, &certificate, err);
	if (r < 0)
		return r;
	jv_set_string(target, "operation", url);
	jv_set_string(target, "certificate", certificate);
	jv_set_take(target, "secrets", jv_ref(jv_member(receiving, "metadata")));
	r = start_source(c, target, &sending, err);
	if (r == 0)
		r = follow_operation(c->client, c->from, sending,
		                     &(struct follow){ .label = c->label }, NULL, err);
	if (r < 0) {
		scoped(error_freep) struct error *unread = NULL;

		server_send(c->to, "DELETE", NULL, &unread, "/1.0/operations/%s",
		            str_or_empty(jv_text(receiving, "id")));
		return r;
	}
	return finish(c, receiving, err);
}

int instance_copy_run(const struct instance_copy *c, struct error **err)
{
	scoped(jv_unrefp) struct json_object *source = NULL, *body = NULL;
	int r = get_source(c, &source, err);

	if (r < 0)
		return r;
	body = body_of(c, source);
	if (c->adjust && (r = c->adjust(c->arg, body, err)) < 0)
		return r;
	if (c->from == c->to)
		return copy_inside(c, body, err);
	if (str_equals(c->mode, "pull"))
		return copy_pull(c, body, err);
	if (str_equals(c->mode, "push"))
		return copy_push(c, body, err);
	return error_set(err, 400, "Transfer mode \"%s\" is not supported; use pull or push",
	                 c->mode);
}
