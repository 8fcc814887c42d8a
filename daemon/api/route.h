/*
 * Routes as data.
 *
 * Each resource file in daemon/api ends in one table of routes; routes.c lists the tables. The
 * table is the whole truth about an endpoint: the dispatcher authenticates, checks the entitlement,
 * finds the member that must answer and rejects unknown methods before the handler runs, and the
 * API reference in docs/ is generated from the same rows. A handler therefore never checks access
 * to what the path names; for anything else it touches it calls request_authorize().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/error.h"

struct request;
struct response;

enum access {
	ACCESS_ANYONE,   /* No identity needed: GET /1.0 on an untrusted connection. */
	ACCESS_TRUSTED,  /* Any trusted identity; the handler filters what it lists. With an
	                    'entity' the identity must be allowed into the request's project. */
	ACCESS_ENTITLED, /* The identity must hold 'entitlement' on 'entity'. */
	ACCESS_PEER,     /* Another member of this cluster, or root on the unix socket. */
	ACCESS_METRICS,  /* As ACCESS_TRUSTED, and metrics certificates too. */
};

enum placement {
	ON_ANY_MEMBER, /* Answered where it arrives, from the database. */
	ON_TARGET,     /* Forwarded to ?target= when that is another member. */
	ON_OWNER,      /* Forwarded to the member that 'owner' names. */
	ON_LEADER,     /* Forwarded to the leader. */
};

enum route_body {
	ROUTE_BODY_JSON, /* Or none: up to 8 MiB, kept in memory. */
	ROUTE_BODY_FILE, /* As large as it comes; spooled to a file. */
};

/* Answers one request. On failure returns a negative errno with '*err' set, and 'res' unused. */
typedef int route_handler(struct request *req, struct response *res, struct error **err);

/*
 * Names the member that has what the path names, or NULL for this one (owned by the caller). 404
 * when nothing of that name exists.
 */
typedef int route_owner(struct request *req, char **ret_member, struct error **err);

struct route {
	const char *method; /* "HEAD" is answered by "GET". */
	const char *path;   /* "/1.0/instances/{name}"; a {part} matches one path segment. */
	route_handler *handler;
	enum access access;
	const char *entity;      /* "server", "project", "instance", ...: of the entitlement. */
	const char *entitlement; /* "can_edit"; only with ACCESS_ENTITLED. */
	enum placement placement;
	const char *extension; /* API extension that announced it, or NULL for the first API. */
	route_owner *owner;    /* Only with ON_OWNER. */
	enum route_body body;
	bool answers_file; /* An answer from another member may be large: it is passed on as a file.
	                    */
};

struct route_table {
	const struct route *routes;
	size_t n_routes;
};

#define ROUTE_TABLE(array)                                     \
	{                                                      \
		.routes = (array), .n_routes = COUNT_OF(array) \
	}

/* Every table of the API, in the order of docs/rest-api.md; ends with NULL. In routes.c. */
extern const struct route_table *const route_tables[];

/* Whether 'path', still percent-encoded, fits the pattern 'pattern'. */
bool route_matches(const char *pattern, const char *path);

/*
 * The route for a method and path. NULL when there is none; then '*ret_has_path' tells whether
 * another method would have one: 501 rather than 404, as LXD answers. /1.0/containers and
 * /1.0/virtual-machines are /1.0/instances; request_query() then has their "instance-type".
 */
const struct route *route_find(const char *method, const char *path, bool *ret_has_path);
