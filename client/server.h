/*
 * One server as the commands see it: its API, in the project and on the member that was chosen.
 *
 * Paths are formats whose "%s" are escaped, so that no name can break out of its segment:
 *
 *	server_get(s, &instance, err, "/1.0/instances/%s?recursion=1", name)
 *
 * The project and the target are added to every path.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include <json-c/json.h>

#include "client/http.h"
#include "lib/base/error.h"
#include "lib/base/scoped.h"
#include "lib/net/stream.h"

struct server;

/* How a server is reached; all borrowed and to outlive it. */
struct server_place {
	const char *name;        /* Of the remote. */
	const char *socket_path; /* Or NULL, then: */
	const char *address;     /* "host:port". */
	const char *cert_path, *key_path;
	const char *pinned_path;
	const char *project; /* NULL for the server's default. */
	bool debug;          /* Requests and answers go to stderr. */
};

/* Connects when it is first used. */
struct server *server_new(const struct server_place *place);
void server_free(struct server *server);
DEFINE_SCOPED(struct server *, server_free);

/* The member that answers what follows, NULL for whichever; copied. */
void server_set_target(struct server *server, const char *target);
/* The project of what follows; copied. Returns nothing; NULL is the default one. */
void server_set_project(struct server *server, const char *project);
const char *server_project(const struct server *server); /* Never NULL. */
const char *server_name(const struct server *server);

/* What a request is made of beside its path. */
struct server_call {
	const char *method;         /* NULL: GET. */
	struct json_object *body;   /* Borrowed; or NULL. */
	const char *etag;           /* For If-Match, or NULL. */
	const char *const *headers; /* More of them, ends with NULL; or NULL. */
	int body_fd;                /* A file instead of 'body', if its size is not 0. */
	uint64_t body_fd_size;
	int sink_fd; /* Where a body that is not JSON goes if 'has_sink'. */
	bool has_sink;
	bool raw; /* An error answer is returned as it is. */
	void (*progress)(void *arg, uint64_t done, uint64_t total);
	void *progress_arg;
};

/* An answer: the envelope, or the bytes and headers of what has none. */
struct server_answer {
	struct json_object *envelope; /* NULL if it was not JSON. */
	struct http_answer http;
};

/* The path of a format, escaped, with project and target. Owned by the caller. */
char *server_path(const struct server *server, const char *fmt, ...) PRINTF(2, 3);
char *server_vpath(const struct server *server, const char *fmt, va_list args) PRINTF(2, 0);

/* The path of "/1.0/<collection>/<name>"; only the name is escaped. Owned by the caller. */
char *server_object_path(const struct server *server, const char *collection, const char *name);
char *server_collection_path(const struct server *server, const char *collection);

/*
 * Does one request. An error envelope becomes '*err' with its code and text. '*ret_answer' is freed
 * with server_answer_done().
 */
int server_call(struct server *server, const struct server_call *call, const char *path,
                struct server_answer *ret_answer, struct error **err);
void server_answer_done(struct server_answer *answer);

/* The metadata of a GET, owned by the caller. */
int server_get(struct server *server, struct json_object **ret_metadata, struct error **err,
               const char *fmt, ...) PRINTF(4, 5);
/* The same with its ETag, owned as well ("" if there is none). */
int server_get_etag(struct server *server, struct json_object **ret_metadata, char **ret_etag,
                    struct error **err, const char *fmt, ...) PRINTF(5, 6);

/*
 * A change. What the server does in the background is waited for without a word; what it reports as
 * done is done. So a change may be synchronous in one version of the API and not in another.
 */
int server_send(struct server *server, const char *method, struct json_object *body,
                struct error **err, const char *fmt, ...) PRINTF(5, 6);
int server_send_etag(struct server *server, const char *method, struct json_object *body,
                     const char *etag, struct error **err, const char *fmt, ...) PRINTF(6, 7);

/*
 * A change that takes long: '*ret_operation' is the operation (owned), or NULL if it is done
 * already.
 */
int server_start(struct server *server, const char *method, struct json_object *body,
                 struct json_object **ret_operation, struct error **err, const char *fmt, ...)
	PRINTF(6, 7);

/* The same for a path that is built already. */
int server_start_path(struct server *server, const char *method, struct json_object *body,
                      const char *path, struct json_object **ret_operation, struct error **err);

/* A change that is waited for without a word, for a path that is built already. */
int server_send_path(struct server *server, const char *method, struct json_object *body,
                     const char *path, struct error **err);

/* GET /1.0, once; borrowed. */
int server_info(struct server *server, struct json_object **ret_info, struct error **err);
/* False also if the server cannot be asked. */
bool server_has(struct server *server, const char *extension);
bool server_is_clustered(struct server *server);

/* A second connection for what is upgraded: "websocket" requests. */
int server_dial(struct server *server, struct stream **ret_stream, struct error **err);

/* A member of the answer of a finished operation: its "metadata", "resources" and so on. */
int server_wait(struct server *server, const char *uuid, struct json_object **ret_operation,
                struct error **err);
