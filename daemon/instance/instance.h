/*
 * Instances: the service, and the handle that its files pass round.
 *
 * struct instance_service hangs in struct state and holds what is of this member only: the drivers'
 * engines with what is running, and what happened to whom lately. Everything else is in the
 * database and on disk.
 *
 * A struct instance is an instance as the database had it when it was loaded: expanded config and
 * devices, immutable. Whoever changes one takes the instance's lock first, then loads it, so that
 * what it decides on cannot change under it on this member; the conditional commit of a move
 * (db_instance_commit_move) covers the other members.
 *
 * Order for every change: lock, load, check, act, write rows, event, unlock.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "db/cache.h"
#include "drivers/instance/instance_driver.h"
#include "lib/base/error.h"
#include "lib/base/scoped.h"

struct cancel;
struct instance_service;
struct lock;
struct operation;
struct state;
struct storage_instance;

/* Families that an instance is loaded with. */
#define INSTANCE_FAMILIES \
	(DB_INSTANCES | DB_PROFILES | DB_PROJECTS | DB_SNAPSHOTS | DB_MEMBERS | DB_POOLS)

struct instance {
	struct state *state;
	struct db_view *view; /* Owned; keeps 'row' alive. */
	const struct db_expanded *row;
	const struct instance_driver *driver;
	struct instance_engine *engine; /* Of this member; NULL where the driver does not work. */
	char *id;                       /* "c1" or "PROJECT_c1": on disk and for the engine. */
	char *url;                      /* "/1.0/instances/c1?project=p" */
};

/* Makes the service and the engines. Sets state->instances. Nothing is looked at yet. */
int instance_service_new(struct state *state, struct error **err);

/* Lets go of what runs. */
void instance_service_free(struct instance_service *service);

/* The engine for a type ("container"), or NULL. */
struct instance_engine *instance_engine(struct state *state, const char *type);

/* Loads it, wherever it is: 404 "Instance not found". Free with instance_free(). */
int instance_load(struct state *state, const char *project, const char *name,
                  struct instance **ret_inst, struct error **err);

/* From a view that the caller has (INSTANCE_FAMILIES); takes a reference to it. */
int instance_load_from(struct state *state, struct db_view *view, const char *project,
                       const char *name, struct instance **ret_inst, struct error **err);

/* A handle for a row that the caller keeps alive, in the database or not (yet): creation. */
struct instance *instance_of_row(struct state *state, const struct db_expanded *row) MUST_CHECK;

/* Calls 'fn' for each instance of this member. */
int instance_each_here(struct state *state, void (*fn)(const struct instance *inst, void *arg),
                       void *arg, struct error **err);

void instance_free(struct instance *inst);
DEFINE_SCOPED(struct instance *, instance_free);

/*
 * Takes the instance's lock on this member (waiting until 'cancel', which may be NULL, is raised)
 * and loads it. 404 when it does not exist, 400 "Instance is being moved" while a plan's step has
 * it, unless 'for_move'; 503 when it is not on this member (any more).
 */
int instance_lock(struct state *state, const char *project, const char *name, struct cancel *cancel,
                  struct lock **ret_lock, struct instance **ret_inst, struct error **err);

/* Loads again what is locked, after its rows changed. */
int instance_reload(struct instance **inst, struct error **err);

/* "container" or "virtual-machine", as the API names it. */
const char *instance_type_name(const struct instance *inst);

/* From the engine's memory: never fails, never blocks. Elsewhere: stopped. */
enum instance_status instance_status(const struct instance *inst);
bool instance_is_running(const struct instance *inst);

/* The root disk device: the one disk with path "/"; NULL when there is none. Borrowed. */
const struct db_device *instance_root_disk(const struct db_devices *devices);

/* What daemon/storage calls this instance. Borrowed strings. 400 without a root disk. */
int instance_storage(const struct instance *inst, struct storage_instance *ret_storage,
                     struct error **err);

/* The same with a pool named by the caller. */
void instance_storage_in(const struct instance *inst, const char *pool,
                         struct storage_instance *ret_storage);

/* An URL below it: instance_url_of(inst, "snapshots", "s1", NULL). Owned by the caller. */
char *instance_url_of(const struct instance *inst, const char *first, ...) SENTINEL MUST_CHECK;

/* A lifecycle event about it: action "instance-started". 'op' may be NULL. */
void instance_event(const struct instance *inst, struct operation *op, const char *action);

/* The on-disk name of an instance: "c1", or "PROJECT_c1" outside the default project. Owned. */
char *instance_id_of(const char *project, const char *name) MUST_CHECK;

/* The reverse: both owned. -EINVAL when it is none. */
int instance_id_parse(const char *id, char **ret_project, char **ret_name);

/* 400 for a name that no host could have: LXD's rules, 1 to 63 of [a-zA-Z0-9-]. */
int instance_check_name(const char *name, struct error **err);
