/* Finding the leader among the nodes that may be it. */
#pragma once

#include "db/conn.h"
#include "db/db.h"

struct db_leader;

/* 'ops' is borrowed for its life. */
struct db_leader *db_leader_new(const struct db_ops *ops, void *ops_arg);

/* Waits for probes that are still under way (each ends within some seconds). */
void db_leader_free(struct db_leader *leader);
DEFINE_SCOPED(struct db_leader *, db_leader_free);

/*
 * Connects to the leader. Asks all candidates, and those that they refer to, at the same time and
 * again and again, with pauses of 20 ms that grow to 50 ms, until one says of itself that it
 * leads, or 'deadline' is over: then a 503 (-EAGAIN). The database is not opened yet on the
 * connection that is returned; the address of the leader is the caller's.
 */
int db_leader_connect(struct db_leader *leader, int64_t deadline, struct db_conn **ret_conn,
                      char **ret_address, struct error **err) MUST_CHECK;

/* Connects to the node at 'address' and checks that it says of itself that it leads. */
int db_leader_connect_to(struct db_leader *leader, const char *address, int64_t deadline,
                         struct db_conn **ret_conn, struct error **err) MUST_CHECK;
