#include "daemon/core/warning.h"

#include "daemon/core/state.h"
#include "db/db.h"
#include "db/warnings.h"
#include "lib/base/alloc.h"
#include "lib/base/date.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "lib/base/uuid.h"

/* clang-format off */
static const struct {
	const char *name;
	enum db_warning_severity severity;
} types[] = {
	[WARNING_UNKNOWN]                       = { "Undefined warning", DB_WARNING_LOW },
	[WARNING_OFFLINE_MEMBER]                = { "Offline cluster member", DB_WARNING_LOW },
	[WARNING_INSTANCE_AUTOSTART_FAILURE]    = { "Failed to autostart instance", DB_WARNING_LOW },
	[WARNING_INSTANCE_TYPE_NOT_OPERATIONAL] = { "Instance type not operational", DB_WARNING_LOW },
	[WARNING_MISSING_CGROUP_CONTROLLER]     = { "Couldn't find the CGroup controller", DB_WARNING_LOW },
	[WARNING_STORAGE_POOL_UNAVAILABLE]      = { "Storage pool unavailable", DB_WARNING_HIGH },
	[WARNING_TIME_SKEW]                     = { "Time skew detected between leader and local", DB_WARNING_LOW },
	[WARNING_UNABLE_TO_CONNECT_MEMBER]      = { "Unable to connect to cluster member", DB_WARNING_MODERATE },
	[WARNING_UNABLE_TO_UPDATE_CERTIFICATE]  = { "Unable to update cluster certificate", DB_WARNING_LOW },
};
/* clang-format on */
static_assert(COUNT_OF(types) == WARNING_N_TYPES, "A type has no row");

static int raise_row(struct db_tx *tx, void *arg, struct error **err)
{
	return db_warning_raise(tx, arg, err);
}

void warning_raise(struct state *state, enum warning_type type, const char *project,
                   const char *entity_url, const char *message)
{
	warning_raise_named(state, types[type].name, project, entity_url, message);
}

void warning_raise_named(struct state *state, const char *type, const char *project,
                         const char *entity_url, const char *message)
{
	scoped(error_freep) struct error *err = NULL;
	scoped_free char *member = state_member_name(state);
	enum db_warning_severity severity = DB_WARNING_LOW;
	char uuid[UUID_SIZE];
	int64_t now = date_now();

	for (size_t i = 0; i < COUNT_OF(types); i++) {
		if (str_equals(types[i].name, type))
			severity = types[i].severity;
	}

	uuid_make(uuid);

	const struct db_warning row = {
		.uuid = uuid,
		.member = member,
		.project = (char *)str_or_empty(project),
		.entity_url = (char *)str_or_empty(entity_url),
		.type = (char *)type,
		.severity = severity,
		.status = DB_WARNING_NEW,
		.count = 1,
		.first_seen = now,
		.last_seen = now,
		.updated = now,
		.message = (char *)str_or_empty(message),
	};

	if (db_write(state->db, raise_row, (void *)&row, &err) < 0)
		log_warn("Failed raising the warning \"%s\": %s", type, err->msg);
}

struct resolution {
	const char *member;
	const char *type;
	const char *entity_url;
};

static int resolve(struct db_tx *tx, void *arg, struct error **err)
{
	const struct resolution *r = arg;

	return db_warning_resolve(tx, r->member, r->type, r->entity_url, err);
}

void warning_resolve(struct state *state, enum warning_type type, const char *entity_url)
{
	warning_resolve_named(state, types[type].name, entity_url);
}

void warning_resolve_named(struct state *state, const char *type, const char *entity_url)
{
	scoped(error_freep) struct error *err = NULL;
	scoped_free char *member = state_member_name(state);
	struct resolution r = { .member = member, .type = type, .entity_url = entity_url };

	if (db_write(state->db, resolve, &r, &err) < 0)
		log_warn("Failed resolving the warning \"%s\": %s", type, err->msg);
}
