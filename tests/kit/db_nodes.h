/*
 * Real database nodes in the test's own process, in a directory that goes away with them.
 *
 * Node i has the raft id i + 1 and the address "node<i + 1>"; they reach one another, and clients
 * reach them, through their local sockets. A node can be stopped and started again, which to the
 * others looks like the loss of its process.
 */
#pragma once

#include "db/db.h"
#include "db/engine.h"

enum { DB_NODES_MAX = 5 };

struct db_nodes;

/* Starts 'n' nodes; all are voters. Fails the test if that does not work. */
struct db_nodes *db_nodes_start(size_t n);
void db_nodes_stop(struct db_nodes *nodes);

void db_nodes_kill(struct db_nodes *nodes, size_t i);
void db_nodes_revive(struct db_nodes *nodes, size_t i);

/* Connections to the node are refused, and what there is stays open. */
void db_nodes_refuse(struct db_nodes *nodes, size_t i, bool on);

/* Connects to a node as a client; a negative errno if it is gone. */
int db_nodes_dial(struct db_nodes *nodes, int i);

/* From now on, clients (not the other nodes) connect through db_proxy.h. */
void db_nodes_use_proxy(struct db_nodes *nodes);

/* The index of the node at the address that a db knows as its leader; -1 if it knows none. */
int db_nodes_index(const char *address);

/* A database on these nodes; 'origin' as in struct db_options. */
struct db *db_nodes_open(struct db_nodes *nodes, const char *origin);

/* The same with a schema. */
struct db *db_nodes_open_ready(struct db_nodes *nodes, const char *origin);

/* Fails the test with the message of '*err' if 'r' is negative. */
void db_nodes_check(int r, struct error **err, const char *what);
#define CHECK(call)                                  \
	do {                                         \
		struct error *err = NULL;            \
		db_nodes_check((call), &err, #call); \
	} while (0)

/* Inside a transaction's callback, with its 'err': fails the test unless the call succeeds. */
#define OK(call) db_nodes_check((call), err, #call)

/* The same unless it fails with this errno; then 'err' is empty again. */
#define FAILS(want, call)                       \
	do {                                    \
		assert_int_equal((call), want); \
		error_free(*err);               \
		*err = NULL;                    \
	} while (0)

/* Text for a field that is not const. */
#define T(s) ((char[]){ s })
