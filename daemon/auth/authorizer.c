#include "daemon/auth/authorizer.h"

#include "daemon/core/access.h"
#include "lib/base/str.h"

enum place {
	OF_SERVER,    /* Restricted clients neither see nor change it ... */
	SHOWN_TO_ALL, /* ... or see it all the same. */
	IN_PROJECT,   /* They may do everything in their projects. */
	PROJECT,      /* The project itself: to be seen and used, not to be changed. */
};

/* clang-format off */
static const struct {
	const char *entity;
	enum place place;
} entities[] = {
	{ "certificate",     OF_SERVER },
	{ "cluster_group",   SHOWN_TO_ALL },
	{ "cluster_member",  SHOWN_TO_ALL },
	{ "identity",        OF_SERVER },
	{ "image",           IN_PROJECT },
	{ "image_alias",     IN_PROJECT },
	{ "instance",        IN_PROJECT },
	{ "network",         IN_PROJECT },
	{ "network_acl",     IN_PROJECT },
	{ "network_zone",    IN_PROJECT },
	{ "operation",       IN_PROJECT },
	{ "placement_group", IN_PROJECT },
	{ "profile",         IN_PROJECT },
	{ "project",         PROJECT },
	{ "server",          OF_SERVER },
	{ "storage_bucket",  IN_PROJECT },
	{ "storage_pool",    SHOWN_TO_ALL },
	{ "storage_volume",  IN_PROJECT },
	{ "warning",         OF_SERVER },
};
/* clang-format on */

static enum place place_of(const char *entity)
{
	for (size_t i = 0; i < COUNT_OF(entities); i++) {
		if (str_equals(entities[i].entity, entity))
			return entities[i].place;
	}

	return OF_SERVER;
}

/* A project's own entitlements are can_view, can_edit, can_delete and can_create_instances etc. */
static bool is_of_content(const char *entitlement)
{
	return !str_equals(entitlement, "can_edit") && !str_equals(entitlement, "can_delete");
}

int authorizer_check(const struct requestor *requestor, const char *entity, const char *entitlement,
                     const char *project, struct error **err)
{
	bool is_allowed = false;

	if (access_is_admin(requestor))
		return 0;

	if (!access_is_trusted(requestor))
		return error_set(err, 403, "Forbidden");

	switch (place_of(entity)) {
	case OF_SERVER:
		break;
	case SHOWN_TO_ALL:
		is_allowed = str_equals(entitlement, "can_view");
		break;
	case IN_PROJECT:
		is_allowed = project && access_may_enter(requestor, project);
		break;
	case PROJECT:
		is_allowed = project && access_may_enter(requestor, project) &&
		             is_of_content(entitlement);
		break;
	}

	return is_allowed ? 0 : error_set(err, 403, "Certificate is restricted");
}
