/*
 * Requests from this member to another.
 *
 * Connections are kept alive and shared. The peer must present the cluster's certificate and
 * nothing else; this member presents its own server certificate. An address that refuses or resets
 * a connection is suspect at once, so that others fail fast until the next heartbeat cleared it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/error.h"
#include "lib/base/macro.h"

struct cancel;
struct cluster;
struct http_client;
struct json_object;
struct stream;

#define CONNECT_NO_TIMEOUT (~0U)

struct connect_header {
	const char *name;
	const char *value;
};

struct connect_call {
	const char *method;       /* NULL means GET. */
	const char *path;         /* Escaped, with its query: "/1.0/instances?recursion=1". */
	struct json_object *body; /* Borrowed, or NULL. */
	const struct connect_header *headers;
	size_t n_headers;
	unsigned timeout_ms; /* 0 means 30 s; or CONNECT_NO_TIMEOUT. */
	/*
	 * An asynchronous answer is waited for (GET operations/ID/wait) and becomes the operation's
	 * own error, or success with the operation as metadata.
	 */
	bool is_waited;
	unsigned leader_wait_ms; /* How long connect_call_leader() looks for one; 0 means 5 s. */
};

/* The address of a member: 404 if there is none of that name, 503 if it is offline; owned. */
int connect_address(struct cluster *cluster, const char *member_name, char **ret_address,
                    struct error **err);

/*
 * Makes the call, checks LXD's envelope and returns its metadata (owned, may be NULL in any case).
 * An error answer becomes an error with the same status and text; no connection is a 503.
 */
int connect_call(struct cluster *cluster, const char *address, const struct connect_call *call,
                 struct json_object **ret_metadata, struct error **err);

/* The same to a member by name. */
int connect_call_member(struct cluster *cluster, const char *member_name,
                        const struct connect_call *call, struct json_object **ret_metadata,
                        struct error **err);

/* The same to the leader; goes on trying for up to 5 s while leadership moves. */
int connect_call_leader(struct cluster *cluster, const struct connect_call *call,
                        struct json_object **ret_metadata, struct error **err);

/*
 * A client for requests of any shape to a member (forwarding, files, streams), with the
 * certificates set; release with http_client_unref(). Idle connections go back to the pool.
 */
int connect_client(struct cluster *cluster, const char *address, struct http_client **ret_client,
                   struct error **err);

/* The same for a server that shows 'server_cert' (PEM): for joiners, which have no cluster yet. */
struct http_client *connect_pinned(struct cluster *cluster, const char *address,
                                   const char *server_cert) MUST_CHECK;

/*
 * A call through a client, once; 'ret_is_reached' says whether there was an answer at all. Returns
 * the whole envelope; an error envelope becomes the error.
 */
int connect_do(struct http_client *client, const struct connect_call *call, bool *ret_is_reached,
               struct json_object **ret_envelope, struct error **err);

struct connect_upgrade {
	const char *path;
	const char *protocol; /* "dqlite", "volume" or "websocket" */
	unsigned timeout_ms;
	struct cancel *cancel; /* or NULL */
};

/* An upgraded connection. */
int connect_upgrade(struct cluster *cluster, const char *address,
                    const struct connect_upgrade *upgrade, struct stream **ret_stream,
                    struct error **err);
