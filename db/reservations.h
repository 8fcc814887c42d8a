/*
 * Reservations: what was promised on a member and is not there yet. Made in the transaction that
 * chooses the member, so that two choices at the same time never overcommit it; removed in the one
 * that makes it real, or when it expires.
 */
#pragma once

#include "db/db.h"

struct db_reservation {
	int64_t id;
	char *member;
	char *project;
	char *instance; /* Name of the instance that will be there. */
	char *pool;     /* Where its root disk will be, or "". */
	char *owner;    /* Who made it: an operation's or a plan's UUID. */
	int64_t memory; /* Bytes; 0: unlimited. */
	int64_t cpus;
	int64_t disk;          /* Bytes. */
	char *placement_group; /* Name in the project, or "". */
	int64_t created;
	int64_t expires;
};

struct db_reservations {
	struct db_reservation *rows;
	size_t n;
};

void db_reservation_done(struct db_reservation *row);
void db_reservation_list_done(struct db_reservations *rows);

/* All, in order of creation. */
int db_reservation_list(struct db_tx *tx, struct db_reservations *ret_rows, struct error **err)
	MUST_CHECK;

/* Whether there is one of (project, instance). */
int db_reservation_has(struct db_tx *tx, const char *project, const char *instance,
                       bool *ret_is_there, struct error **err) MUST_CHECK;

/* 409 if (project, instance) is reserved already. */
int db_reservation_create(struct db_tx *tx, const struct db_reservation *row, int64_t *ret_id,
                          struct error **err) MUST_CHECK;
int db_reservation_delete(struct db_tx *tx, int64_t id, struct error **err) MUST_CHECK;

/* Removes the one of an instance that 'owner' made, if there is one. */
int db_reservation_delete_of(struct db_tx *tx, const char *project, const char *instance,
                             const char *owner, struct error **err) MUST_CHECK;

/* Removes all that 'owner' made. */
int db_reservation_delete_by(struct db_tx *tx, const char *owner, struct error **err) MUST_CHECK;

/* Removes what has expired by 'now'. */
int db_reservation_prune(struct db_tx *tx, int64_t now, struct error **err) MUST_CHECK;
