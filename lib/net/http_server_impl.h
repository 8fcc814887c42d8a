/* The inside of the server, for its connections. All on the loop thread but where it says so. */
#pragma once

#include <gnutls/gnutls.h>

#include "lib/base/list.h"
#include "lib/base/refs.h"
#include "lib/net/http_crowd.h"
#include "lib/net/http_deadline.h"
#include "lib/net/http_lane.h"
#include "lib/net/http_server.h"

enum { HTTP_SCRATCH_SIZE = 64 * 1024 };

struct http_stop;

/* References: the caller's, and one of each connection and exchange. */
struct http_server {
	struct refs refs;
	struct http_server_config config; /* Defaults filled in. */
	struct loop *loop;
	struct worker *io; /* Reads and writes files for bodies. */
	struct http_lanes *lanes;
	struct tls_credentials *cred;
	gnutls_datum_t ticket_key;

	struct list listeners;
	unsigned last_listener_id;
	struct list conns; /* struct http_conn */
	struct http_crowd crowd;
	struct http_deadlines deadlines;
	int reserve_fd;    /* Given up for a moment when descriptors run out. */
	int64_t warned_at; /* That they have; date_monotonic(). */

	bool is_stopping;
	struct http_stop *stop; /* Who waits for the last connection; or NULL. */

	struct http_server_counts counts;
	char *scratch, *scratch_out; /* HTTP_SCRATCH_SIZE each: for one read, one answer's piece. */
};

/* Any thread. */
struct http_server *http_server_ref(struct http_server *server);
void http_server_unref(struct http_server *server);

/* A connection has ended. */
void http_server_conn_ended(struct http_server *server);
