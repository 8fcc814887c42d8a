#include "client/instance_wish.h"

#include <stdlib.h>
#include <string.h>

#include "client/resource.h"
#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/data/jv.h"

struct json_object *instance_wish_map(struct json_object *body, const char *key)
{
	struct json_object *o = jv_member(body, key);

	if (json_object_is_type(o, json_type_object))
		return o;
	o = jv_object();
	jv_set_take(body, key, o);
	return o;
}

int instance_wish_config(const struct cli *cli, struct json_object *body, struct error **err)
{
	struct json_object *config = instance_wish_map(body, "config");
	const char *pair;

	for (size_t i = 0; (pair = cli_list(cli, "config", i)); i++) {
		int r = resource_parse_pairs((const char *const[]){ pair, NULL }, config, err);

		if (r < 0)
			return r;
	}
	return 0;
}

/* The device of that name in the profiles of 'body'; the last one counts. Owned, or NULL. */
static struct json_object *from_profiles(struct server *server, struct json_object *body,
                                         const char *device)
{
	struct json_object *names = jv_member(body, "profiles");
	struct json_object *found = NULL;
	size_t n = names ? jv_len(names) : 1;

	for (size_t i = 0; i < n; i++) {
		scoped(error_freep) struct error *missing = NULL;
		scoped(jv_unrefp) struct json_object *profile = NULL;
		const char *name = names ? jv_string(jv_item(names, i)) : "default";

		if (server_get(server, &profile, &missing, "/1.0/profiles/%s", str_or_empty(name)) <
		    0)
			continue;
		struct json_object *d = jv_member(jv_member(profile, "devices"), device);
		if (d) {
			jv_unref(found);
			found = jv_copy(d);
		}
	}
	return found;
}

static struct json_object *device_of(struct server *server, struct json_object *body,
                                     const char *name)
{
	struct json_object *devices = instance_wish_map(body, "devices");
	struct json_object *device = jv_member(devices, name);

	if (!device) {
		device = from_profiles(server, body, name);
		if (!device)
			device = jv_object();
		jv_set_take(devices, name, device);
	}
	return device;
}

static int add_device(struct server *server, struct json_object *body, const char *text,
                      struct error **err)
{
	scoped(strv_freep) char **parts = strv_split(text, ',');

	if (strv_len(parts) < 2 || !*parts[0])
		return error_set(err, 400,
		                 "Bad device override syntax, expecting <device>,<key>=<value>: %s",
		                 text);
	return resource_parse_pairs((const char *const *)parts + 1,
	                            device_of(server, body, parts[0]), err);
}

static int add_network(struct server *server, struct json_object *body, const char *name,
                       struct error **err)
{
	scoped(jv_unrefp) struct json_object *network = NULL;
	int r = server_get(server, &network, err, "/1.0/networks/%s", name);

	if (r < 0)
		return error_wrap(err, "Failed loading network \"%s\"", name);
	struct json_object *nic = jv_object();
	jv_set_string(nic, "type", "nic");
	jv_set_string(nic, "name", "eth0");
	if (jv_flag(network, "managed")) {
		jv_set_string(nic, "network", name);
	} else {
		bool bridge = str_equals(jv_text(network, "type"), "bridge");

		jv_set_string(nic, "nictype", bridge ? "bridged" : "macvlan");
		jv_set_string(nic, "parent", name);
	}
	jv_set_take(instance_wish_map(body, "devices"), "eth0", nic);
	return 0;
}

int instance_wish_devices(const struct cli *cli, struct server *server, struct json_object *body,
                          struct error **err)
{
	const char *pool = cli_option(cli, "storage"), *network = cli_option(cli, "network"), *text;

	if (pool) {
		struct json_object *root = device_of(server, body, "root");

		jv_set_string(root, "type", "disk");
		jv_set_string(root, "path", "/");
		jv_set_string(root, "pool", pool);
	}
	if (network) {
		int r = add_network(server, body, network, err);

		if (r < 0)
			return r;
	}
	for (size_t i = 0; (text = cli_list(cli, "device", i)); i++) {
		int r = add_device(server, body, text, err);

		if (r < 0)
			return r;
	}
	return 0;
}

void instance_wish_profiles(const struct cli *cli, struct json_object *body)
{
	struct json_object *list;
	const char *name;

	if (!cli_flag(cli, "no-profiles") && !cli_given(cli, "profile"))
		return;
	list = jv_array();
	for (size_t i = 0; (name = cli_list(cli, "profile", i)); i++)
		jv_add_string(list, name);
	jv_set_take(body, "profiles", list);
}
