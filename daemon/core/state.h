/*
 * The one object that holds the rest.
 *
 * It is made by daemon/startup in an order that is written there and passed to whoever needs it;
 * there are no globals. What belongs to a layer above daemon/core is held as a pointer to a struct
 * that only its own folder knows.
 *
 * All pointers are set before the first listener opens and stay until the last request is over,
 * but for 'cluster' state, which has its own locks.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/error.h"

struct cancel;
struct chores;
struct cluster;
struct cluster_hooks;
struct db;
struct db_cache;
struct db_local;
struct dirs;
struct environment;
struct event_hub;
struct host_ops;
struct http_server;
struct identity_cache;
struct image_service;
struct instance_service;
struct json_object;
struct kept_answers;
struct listeners;
struct locks;
struct loop;
struct member_service;
struct operations;
struct requestor;
struct server_conf;
struct storage_service;
struct upload_passes;
struct worker;

struct state {
	struct dirs *dirs;
	int lock_fd;             /* Held for as long as the daemon uses the state directory. */
	struct loop *loop;       /* The one loop thread: timers, listeners, websockets. */
	struct worker *requests; /* Request handlers; they may block, not for long. */
	struct worker *reads;    /* What comes from memory once that is known to be current. */
	struct worker *jobs;     /* Operations; they may block for hours. */
	struct worker *vital; /* What the database lives on: its tunnel, heartbeats. No waiting. */
	struct worker *peers; /* What other members ask for themselves, not for clients. */
	struct worker *forwards; /* Requests on their way to another member, long polls too. */

	struct db_local *local; /* local.db: this member's own file. */
	struct db *db;          /* The cluster's database. */
	struct db_cache *cache; /* Its rows in memory; what lists are made of. */
	struct cluster *cluster;
	const struct cluster_hooks *hooks;

	struct http_server *http;
	struct listeners *listeners; /* daemon/api/listen */
	struct kept_answers *answers;
	struct identity_cache *identities;
	struct server_conf *conf;
	struct environment *environment; /* Does not change after the start. */
	struct event_hub *events;
	struct operations *operations;
	struct locks *locks;
	struct upload_passes *upload_passes;

	/* Services above this layer, each made and read by its own folder only. */
	struct storage_service *storage;    /* daemon/storage */
	struct image_service *images;       /* daemon/image */
	struct instance_service *instances; /* daemon/instance */
	struct json_object *joining;        /* daemon/member, while this server joins. */
	struct chores *chores;              /* daemon/chores */
	struct member_service *members;     /* daemon/member */
	const struct host_ops *host;        /* daemon/driver_host: what drivers may ask. */
	void *host_arg;

	/* Set by daemon/auth: whether somebody may do something to an object; see request.h. */
	int (*authorize)(const struct requestor *requestor, const char *entity,
	                 const char *entitlement, const char *project, struct error **err);

	/*
	 * Set by daemon/instance during startup, may be NULL: carries a changed profile out on the
	 * running instances of this member. Called on each member after the change is stored.
	 */
	void (*profile_changed)(struct state *state, const char *project, const char *name);

	uint64_t started_at;          /* Nanoseconds of the monotonic clock. */
	struct cancel *ready;         /* Fired when every step of startup is done. */
	atomic_bool is_ready;         /* Every step of startup is done. */
	atomic_bool is_shutting_down; /* No new work is taken. */
	atomic_bool is_full_stop;     /* Instances are stopped too: "shutdown", not a restart. */
};

/*
 * The name of this member in the database and in answers: "none" while not clustered. Owned by the
 * caller, since a rename may come at any time.
 */
char *state_member_name(const struct state *state) MUST_CHECK;

/* Whether this server is a member of a cluster, if only of one. */
bool state_is_clustered(const struct state *state);

/* The host's name as /1.0 shows it when there is no member name. Owned by the caller. */
char *state_server_name(const struct state *state) MUST_CHECK;

/* Asks the main thread to end the daemon in order, as SIGTERM does. Returns at once. */
void state_stop(struct state *state);
