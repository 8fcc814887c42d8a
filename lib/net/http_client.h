/*
 * HTTP requests to one server: the daemon behind a unix socket, another member, an image server.
 *
 * Blocking, for worker threads and the command line. A client keeps its connections alive in a pool
 * and may be used by many threads. The server is known by its exact certificate (checked before
 * anything is sent), by the system's authorities, or by its unix socket.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/error.h"
#include "lib/base/macro.h"
#include "lib/base/scoped.h"
#include "lib/net/stream.h"
#include "lib/net/x509.h"

struct cancel;
struct http_client;
struct json_object;

struct http_client_config {
	/* One of the two. */
	const char *unix_path;
	const char *address; /* "host:port" (TLS), or a URL "https://host[:port]" / "http://...". */

	const char *server_cert_pem; /* Exactly this certificate or none; NULL: see next. */
	bool trust_system;           /* The system's authorities and the host name. */
	bool trust_any;              /* Nothing is checked: only to read an unknown certificate. */

	const char *cert_path; /* Our certificate and key, PEM files; NULL: none shown. */
	const char *key_path;

	const char *user_agent;      /* NULL: "muster". */
	unsigned connect_timeout_ms; /* 0: 10 s. */
	unsigned keep_idle;          /* Connections kept; 0: 32, fewer when they are not needed. */
};

struct http_client *http_client_new(const struct http_client_config *config) MUST_CHECK;
struct http_client *http_client_ref(struct http_client *client);
void http_client_unref(struct http_client *client);
DEFINE_SCOPED(struct http_client *, http_client_unref);

struct http_request {
	const char *method; /* NULL: "GET". */
	const char *path;   /* Escaped, with its query: url_path(), url_query_build(). */

	const char *const *headers; /* "Name: value", ends with NULL; or NULL. */

	/* Body: memory, or 'body_size' bytes of 'body_fd' from its position (UINT64_MAX: to its
	 * end). */
	const void *body;
	uint64_t body_size;
	int body_fd; /* Used when has_body_fd. */
	bool has_body_fd;

	/* The answer's body goes to memory up to this (0: 64 MiB), over it the request fails ... */
	size_t response_max;
	/* ... or is written here when has_response_fd, if the status is 200 to 299. */
	int response_fd;
	bool has_response_fd;

	unsigned timeout_ms;   /* For all of it; 0: none (idle connections are probed by TCP). */
	struct cancel *cancel; /* Or NULL. Acts at once. */

	/* Called now and then with the bytes moved so far (sent, received); or NULL. */
	void (*progress)(uint64_t sent, uint64_t received, uint64_t total, void *arg);
	void *progress_arg;
};

struct http_response {
	int status;
	char *body; /* Ends with a NUL that size does not count. Empty if it went to a descriptor.
	             */
	size_t size;
	char **headers;   /* "Name: value", ends with NULL. */
	uint64_t fd_size; /* Bytes written to response_fd. */
};

/*
 * Fails when there is no answer: 503 (unreachable, broken), 504 with -ETIMEDOUT (deadline), 499
 * with -ECANCELED (cancelled), 403 (another certificate). An answer with any status is success.
 */
int http_client_do(struct http_client *client, const struct http_request *req,
                   struct http_response *ret_res, struct error **err);
void http_response_done(struct http_response *res);

/* Of a name in any case, borrowed, or NULL. */
const char *http_response_header(const struct http_response *res, const char *name);

/* Turns an answer of 400 and above into an error, with the code and text of its envelope if it is
 * one. */
int http_client_error_of(const struct http_response *res, struct error **err);

/*
 * A request in LXD's envelope: sends 'body' (or nothing if NULL, borrowed) as JSON and returns the
 * whole envelope (owned; 'ret_envelope' may be NULL). An error envelope becomes '*err' with its
 * code and text.
 */
int http_client_query(struct http_client *client, const char *method, const char *path,
                      struct json_object *body, unsigned timeout_ms,
                      struct json_object **ret_envelope, struct error **err);

/*
 * Sends 'req' with "Connection: Upgrade", "Upgrade: <protocol>" on a connection of its own, and
 * returns the stream after a 101. For "websocket" the key is made and the answer's accept value
 * checked. Another answer fails with its status and, if it is an envelope, its text.
 */
int http_client_upgrade(struct http_client *client, const struct http_request *req,
                        const char *protocol, struct stream **ret_stream, struct error **err);

/*
 * The certificate that "host:port" shows, whoever it is: the first half of trusting a server by its
 * fingerprint. Nothing but the handshake is sent.
 */
int http_client_fetch_certificate(const char *address, unsigned timeout_ms, struct x509 **ret_cert,
                                  struct error **err);
