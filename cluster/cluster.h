/*
 * Members that act as one.
 *
 * The one object behind which clustering happens: it runs this member's database node, keeps the
 * list of members and who of them is alive, and makes calls between members. A server that is not
 * clustered has one too (a "cluster" of the single member "none"), so that nobody has to ask twice.
 *
 * The life of it, as the daemon's start goes:
 *
 *  - cluster_setup_process(): first line of main(), before any thread;
 *  - cluster_new(): certificates, local database, database node; nothing on the network;
 *  - the listeners open: /internal/database must be served from here on;
 *  - cluster_start(): waits until the database answers, checks the schema, then runs heartbeats,
 *    roles and the event mesh in the background;
 *  - handover_run(): at shutdown, gives leadership and role away;
 *  - cluster_stop(): no more background work, node stopped; the listeners may close after it;
 *  - cluster_free().
 *
 * All functions of cluster/ may be called from any thread but the loop's, unless they say that they
 * do not block.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "cluster/cluster_hooks.h"
#include "cluster/member_list.h"
#include "lib/base/error.h"
#include "lib/base/scoped.h"

struct cluster;
struct db;
struct db_local;
struct gateway;
struct loop;

struct cluster_options {
	const char *dir;                   /* The state directory. */
	struct loop *loop;                 /* Borrowed for the cluster's life. */
	const struct cluster_hooks *hooks; /* Borrowed for the cluster's life. */
	const char *version;               /* The daemon's version, for User-Agent. */
	uint64_t n_api_extensions;         /* Members with other counts are "Blocked". */
	unsigned latency_ms;               /* Engine's network latency; 0 means 30. */
};

/* Sets what the engine and libuv read from the environment; SIGPIPE is ignored from here on. */
void cluster_setup_process(void);

/*
 * Loads server.crt/key (which must exist) and cluster.crt/key, opens database/local.db, locks and
 * starts the node in database/global. A standalone server's node serves from here on.
 */
int cluster_new(const struct cluster_options *options, struct cluster **ret_cluster,
                struct error **err);

/*
 * Waits up to 'timeout_ms' (-1: for ever) for the database, brings the schema up to date, and
 * starts the background work. Returns -ETIMEDOUT (503) if no leader was found in time; may be
 * called again.
 */
int cluster_start(struct cluster *cluster, int timeout_ms, struct error **err);

void cluster_stop(struct cluster *cluster);
void cluster_free(struct cluster *cluster);
DEFINE_SCOPED(struct cluster *, cluster_free);

/* Parts that live as long as the cluster; borrowed. They do not block. */
struct db *cluster_db(struct cluster *cluster);
struct db_local *cluster_local(struct cluster *cluster);
struct gateway *cluster_gateway(struct cluster *cluster);

/* True when clustering is enabled on this server. Does not block. */
bool cluster_is_enabled(struct cluster *cluster);

/* This member's name ("none" when standalone) and address ("" when standalone); owned. */
char *cluster_member_name(struct cluster *cluster) MUST_CHECK;
char *cluster_member_address(struct cluster *cluster) MUST_CHECK;

/* This member's row id in the members table, which is its raft id too. Does not block. */
int64_t cluster_member_id(struct cluster *cluster);

/* True when this member leads; a standalone server always does. Does not block. */
bool cluster_is_leader(struct cluster *cluster);

/* The same, but "no" is never old: asks the local node first, like gateway_is_leader_now(). */
bool cluster_is_leader_now(struct cluster *cluster);

/* Whether anybody leads, as far as is known here: while not, whoever asks the database waits. */
bool cluster_is_led(struct cluster *cluster);

/*
 * The leader's address, asked of the gateway: "" for a standalone server; 503 when none is known.
 * Answers from memory when it is fresh, else asks the voters (at most 2 s).
 */
int cluster_leader_address(struct cluster *cluster, char **ret_address, struct error **err);

/* What this member knows of all; release with member_list_unref(). Does not block. */
struct member_list *cluster_members(struct cluster *cluster) MUST_CHECK;

/* Reads the rows of all members again and publishes them with what is known of their liveness. */
int cluster_members_refresh(struct cluster *cluster, struct error **err);

/*
 * The effective value of a cluster-wide integer key of cluster_conf.h, from memory: rows are read
 * at start and whenever cluster_conf_changed() is called.
 */
int64_t cluster_setting(struct cluster *cluster, const char *key);

/* The same of a text key; owned. */
char *cluster_setting_text(struct cluster *cluster, const char *key) MUST_CHECK;
