/*
 * The member's own database: an SQLite file that is not replicated.
 *
 * It holds what a daemon must know before, and without, the cluster: under which raft id and
 * address it runs its node, where the other nodes are, and its own config (addresses to listen on).
 * All functions may be called on any thread; each is one transaction.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/error.h"
#include "lib/base/macro.h"
#include "lib/base/smap.h"

struct db_local;

/*
 * Opens the file at 'path', creating it and bringing its schema up to date. Fails with a 500 if the
 * file was written by a newer release.
 */
int db_local_open(const char *path, struct db_local **ret_local, struct error **err) MUST_CHECK;
void db_local_close(struct db_local *local);
DEFINE_SCOPED(struct db_local *, db_local_close);

/* The name of this daemon in the table of marks (db_options.origin): made once, never changes.
 * Borrowed from 'local'. */
const char *db_local_origin(struct db_local *local);

/* Under which identity this member runs its node. */
struct db_local_raft {
	uint64_t id;    /* 0: not set up yet. */
	char *address;  /* "1" for a server that is not clustered. */
	bool clustered; /* Then an empty directory must never bootstrap. */
};

int db_local_get_raft(struct db_local *local, struct db_local_raft *ret_raft, struct error **err)
	MUST_CHECK;
int db_local_set_raft(struct db_local *local, const struct db_local_raft *raft, struct error **err)
	MUST_CHECK;
void db_local_raft_done(struct db_local_raft *raft);

/* A node as the leader told it with the last heartbeat. */
struct db_local_raft_node {
	uint64_t id;
	char *address;
	char *name;
	int role; /* enum engine_role */
};

struct db_local_raft_nodes {
	struct db_local_raft_node *rows;
	size_t n;
};

void db_local_raft_nodes_done(struct db_local_raft_nodes *nodes);

/* Sorted by id. */
int db_local_list_raft_nodes(struct db_local *local, struct db_local_raft_nodes *ret_nodes,
                             struct error **err) MUST_CHECK;
/* Replaces the whole table. */
int db_local_replace_raft_nodes(struct db_local *local, const struct db_local_raft_node *rows,
                                size_t n, struct error **err) MUST_CHECK;

/* This member's own config: core.https_address, cluster.https_address and the like. */
int db_local_get_config(struct db_local *local, struct smap *ret_config, struct error **err)
	MUST_CHECK;
/* Replaces the whole config. */
int db_local_replace_config(struct db_local *local, const struct smap *config, struct error **err)
	MUST_CHECK;
/* Sets one key; NULL or "" removes it. */
int db_local_set_config(struct db_local *local, const char *key, const char *value,
                        struct error **err) MUST_CHECK;

/* Names of one-off fixes that ran here already. */
int db_local_has_patch(struct db_local *local, const char *name, bool *ret_has, struct error **err)
	MUST_CHECK;
int db_local_add_patch(struct db_local *local, const char *name, struct error **err) MUST_CHECK;
