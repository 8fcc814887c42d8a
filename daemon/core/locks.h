/*
 * Named locks: what must exclude others for long.
 *
 * A mutex guards a struct for microseconds; a named lock guards an instance, a volume, an image
 * for as long as an operation works on it. They are of this member only: what excludes other
 * members is in the database. Whoever takes several takes them in the order of enum lock_kind, and
 * within a kind in the order of the names.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/error.h"

struct cancel;
struct locks;

/* In the order in which one thread may take them. */
enum lock_kind {
	LOCK_CONFIG,  /* The server's configuration, on this member. */
	LOCK_CLUSTER, /* Membership: join, leave, evacuate. */
	LOCK_PROJECT,
	LOCK_INSTANCE, /* "project/name" */
	LOCK_IMAGE,    /* Fingerprint. */
	LOCK_POOL,     /* Pool. */
	LOCK_VOLUME,   /* "pool/type/project/name" */
	LOCK_MOUNT,    /* The same names: mount counts. */
	LOCK_N_KINDS,
};

struct lock; /* One lock that is held. */

struct locks *locks_new(void) MUST_CHECK;
void locks_free(struct locks *locks);

/*
 * Takes it, waiting for whoever has it until 'cancel' (may be NULL) is raised: -ECANCELED with
 * *err set.
 */
int locks_take(struct locks *locks, enum lock_kind kind, const char *name, struct cancel *cancel,
               struct lock **ret_lock, struct error **err);

/* The same, shared with others that take it so. */
int locks_take_shared(struct locks *locks, enum lock_kind kind, const char *name,
                      struct cancel *cancel, struct lock **ret_lock, struct error **err);

/* Takes it if it is free; NULL otherwise. */
struct lock *locks_try(struct locks *locks, enum lock_kind kind, const char *name);

/* Gives it back; from any thread. */
void locks_release(struct lock *lock);
DEFINE_SCOPED(struct lock *, locks_release);
