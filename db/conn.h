/*
 * One connection to one node: a request, its answer, each with a deadline.
 *
 * A connection is used by one thread at a time. After any doubt (an I/O error, a deadline, an
 * answer that does not fit, a lost leader) it is broken: every later call fails at once, and the
 * owner frees it. Whether what was asked may have happened is in struct db_conn_error.
 *
 * Besides SQL, these are also the calls that manage the nodes: membership, roles, leadership.
 */
#pragma once

#include "db/db.h"
#include "db/engine.h"

struct db_conn;

/* Why a request failed. */
enum db_failure {
	DB_FAILURE_NONE,
	DB_FAILURE_SQL,  /* The statement is wrong or violates a constraint: ends the caller. */
	DB_FAILURE_BUSY, /* Another writer, or a membership change: nothing happened; again. */
	DB_FAILURE_NOT_LEADER, /* Nothing happened; find the leader. */
	DB_FAILURE_UNKNOWN,    /* It may have happened, or happen yet; find the leader and look. */
};

/*
 * Takes over 'fd', sends the handshake. 'deadline' as in struct db_ops. Only fails with -errno of
 * the socket; closes 'fd' then.
 */
int db_conn_open(int fd, int64_t deadline, struct db_conn **ret_conn, struct error **err)
	MUST_CHECK;
void db_conn_free(struct db_conn *conn);
DEFINE_SCOPED(struct db_conn *, db_conn_free);

bool db_conn_is_broken(const struct db_conn *conn);

/* What the last call of the connection ended with. */
enum db_failure db_conn_failure(const struct db_conn *conn);

/* The node's opinion of who leads: id 0 and "" if it knows none. The address is the caller's. */
int db_conn_leader(struct db_conn *conn, int64_t deadline, uint64_t *ret_id, char **ret_address,
                   struct error **err) MUST_CHECK;

struct db_conn_node {
	uint64_t id;
	char *address;
	enum engine_role role;
};

struct db_conn_nodes {
	struct db_conn_node *rows;
	size_t n;
};

void db_conn_nodes_done(struct db_conn_nodes *nodes);

/* The raft membership as the node knows it (a spare's may be old or empty). */
int db_conn_cluster(struct db_conn *conn, int64_t deadline, struct db_conn_nodes *ret_nodes,
                    struct error **err) MUST_CHECK;

/* Changes of the membership; to be asked of the leader. DB_FAILURE_BUSY: one is running already. */
int db_conn_add(struct db_conn *conn, int64_t deadline, uint64_t id, const char *address,
                struct error **err) MUST_CHECK;
int db_conn_assign(struct db_conn *conn, int64_t deadline, uint64_t id, enum engine_role role,
                   struct error **err) MUST_CHECK;
int db_conn_remove(struct db_conn *conn, int64_t deadline, uint64_t id, struct error **err)
	MUST_CHECK;

/* Moves leadership to the voter 'id', or to one that the leader picks if it is 0. */
int db_conn_transfer(struct db_conn *conn, int64_t deadline, uint64_t id, struct error **err)
	MUST_CHECK;

/* Opens the database; needed once, before any SQL. */
int db_conn_open_database(struct db_conn *conn, int64_t deadline, const char *name,
                          struct error **err) MUST_CHECK;

/* Runs a statement without a result. Statements are prepared once per connection and text. */
int db_conn_exec(struct db_conn *conn, int64_t deadline, const char *sql, struct db_args args,
                 int64_t *ret_id, int64_t *ret_changes, struct error **err) MUST_CHECK;

/*
 * Runs statements one after the other, the first with 'args', and ends with the first that fails.
 * They are parsed each time.
 */
int db_conn_exec_all(struct db_conn *conn, int64_t deadline, const char *sql, struct db_args args,
                     struct error **err) MUST_CHECK;

enum db_ahead {
	DB_AHEAD_EXEC,
	DB_AHEAD_QUERY,
};

/*
 * Says that a db_conn_exec() or db_conn_query() of the same statement will follow, those that were
 * announced in the same order: all are sent together, so that they cost one wait. If something else
 * follows, the answers are thrown away. Each runs whether or not the one before it fails: only a
 * statement that changes nothing, whatever state it meets, may follow another.
 */
void db_conn_ahead(struct db_conn *conn, int64_t deadline, enum db_ahead what, const char *sql,
                   struct db_args args);

/* Ends the time of announcements: an answer to one of them is not taken for that to a new request.
 */
void db_conn_forget_ahead(struct db_conn *conn);

/* How many messages were sent so far. */
uint64_t db_conn_n_requests(const struct db_conn *conn);

/* Runs a SELECT. A failure of 'fn' breaks the connection if rows were left unread. */
int db_conn_query(struct db_conn *conn, int64_t deadline, const char *sql, struct db_args args,
                  db_row_fn *fn, void *arg, struct error **err) MUST_CHECK;

/* Wakes a thread that waits for an answer, from another one: its call fails as unknown. */
void db_conn_cut(struct db_conn *conn);
