/* Finding the leader among the nodes that may be it. */
#pragma once

#include "db/conn.h"
#include "db/db.h"

/*
 * Connects to the leader: tries 'hint' (NULL for none) first, then all candidates at the same time,
 * follows one referral, and checks that the node says of itself that it leads. Looks again until
 * 'deadline', with pauses of 20 ms that grow to 500 ms. Returns a connection with the database not
 * opened yet, and the leader's address, which is the caller's (may be NULL). 503 (-EAGAIN) if there
 * is none by then.
 */
int db_leader_connect(const struct db_ops *ops, void *ops_arg, const char *hint, int64_t deadline,
                      struct db_conn **ret_conn, char **ret_address, struct error **err) MUST_CHECK;
