#include "client/instance_resource.h"

#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"

const char *const instance_resource_writable[] = { "architecture", "config",     "devices",
	                                           "ephemeral",    "profiles",   "stateful",
	                                           "description",  "expires_at", NULL };

static const char *const server_writable[] = { "config", NULL };

static const char instance_help[] =
	"This is a YAML representation of the instance's configuration.\n"
	"Lines that begin with '#' are ignored; the name is shown but cannot be changed.";

static const char server_help[] = "This is a YAML representation of the server's configuration.\n"
				  "Lines that begin with '#' are ignored.";

int instance_resource_open(struct client *client, const char *word, const char *target,
                           struct resource *ret_resource, bool *ret_is_server, struct error **err)
{
	struct server *server;
	const char *name;
	int r = client_server(client, word, &server, &name, err);

	if (r < 0)
		return r;
	*ret_is_server = !*name;
	if (target && *name)
		return error_set(err, 400, "--target cannot be used with instances");
	server_set_target(server, target);
	struct resource res = { .client = client,
		                .server = server,
		                .writable = *name ? instance_resource_writable : server_writable,
		                .help = *name ? instance_help : server_help,
		                .empty_unsets = !*name };
	const char *slash = strchr(name, '/');
	if (!*name) {
		res.path = server_path(server, "/1.0");
	} else if (slash) {
		scoped_free char *instance = xasprintf("%.*s", (int)(slash - name), name);

		res.path =
			server_path(server, "/1.0/instances/%s/snapshots/%s", instance, slash + 1);
	} else {
		res.path = server_path(server, "/1.0/instances/%s", name);
	}
	*ret_resource = res;
	return 0;
}
