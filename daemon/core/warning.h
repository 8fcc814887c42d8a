/*
 * Warnings: conditions that a person should know of, kept in the database until resolved.
 *
 * One row stands for one condition: raising it again counts it and refreshes its time.
 */
#pragma once

#include <stdbool.h>

#include "lib/base/error.h"

struct state;

/* What a warning may be about, a row of the table in warning.c. */
enum warning_type {
	WARNING_UNKNOWN,
	WARNING_OFFLINE_MEMBER,
	WARNING_INSTANCE_AUTOSTART_FAILURE,
	WARNING_INSTANCE_TYPE_NOT_OPERATIONAL,
	WARNING_MISSING_CGROUP_CONTROLLER,
	WARNING_STORAGE_POOL_UNAVAILABLE,
	WARNING_TIME_SKEW,
	WARNING_UNABLE_TO_CONNECT_MEMBER,
	WARNING_UNABLE_TO_UPDATE_CERTIFICATE,
	WARNING_N_TYPES,
};

/*
 * Raises one about this member. 'project' and 'entity_url' ("/1.0/instances/c1?project=p") may be
 * NULL. Failures are logged: nobody can do more about them.
 */
void warning_raise(struct state *state, enum warning_type type, const char *project,
                   const char *entity_url, const char *message);

/* Resolves those of this member with that type, and that entity unless it is NULL. */
void warning_resolve(struct state *state, enum warning_type type, const char *entity_url);

/* The same for those who know a type by its name only: drivers and the cluster. */
void warning_raise_named(struct state *state, const char *type, const char *project,
                         const char *entity_url, const char *message);
void warning_resolve_named(struct state *state, const char *type, const char *entity_url);
