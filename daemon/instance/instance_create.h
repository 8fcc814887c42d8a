/*
 * New instances: from an image, from nothing, as a copy.
 *
 * In three parts, which may happen on two members. instance_create_parse() reads and checks the
 * request. instance_create_place() chooses the member and adds the row in one transaction, so that
 * two requests never overcommit a member or take one name. instance_create_run() then makes the
 * volume on that member, as an operation, and starts it; whatever fails deletes the row again.
 *
 * A row without a volume is an instance whose creation was cut off by the daemon's end;
 * instance_create_sweep() removes those of this member at start.
 */
#pragma once

#include <stdbool.h>

#include "daemon/instance/instance.h"
#include "lib/base/error.h"

struct json_object;
struct operation;
struct request;

enum instance_source { INSTANCE_FROM_NONE, INSTANCE_FROM_IMAGE, INSTANCE_FROM_COPY };

/* How to fill the volume of an instance whose row is there. */
struct instance_filling {
	int64_t id; /* Of the row: by the time it is filled, its name may be another's. */
	enum instance_source source;
	char *image_project;
	char *fingerprint; /* From an image. */
	char *project;     /* A copy: of whom. */
	char *name;
	char *snapshot;     /* Only this snapshot of it, or NULL. */
	bool instance_only; /* Without its snapshots. */
	bool is_started;    /* Start it afterwards. */
	bool is_refresh;    /* The instance is there: instance_refresh.h. */
};

struct instance_new {
	struct db_expanded row; /* Owned. */
	char *profile_project;
	struct instance_filling filling;
	const char *target; /* ?target=, borrowed from the request, or NULL. */
};

void instance_create_new_done(struct instance_new *new);
void instance_create_filling_done(struct instance_filling *filling);

/* Reads the body of POST /1.0/instances and checks it as far as can be without a member. */
int instance_create_parse(struct request *req, struct json_object *body,
                          struct instance_new *ret_new, struct error **err);

/*
 * Chooses the member, adds the row with it, and fills new->row.row.member. 409 for a name that is
 * taken; placement_error() when no member fits. '*ret_placement' is {"member", "reason",
 * "rejected"}, owned by the caller.
 */
int instance_create_place(struct request *req, struct instance_new *new,
                          struct json_object **ret_placement, struct error **err);

/*
 * The same without a change: what would be chosen now, and why nobody else. When nobody would,
 * "member" is empty and "reason" says so.
 */
int instance_create_explain(struct request *req, struct instance_new *new,
                            struct json_object **ret_placement, struct error **err);

/* The filling as JSON for another member's POST /internal/instances, and back. */
struct json_object *instance_create_filling_json(const char *project, const char *name,
                                                 const struct instance_filling *filling);
int instance_create_filling_parse(struct json_object *body, struct instance_filling *ret_filling,
                                  struct error **err);

/* Makes the operation that fills the volume of a row of this member. 'filling' is taken. */
int instance_create_operation(struct request *req, const char *project, const char *name,
                              struct instance_filling *filling_take, struct operation **ret_op,
                              struct error **err);

/* Deletes the row 'id' (of the instance 'name'), whose filling never began. */
void instance_create_undo(struct state *state, int64_t id, const char *name);

/* Removes what creations that were cut off have left on this member. */
int instance_create_sweep(struct state *state, struct error **err);
