#include "client/volume.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/macro.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"

static const char *const writable[] = { "config", "description", "restore", NULL };
static const char *const snapshot_writable[] = { "description", "expires_at", NULL };

static const char help[] = "This is a YAML representation of the storage volume.\n"
			   "Lines that begin with '#' are ignored; the name cannot be changed.";

static bool is_type(const char *word)
{
	static const char *const types[] = { "custom", "container", "image", "virtual-machine" };

	for (size_t i = 0; i < COUNT_OF(types); i++) {
		if (strcmp(word, types[i]) == 0)
			return true;
	}
	return false;
}

int volume_parse(struct client *client, const char *pool, const char *word,
                 struct volume *ret_volume, struct error **err)
{
	struct volume v = { 0 };
	scoped(strv_freep) char **parts = strv_split(word, '/');
	size_t n = strv_len(parts), first = n > 1 && is_type(parts[0]);
	int r = client_named(client, pool, "storage pool", &v.server, &v.pool, err);

	if (r < 0)
		return r;
	if (n - first < 1 || n - first > 2 || !*parts[first])
		return error_set(err, 400, "Invalid volume \"%s\"", word);
	v.type = xstrdup(first ? parts[0] : "custom");
	v.name = xstrdup(parts[first]);
	v.snapshot = parts[first + 1] ? xstrdup(parts[first + 1]) : NULL;
	*ret_volume = v;
	return 0;
}

void volume_done(struct volume *volume)
{
	free(volume->type);
	free(volume->name);
	free(volume->snapshot);
	*volume = (struct volume){ 0 };
}

void volume_resource(const struct client *client, const struct volume *v,
                     struct resource *ret_resource)
{
	char *path = v->snapshot ? server_path(v->server,
	                                       "/1.0/storage-pools/%s/volumes/%s/%s/snapshots/%s",
	                                       v->pool, v->type, v->name, v->snapshot)
	                         : server_path(v->server, "/1.0/storage-pools/%s/volumes/%s/%s",
	                                       v->pool, v->type, v->name);

	*ret_resource = (struct resource){ .client = client,
		                           .server = v->server,
		                           .path = path,
		                           .writable = v->snapshot ? snapshot_writable : writable,
		                           .help = help };
}
