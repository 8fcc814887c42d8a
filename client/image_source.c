#include "client/image_source.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/data/jv.h"

int image_source_resolve(struct server *server, const char *name, bool is_vm,
                         char **ret_fingerprint, struct error **err)
{
	scoped(jv_unrefp) struct json_object *alias = NULL, *image = NULL;
	scoped(error_freep) struct error *missing = NULL;

	if (is_vm && server_get(server, &alias, &missing, "/1.0/images/aliases/virtual-machine/%s",
	                        name) == 0) {
		*ret_fingerprint = xstrdup(str_or_empty(jv_text(alias, "target")));
		return 0;
	}
	error_free(missing);
	missing = NULL;
	int r = server_get(server, &alias, &missing, "/1.0/images/aliases/%s", name);
	if (r == 0) {
		*ret_fingerprint = xstrdup(str_or_empty(jv_text(alias, "target")));
		return 0;
	}
	if (missing->status != 404) {
		*err = TAKE_PTR(missing);
		return r;
	}
	error_free(missing);
	missing = NULL;
	r = server_get(server, &image, &missing, "/1.0/images/%s", name);
	/* A word that cannot be a fingerprint is a bad request to some servers. */
	if (r < 0 && (missing->status == 404 || missing->status == 400))
		return error_set(err, 404, "Image \"%s\" not found", name);
	if (r < 0) {
		*err = TAKE_PTR(missing);
		return r;
	}
	*ret_fingerprint = xstrdup(str_or_empty(jv_text(image, "fingerprint")));
	return 0;
}

/*
 * An address under which others reach the server. A loopback one if it has no other: then whoever
 * reaches it at all is on the same machine.
 */
static const char *public_address(struct json_object *info)
{
	struct json_object *list = jv_member(jv_member(info, "environment"), "addresses");
	const char *loopback = NULL;

	for (size_t i = 0; i < jv_len(list); i++) {
		const char *a = jv_string(jv_item(list, i));

		if (a && !str_starts(a, "127.") && !str_starts(a, "[::1]"))
			return a;
		if (a && !loopback)
			loopback = a;
	}
	return loopback;
}

int image_source_add_server(struct server *server, struct json_object *source,
                            const char *fingerprint, struct error **err)
{
	scoped(jv_unrefp) struct json_object *image = NULL, *op = NULL;
	struct json_object *info;
	int r = server_info(server, &info, err);

	if (r < 0)
		return r;
	const char *address = public_address(info);
	if (!address)
		return error_set(err, 400,
		                 "The server \"%s\" listens on no address that others can reach",
		                 server_name(server));
	jv_set_stringf(source, "server", "https://%s", address);
	jv_set_string(source, "protocol", "lxd");
	jv_set_string(source, "certificate",
	              jv_text(jv_member(info, "environment"), "certificate"));
	if (!fingerprint)
		return 0;
	r = server_get(server, &image, err, "/1.0/images/%s", fingerprint);
	if (r < 0 || jv_flag(image, "public"))
		return r;
	r = server_start(server, "POST", NULL, &op, err, "/1.0/images/%s/secret", fingerprint);
	if (r == 0)
		jv_set_string(source, "secret", jv_text(jv_member(op, "metadata"), "secret"));
	return r;
}

/* Image servers of another kind are asked by the server itself. */
static bool is_image_server(struct client *client, const char *remote, struct json_object *source,
                            const char *name)
{
	struct json_object *conf = remotes_get(client->remotes, remote);
	const char *protocol = jv_text(conf, "protocol");

	if (str_is_empty(protocol) || str_equals(protocol, "lxd"))
		return false;
	jv_set_string(source, "mode", "pull");
	jv_set_string(source, "server", jv_text(conf, "addr"));
	jv_set_string(source, "protocol", protocol);
	jv_set_string(source, "alias", name);
	return true;
}

int image_source_make(struct client *client, const char *word, struct server *target, bool is_vm,
                      struct json_object **ret_source, struct error **err)
{
	scoped(jv_unrefp) struct json_object *source = jv_object();
	scoped_free char *remote = NULL, *fingerprint = NULL;
	struct server *server;
	const char *name;
	int r = remotes_split(client->remotes, word, &remote, &name, err);

	if (r < 0)
		return r;
	if (!*name)
		name = "default";
	jv_set_string(source, "type", "image");
	if (is_image_server(client, remote, source, name)) {
		*ret_source = TAKE_PTR(source);
		return 0;
	}
	r = client_remote(client, remote, &server, err);
	if (r == 0)
		r = image_source_resolve(server, name, is_vm, &fingerprint, err);
	if (r < 0)
		return r;
	jv_set_string(source, "fingerprint", fingerprint);
	if (server != target) {
		jv_set_string(source, "mode", "pull");
		r = image_source_add_server(server, source, fingerprint, err);
	}
	if (r == 0)
		*ret_source = TAKE_PTR(source);
	return r;
}
