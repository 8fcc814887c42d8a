/*
 * The storage part of the daemon: the pools of this member, opened.
 *
 * struct storage_service hangs in struct state and holds what drivers need between calls: which
 * pools are mounted and what the kernel can do there. Everything else is in the database and on
 * disk. The other headers of this folder are what services and handlers call; all their functions
 * take the daemon's state and the operation that they are a part of (for progress, cancellation and
 * the requestor in lifecycle events), which may be NULL.
 */
#pragma once

#include <stdbool.h>

#include "drivers/host/op.h"
#include "lib/base/error.h"

struct operation;
struct state;
struct storage_pool;
struct storage_service;

/* Makes the service and sets state->storage, without touching a pool. */
void storage_service_new(struct state *state);
void storage_service_free(struct storage_service *storage);

/*
 * Mounts all pools that the database knows on this member: at start, and again for those that
 * failed (a warning "Storage pool unavailable" is raised and resolved). Returns how many are still
 * unavailable, or a negative errno when the database cannot be read.
 */
int storage_service_start(struct state *state, struct error **err);

/* Whether all pools of this member are there; evacuation and restore refuse otherwise. */
bool storage_service_is_ready(struct state *state);

/*
 * An opened pool of this member, mounted. Borrowed: valid until the pool is deleted, which needs
 * the pool's lock and that nothing uses it. 404 "Storage pool not found", 503 if it is unavailable.
 */
int storage_service_pool(struct state *state, const char *name, struct storage_pool **ret_pool,
                         struct error **err);

/* Makes the drivers' view of an operation, which may be NULL. Lives as long as the operation. */
struct op storage_service_op(struct operation *operation);
