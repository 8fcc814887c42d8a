/* What struct cluster is made of; for cluster/ only. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cluster/certificate.h"
#include "cluster/cluster.h"
#include "lib/base/map.h"
#include "lib/base/smap.h"
#include "lib/base/task.h"
#include "lib/base/thread.h"
#include "lib/base/worker.h"

struct events_hub;
struct heartbeat;

struct cluster {
	struct mutex lock; /* Guards what is marked so; never held over anything that waits. */

	char *dir;
	char *version;
	struct loop *loop;
	struct cluster_hooks hooks;
	uint64_t n_api_extensions;

	struct db_local *local;
	struct gateway *gateway;
	struct db *db;
	struct worker *jobs;  /* Background jobs, which wait for calls. */
	struct worker *calls; /* Single calls to members, which wait for nobody here. */
	struct worker *beats; /* Heartbeats, which wait behind no other call. */
	struct heartbeat *heartbeat;
	struct events_hub *hub;
	struct task *beat GUARDED;  /* Heartbeats and their time-outs; NULL unless it runs. */
	struct task *roles GUARDED; /* Roles, on demand; the same. */
	atomic_bool is_started;
	atomic_bool is_leaving; /* It is about to shut down: what it leads is left alone. */
	atomic_bool is_stopping;
	atomic_bool is_leading;   /* As the hooks know it. */
	atomic_bool is_unsettled; /* The database is being replaced: leadership means nothing. */

	/*
	 * Serialises what changes the membership (join, leave, rename, roles) on the leader, for as
	 * long as it takes: the one lock that is held over calls. Taken first of all.
	 */
	struct mutex membership;

	bool is_enabled GUARDED;
	char *name GUARDED;    /* "none" when standalone. */
	char *address GUARDED; /* "" when standalone. */
	int64_t id GUARDED;
	struct certificate *server;         /* Never changes. */
	struct certificate *shared GUARDED; /* The cluster's, NULL when standalone. */
	struct member_list *members GUARDED;
	struct map *clients GUARDED;  /* struct http_client by address. */
	struct map *trusted GUARDED;  /* Members' fingerprints, as keys. */
	struct smap settings GUARDED; /* cluster.* keys that are set. */
	int64_t leaving_id GUARDED;   /* A member that hands its role over; 0: none. */
	int64_t leaving_until GUARDED;
};

/* Calls a hook that returns nothing, if there is one. */
#define HOOK(cluster, name, ...)                                                    \
	do {                                                                        \
		if ((cluster)->hooks.name)                                          \
			(cluster)->hooks.name((cluster)->hooks.arg, ##__VA_ARGS__); \
	} while (0)

/* Calls a hook that returns an int, if there is one; else 0. */
#define HOOK_INT(cluster, name, ...) \
	((cluster)->hooks.name ? (cluster)->hooks.name((cluster)->hooks.arg, ##__VA_ARGS__) : 0)

/* "database" in the state directory; owned. */
char *cluster_database_dir(struct cluster *cluster) MUST_CHECK;

/*
 * Puts a new list in place of the present one. 'make' returns it, under the cluster's lock: it must
 * not block. Tells the hooks, the event mesh and (on the leader) the heartbeat of what changed, and
 * returns whether anything but the times of heartbeats did.
 */
typedef struct member_list *cluster_make_list(const struct member_list *now, void *arg);
bool cluster_update_members(struct cluster *cluster, cluster_make_list *make, void *arg);

/* The same with a list that is complete; taken. */
bool cluster_set_members_take(struct cluster *cluster, struct member_list *list);

/*
 * Becomes the member 'name' at 'address' with row 'id', or standalone ("none", "", 1), and tells
 * the hooks. The certificate is taken; NULL: standalone.
 */
void cluster_set_identity_take(struct cluster *cluster, int64_t id, const char *name,
                               const char *address, struct certificate *shared);

/* Takes another name over, if it is one; for renames. */
void cluster_set_name(struct cluster *cluster, const char *name);

/* Publishes the rows of raft_nodes as the list: all that is known before anybody was heard. */
void cluster_list_nodes(struct cluster *cluster);

/* Keeps the members of 'list' as raft_nodes, here and in the local database, if they changed. */
void cluster_store_nodes(struct cluster *cluster, const struct member_list *list);

/* While the database is replaced by another one, the hooks hear of no leader. */
void cluster_unsettle(struct cluster *cluster);
void cluster_settle(struct cluster *cluster);

/* Publishes a lifecycle event about a member: "cluster-member-added" of "m1". */
void cluster_lifecycle(struct cluster *cluster, const char *action, const char *member_name);

/* Runs a task of this cluster soon, if there is one: &cluster->beat, &cluster->roles. */
void cluster_wake(struct cluster *cluster, struct task *const *task);

/* Removes a file of the state directory, if it is there. */
void cluster_unlink(struct cluster *cluster, const char *name);
