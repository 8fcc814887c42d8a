/*
 * The storage part of the daemon: the pools of this member, opened.
 *
 * struct storage_service hangs in struct state and holds what drivers need between calls: which
 * pools are mounted, how often each volume is. Everything else is in the database and on disk. The
 * other headers of this folder are what services and handlers call; all their functions take the
 * daemon's state and the operation that they are a part of (for progress, cancellation and the
 * requestor in lifecycle events), which may be NULL.
 */
#pragma once

#include <stdbool.h>

#include "drivers/host/op.h"
#include "lib/base/error.h"

struct host;

struct operation;
struct state;
struct storage_service;
struct storage_pool;

/* Makes it, without touching a pool. 'host' is borrowed for as long as the storage lives. */
struct storage_service *storage_new(struct state *state, const struct host *host);
void storage_free(struct storage_service *storage);

/*
 * Mounts all pools that the database knows on this member: at start, and again for those that
 * failed (a warning "Storage pool unavailable" is raised and resolved). Returns how many are still
 * unavailable, or a negative errno when the database cannot be read.
 */
int storage_start(struct storage_service *storage, struct error **err);

/* Unmounts all pools that nothing uses. Containers that run keep theirs. */
void storage_stop(struct storage_service *storage);

/* Whether all pools of this member are there; evacuation and restore refuse otherwise. */
bool storage_is_ready(struct storage_service *storage);

/*
 * An opened pool of this member, mounted. Borrowed: valid until the pool is deleted, which needs
 * the pool's lock and that nothing uses it. 404 "Storage pool not found", 503 if it is unavailable.
 */
int storage_pool_open(struct storage_service *storage, const char *name,
                      struct storage_pool **ret_pool, struct error **err);

/* Makes the drivers' view of an operation, which may be NULL. Lives as long as the operation. */
struct op storage_op(struct operation *operation);
