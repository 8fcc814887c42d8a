/*
 * What the cluster may ask of the daemon.
 *
 * Clustering knows no pools, networks, images or instances; what it needs of them is a member here.
 * The daemon fills the table (daemon/member/member_hooks.c), tests fill it with a false one. Every
 * member may be NULL, which means "nothing to do" and "yes".
 *
 * Hooks are called without any of the cluster's locks held, from worker threads unless said
 * otherwise, and may call back into the cluster.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/error.h"

struct db_tx;
struct json_object;

/* One value of "member_config" in PUT /1.0/cluster. */
struct cluster_member_config {
	const char *entity; /* "storage-pool" or "network". */
	const char *name;
	const char *key;
	const char *value;
};

struct cluster_hooks {
	void *arg; /* First argument of every hook. */

	/*
	 * Joiner, before anything is asked of the cluster: what this member has, for the leader's
	 * check. Sets '*ret_inventory' to an object {"storage_pools": [...], "networks": [...]}.
	 */
	int (*join_inventory)(void *arg, struct json_object **ret_inventory, struct error **err);

	/*
	 * Leader, accept: what a joiner must have, an object {"storage_pools": [...],
	 * "networks": [...]} in a form that only join_prepare() reads.
	 */
	int (*join_definitions)(void *arg, struct db_tx *tx, struct json_object **ret_definitions,
	                        struct error **err);

	/*
	 * Joiner, after it was accepted and before it leaves its own database: makes on this
	 * machine what 'definitions' ask for, with 'config' for member-specific keys. Its rows are
	 * written by join_commit().
	 */
	int (*join_prepare)(void *arg, struct json_object *definitions,
	                    const struct cluster_member_config *config, size_t n_config,
	                    struct error **err);

	/* Joiner: takes back what join_prepare() made. */
	void (*join_undo)(void *arg);

	/* Leader, accept: refuses (400) a joiner whose pools and networks do not fit the cluster's.
	 */
	int (*join_check)(void *arg, struct db_tx *tx, struct json_object *inventory,
	                  struct error **err);

	/*
	 * Joiner, in the transaction that ends its pending state: writes its member-specific rows
	 * (pool config of this member, pool and network membership).
	 */
	int (*join_commit)(void *arg, struct db_tx *tx, int64_t member_id, struct error **err);

	/*
	 * Leader, before a member is removed without force: fails with a 400 that names what is
	 * left ("Node still has the following instances: c1, c2").
	 */
	int (*member_check_empty)(void *arg, struct db_tx *tx, int64_t member_id, const char *name,
	                          struct error **err);

	/* Leader, removal without force: moves images away, takes its pools and networks down. */
	int (*member_clean)(void *arg, int64_t member_id, const char *name, struct error **err);

	/* Leader, in the transaction that deletes the row: deletes what refers to the member. */
	int (*member_purge)(void *arg, struct db_tx *tx, int64_t member_id, struct error **err);

	/*
	 * The database behind cluster_db() is another one now (joined, or reset after a removal):
	 * every cache of rows must be dropped.
	 */
	void (*database_replaced)(void *arg);

	/*
	 * cluster.crt/key were replaced: listeners present the new certificate. 'cert' and 'key'
	 * are PEM, and those of the server itself when clustering ended.
	 */
	void (*certificate_changed)(void *arg, const char *cert, const char *key);

	/* Name, address or clustering itself changed: "location" of new objects, HTTPS listener. */
	void (*identity_changed)(void *arg, const char *member_name, const char *address);

	/* Leadership came to this member or left it. Must not block. */
	void (*leader_changed)(void *arg, bool is_leader);

	/* A member was added, removed, renamed, leads, or is online or not. Must not block. */
	void (*members_changed)(void *arg);

	/* 'name' went offline or came back; on the leader only. For warnings and healing. */
	void (*member_liveness)(void *arg, int64_t member_id, const char *name, bool is_online);

	/*
	 * An event from another member, as GET /1.0/events sends it ('size' bytes of JSON, not
	 * NUL-terminated). Called on the loop's thread: must not block.
	 */
	void (*event)(void *arg, const char *member_name, const char *json, size_t size);

	/*
	 * To publish a lifecycle event: 'action' as "cluster-member-added", 'source' as
	 * "/1.0/cluster/members/m1", 'context' an object or NULL (borrowed).
	 */
	void (*lifecycle)(void *arg, const char *action, const char *source,
	                  struct json_object *context);

	/* Raises (resolves if 'is_raised' is false) a warning of LXD's type 'type' about a member.
	 */
	void (*warning)(void *arg, const char *type, const char *member_name, const char *message,
	                bool is_raised);

	/* {"POOL": {"space": {...}, "inodes": {...}}} of this member, for GET .../state. */
	int (*pools_state)(void *arg, struct json_object **ret_pools, struct error **err);
};
