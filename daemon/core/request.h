/*
 * One request, from the dispatcher's first look to the handler's last.
 *
 * The dispatcher has matched the route, authenticated and authorized before a handler sees it, and
 * has decided that this member answers. Strings are borrowed from the request and live as long as
 * it does; an operation that goes on afterwards copies what it needs.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/error.h"

struct cancel;
struct db_view;
struct http_exchange;
struct json_object;
struct requestor;
struct route;
struct state;

struct request_private;

struct request {
	struct state *state;
	struct http_exchange *exchange;
	const struct route *route;
	const char *method;
	const char *path;     /* Decoded as a whole: for logs. Handlers use request_param(). */
	const char *project;  /* ?project=, else "default". Not yet mapped by features. */
	bool all_projects;    /* ?all-projects=true */
	const char *target;   /* ?target=, or NULL. A member's name or "@group". */
	const char *if_match; /* Without quotes, or NULL. */
	int recursion;        /* 0, 1 or 2. */
	bool is_peer;         /* Sent by another member for its own purposes: a notification. */
	bool is_forwarded;    /* Sent by another member for somebody whom it has let pass. */
	uint64_t arrival;     /* db_cache_ticket() of when it was complete. */
	const struct requestor *requestor; /* For a forwarded request, whoever asked first. */
	struct request_private *private;
};

/*
 * Fills 'req' from an exchange: query and headers are read and checked (400). 'route' gives names
 * to the parts of the path; NULL leaves them out. The caller authenticates and sets 'requestor'.
 */
int request_init(struct request *req, struct state *state, struct http_exchange *exchange,
                 const struct route *route, const char *pattern, struct error **err);
void request_done(struct request *req);

/* Just before the answer: lets go of the exchange, which the answer may free. */
void request_let_go(struct request *req);

/*
 * A view of rows as they were when the request came, or newer: db_cache_view(), shared with others
 * that stood in the queue with it. For handlers that only read and did not wait for anything.
 */
int request_view(const struct request *req, uint32_t families, struct db_view **ret_view,
                 struct error **err);

/* The decoded part of the path that the route calls {name}; asserts that there is one. */
const char *request_param(const struct request *req, const char *name);

/* The first ?key=, decoded, or NULL. */
const char *request_query(const struct request *req, const char *key);

/* ?key= as a boolean: 1, true, yes, on and their opposites; absent or empty is false; 400. */
int request_query_bool(const struct request *req, const char *key, bool *ret_value,
                       struct error **err);

/* Cancelled when the client has gone or the request is over; borrowed from the request. */
struct cancel *request_cancel(struct request *req);

/* A header of the request, or NULL. */
const char *request_header(const struct request *req, const char *name);

/*
 * The body as a JSON object, strictly read: one value, no text behind it, no key twice, no invalid
 * UTF-8, no NUL. An empty body is an empty object. Borrowed from the request. Fails with 400, or
 * 413 when larger than the route allows.
 */
int request_json(struct request *req, struct json_object **ret_object, struct error **err);

/*
 * The body as a readable file descriptor at offset 0 and its size in bytes. Borrowed; stays valid
 * until the request is over unless taken with request_body_fd_take(). A body in memory is written
 * to an unlinked file first.
 */
int request_body_fd(struct request *req, int *ret_fd, uint64_t *ret_size, struct error **err);

/* The same, with the descriptor now owned by the caller: for operations. */
int request_body_fd_take(struct request *req, int *ret_fd, uint64_t *ret_size, struct error **err);

/* The size of the body in bytes. */
uint64_t request_body_size(const struct request *req);

/*
 * Compares If-Match with the ETag of 'etag_source' (see response_etag()) and fails with a 412 if
 * they differ; without If-Match it succeeds. A service calls it inside the write transaction, with
 * what it has just read, so that check and write are one.
 */
int request_check_etag(const struct request *req, struct json_object *etag_source,
                       struct error **err);

/*
 * Whether an item passes ?filter=. The filter is parsed once by the dispatcher; 'item' is what a
 * list with recursion would show. Without a filter everything passes.
 */
bool request_filter_passes(const struct request *req, struct json_object *item);

/* Whether there is a filter: then lists of URLs must load whole items as well. */
bool request_has_filter(const struct request *req);

/*
 * Whether the requestor holds 'entitlement' on one more object than the one in the path: the source
 * of a copy, each item of a list. 403, or 404 where even its existence is none of their business.
 */
int request_authorize(const struct request *req, const char *entity, const char *entitlement,
                      const char *project, struct error **err);
