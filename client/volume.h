/* A storage volume as the command line names it: "pool" and "[type/]volume[/snapshot]". */
#pragma once

#include "client/client.h"
#include "client/resource.h"
#include "client/server.h"
#include "lib/base/error.h"

struct volume {
	struct server *server;
	const char *pool; /* Borrowed from the command line. */
	char *type, *name;
	char *snapshot; /* NULL if none is named. */
};

/* 'pool' is "[remote:]pool"; without a type the volume is a custom one. */
int volume_parse(struct client *client, const char *pool, const char *word,
                 struct volume *ret_volume, struct error **err);
void volume_done(struct volume *volume);

/* Its resource; freed with resource_done(). */
void volume_resource(const struct client *client, const struct volume *volume,
                     struct resource *ret_resource);
