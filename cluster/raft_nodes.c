#include "cluster/raft_nodes.h"

#include <stdlib.h>
#include <string.h>

#include "cluster/gateway.h"
#include "db/conn.h"
#include "lib/base/alloc.h"
#include "lib/base/date.h"
#include "lib/base/str.h"
#include "lib/base/thread.h"

#define READ_TIMEOUT_MS 5000
#define CHANGE_TIMEOUT_MS 5000
#define VOTER_TIMEOUT_MS 20000 /* A new voter has to catch up with the log first. */
#define TRANSFER_TIMEOUT_MS 1500
#define PAUSE_MS 50

void raft_nodes_free(struct raft_node *nodes, size_t n_nodes)
{
	for (size_t i = 0; nodes && i < n_nodes; i++) {
		free(nodes[i].address);
		free(nodes[i].name);
	}
	free(nodes);
}

const struct raft_node *raft_nodes_by_id(const struct raft_node *nodes, size_t n_nodes, uint64_t id)
{
	for (size_t i = 0; i < n_nodes; i++) {
		if (nodes[i].id == id)
			return &nodes[i];
	}

	return NULL;
}

static int read_nodes(struct db_conn *conn, int64_t deadline, struct raft_node **ret_nodes,
                      size_t *ret_n_nodes, struct error **err)
{
	scoped(db_conn_nodes_done) struct db_conn_nodes rows = { 0 };
	int r = db_conn_cluster(conn, deadline, &rows, err);
	if (r < 0)
		return r;

	struct raft_node *nodes = xcalloc(rows.n ? rows.n : 1, sizeof(*nodes));
	for (size_t i = 0; i < rows.n; i++) {
		nodes[i].id = rows.rows[i].id;
		nodes[i].address = xstrdup(rows.rows[i].address);
		nodes[i].role = (enum role)rows.rows[i].role;
	}
	*ret_nodes = nodes;
	*ret_n_nodes = rows.n;

	return 0;
}

/* A connection to the leader and what it knows. */
static int connect_leader(struct gateway *gateway, int64_t deadline, struct db_conn **ret_conn,
                          struct raft_node **ret_nodes, size_t *ret_n_nodes, struct error **err)
{
	scoped_free char *address = NULL;
	scoped(db_conn_freep) struct db_conn *conn = NULL;

	int r = gateway_connect_leader(gateway, deadline, &conn, &address, err);
	if (r < 0)
		return r;
	r = read_nodes(conn, deadline, ret_nodes, ret_n_nodes, err);
	if (r < 0)
		return r;

	if (ret_conn)
		*ret_conn = TAKE_PTR(conn);
	return 0;
}

int raft_nodes_read(struct gateway *gateway, struct raft_node **ret_nodes, size_t *ret_n_nodes,
                    struct error **err)
{
	return connect_leader(gateway, date_deadline(READ_TIMEOUT_MS), NULL, ret_nodes, ret_n_nodes,
	                      err);
}

int raft_nodes_read_of(struct gateway *gateway, const char *address, struct raft_node **ret_nodes,
                       size_t *ret_n_nodes, struct error **err)
{
	scoped(db_conn_freep) struct db_conn *conn = NULL;
	int r = gateway_connect(gateway, address, READ_TIMEOUT_MS, &conn, err);
	if (r < 0)
		return r;

	return read_nodes(conn, date_deadline(READ_TIMEOUT_MS), ret_nodes, ret_n_nodes, err);
}

/* A change: whether it is there already, and how it is asked for. */
struct wish {
	uint64_t id;
	const char *address;
	enum role role;
	unsigned timeout_ms; /* 0: CHANGE_TIMEOUT_MS. */
	bool (*is_met)(const struct wish *wish, const struct raft_node *node);
	int (*ask)(const struct wish *wish, struct db_conn *conn, int64_t deadline,
	           struct error **err);
};

static bool is_worth_a_retry(enum db_failure failure)
{
	switch (failure) {
	case DB_FAILURE_BUSY:
	case DB_FAILURE_NOT_LEADER:
	case DB_FAILURE_UNKNOWN:
		return true;
	case DB_FAILURE_NONE:
	case DB_FAILURE_SQL:
		return false;
	}

	return false;
}

static void pause_ms(int64_t ms)
{
	const struct timespec time = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	nanosleep(&time, NULL);
}

static int make_true(struct gateway *gateway, const struct wish *wish, struct error **err)
{
	int64_t deadline = date_deadline(wish->timeout_ms ? wish->timeout_ms : CHANGE_TIMEOUT_MS);

	for (;;) {
		scoped(db_conn_freep) struct db_conn *conn = NULL;
		struct raft_node *nodes = NULL;
		size_t n_nodes = 0;

		int r = connect_leader(gateway, deadline, &conn, &nodes, &n_nodes, err);
		if (r < 0)
			return r;
		bool is_met = wish->is_met(wish, raft_nodes_by_id(nodes, n_nodes, wish->id));
		raft_nodes_free(nodes, n_nodes);
		if (is_met)
			return 0;

		scoped(error_freep) struct error *failure = NULL;
		r = wish->ask(wish, conn, deadline, &failure);
		if (r >= 0)
			return 0;
		if (!is_worth_a_retry(db_conn_failure(conn)) || date_left(deadline) == 0) {
			*err = TAKE_PTR(failure);
			return r;
		}
		pause_ms(PAUSE_MS);
	}
}

static bool is_there(const struct wish *wish, const struct raft_node *node)
{
	return node && str_equals(node->address, wish->address);
}

static int ask_add(const struct wish *wish, struct db_conn *conn, int64_t deadline,
                   struct error **err)
{
	return db_conn_add(conn, deadline, wish->id, wish->address, err);
}

int raft_nodes_add(struct gateway *gateway, uint64_t id, const char *address, struct error **err)
{
	const struct wish wish = {
		.id = id, .address = address, .is_met = is_there, .ask = ask_add
	};

	return make_true(gateway, &wish, err);
}

static bool has_role(const struct wish *wish, const struct raft_node *node)
{
	return node && node->role == wish->role;
}

static int ask_assign(const struct wish *wish, struct db_conn *conn, int64_t deadline,
                      struct error **err)
{
	return db_conn_assign(conn, deadline, wish->id, (enum engine_role)wish->role, err);
}

int raft_nodes_assign(struct gateway *gateway, uint64_t id, enum role role, struct error **err)
{
	const struct wish wish = { .id = id,
		                   .role = role,
		                   .timeout_ms = role == ROLE_VOTER ? VOTER_TIMEOUT_MS : 0,
		                   .is_met = has_role,
		                   .ask = ask_assign };

	return make_true(gateway, &wish, err);
}

static bool is_gone(const struct wish *wish, const struct raft_node *node)
{
	return node == NULL;
}

static int ask_remove(const struct wish *wish, struct db_conn *conn, int64_t deadline,
                      struct error **err)
{
	return db_conn_remove(conn, deadline, wish->id, err);
}

int raft_nodes_remove(struct gateway *gateway, uint64_t id, struct error **err)
{
	const struct wish wish = { .id = id, .is_met = is_gone, .ask = ask_remove };

	return make_true(gateway, &wish, err);
}

int raft_nodes_transfer(struct gateway *gateway, uint64_t id, struct error **err)
{
	int64_t deadline = date_deadline(TRANSFER_TIMEOUT_MS);
	scoped_free char *own = gateway_address(gateway);
	scoped_free char *leader = NULL;

	if (!gateway_is_leader(gateway))
		return 0;

	scoped(db_conn_freep) struct db_conn *conn = NULL;
	int r = gateway_connect(gateway, own, TRANSFER_TIMEOUT_MS, &conn, err);
	if (r >= 0)
		r = db_conn_transfer(conn, deadline, id, err);
	if (r < 0)
		return r;

	gateway_look(gateway);
	while (gateway_is_leader(gateway) && date_left(deadline) != 0) {
		pause_ms(5);
		gateway_look(gateway);
	}
	return gateway_wait_leader(gateway, TRANSFER_TIMEOUT_MS, &leader, err);
}
