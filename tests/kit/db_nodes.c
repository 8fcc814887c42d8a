#include "tests/kit/db_nodes.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "db/conn.h"
#include "db/schema.h"
#include "lib/base/alloc.h"
#include "lib/base/strv.h"
#include "lib/base/tree.h"
#include "tests/kit/db_proxy.h"

struct db_nodes {
	pthread_rwlock_t lock;
	char dir[64];
	size_t n;
	struct engine_node *nodes[DB_NODES_MAX];
	bool refuses[DB_NODES_MAX];
	bool uses_proxy;
};

void db_nodes_check(int r, struct error **err, const char *what)
{
	if (r >= 0)
		return;

	(void)fprintf(stderr, "%s: %s (%d)\n", what, *err ? (*err)->msg : "no error", r);
	abort();
}

int db_nodes_index(const char *address)
{
	return address && strncmp(address, "node", 4) == 0 ? address[4] - '1' : -1;
}

static int connect_to(struct db_nodes *nodes, const char *address)
{
	int i = db_nodes_index(address);
	int fd = -ECONNREFUSED;

	pthread_rwlock_rdlock(&nodes->lock);
	if (i >= 0 && (size_t)i < nodes->n && nodes->nodes[i] && !nodes->refuses[i])
		fd = engine_node_connect(nodes->nodes[i]);
	pthread_rwlock_unlock(&nodes->lock);
	return fd;
}

static int dial(void *arg, const char *address, int64_t deadline)
{
	struct db_nodes *nodes = arg;
	int fd = connect_to(nodes, address);

	(void)deadline;
	return fd >= 0 && nodes->uses_proxy ? db_proxy_wrap(fd) : fd;
}

void db_nodes_use_proxy(struct db_nodes *nodes)
{
	nodes->uses_proxy = true;
}

static char **candidates(void *arg)
{
	struct db_nodes *nodes = arg;
	char **addresses = NULL;

	for (size_t i = 0; i < nodes->n; i++)
		strv_addf(&addresses, "node%zu", i + 1);
	return addresses;
}

static const struct db_ops ops = { .dial = dial, .candidates = candidates };

int db_nodes_dial(struct db_nodes *nodes, int i)
{
	scoped_free char *address = xasprintf("node%d", i + 1);

	return connect_to(nodes, address);
}

static int connect_peer(void *arg, const char *address, int *ret_fd)
{
	int fd = connect_to(arg, address);

	if (fd < 0)
		return fd;
	*ret_fd = fd;
	return 0;
}

void db_nodes_revive(struct db_nodes *nodes, size_t i)
{
	scoped_free char *dir = xasprintf("%s/%zu", nodes->dir, i + 1);
	scoped_free char *address = xasprintf("node%zu", i + 1);
	struct engine_node *node;
	struct engine_options options = {
		.id = i + 1,
		.address = address,
		.dir = dir,
		.latency_ms = 20,
		.connect = connect_peer,
		.connect_arg = nodes,
	};

	mkdir(dir, 0700);
	CHECK(engine_node_start(&options, &node, &err));
	pthread_rwlock_wrlock(&nodes->lock);
	nodes->nodes[i] = node;
	pthread_rwlock_unlock(&nodes->lock);
}

void db_nodes_kill(struct db_nodes *nodes, size_t i)
{
	pthread_rwlock_wrlock(&nodes->lock);
	struct engine_node *node = TAKE_PTR(nodes->nodes[i]);
	pthread_rwlock_unlock(&nodes->lock);
	engine_node_stop(node);
}

void db_nodes_refuse(struct db_nodes *nodes, size_t i, bool on)
{
	pthread_rwlock_wrlock(&nodes->lock);
	nodes->refuses[i] = on;
	pthread_rwlock_unlock(&nodes->lock);
}

static void join(struct db_nodes *nodes, size_t i)
{
	scoped_free char *address = xasprintf("node%zu", i + 1);
	scoped(db_conn_freep) struct db_conn *conn = NULL;
	int64_t deadline = date_deadline(20000);

	CHECK(db_conn_open(dial(nodes, "node1", deadline), deadline, &conn, &err));
	CHECK(db_conn_add(conn, deadline, i + 1, address, &err));
	CHECK(db_conn_assign(conn, deadline, i + 1, ENGINE_VOTER, &err));
}

struct db_nodes *db_nodes_start(size_t n)
{
	struct db_nodes *nodes = xcalloc(1, sizeof(*nodes));

	engine_init();
	pthread_rwlock_init(&nodes->lock, NULL);
	strcpy(nodes->dir, "/tmp/muster-db-XXXXXX");
	if (!mkdtemp(nodes->dir))
		abort();
	nodes->n = n;
	for (size_t i = 0; i < n; i++) {
		db_nodes_revive(nodes, i);
		if (i > 0)
			join(nodes, i);
	}

	return nodes;
}

void db_nodes_stop(struct db_nodes *nodes)
{
	for (size_t i = 0; i < nodes->n; i++)
		db_nodes_kill(nodes, i);
	if (tree_remove(nodes->dir, 0) < 0)
		abort();
	pthread_rwlock_destroy(&nodes->lock);
	free(nodes);
}

struct db *db_nodes_open(struct db_nodes *nodes, const char *origin)
{
	return db_new(&(struct db_options){ .ops = &ops, .ops_arg = nodes, .origin = origin });
}

struct db *db_nodes_open_ready(struct db_nodes *nodes, const char *origin)
{
	struct db *db = db_nodes_open(nodes, origin);

	CHECK(db_schema_ensure(db, &err));
	return db;
}
