/*
 * The inside of a client: how it reaches its server (http_client_dial.c), what goes over a
 * connection (http_client_io.c), and the requests (http_client.c) and upgrades made of them.
 */
#pragma once

#include "lib/base/list.h"
#include "lib/base/refs.h"
#include "lib/base/strbuf.h"
#include "lib/base/thread.h"
#include "lib/net/http_client.h"

struct http_client {
	struct refs refs;
	char *unix_path;
	char *base; /* "https://host:port", no slash at its end. */
	char *server_cert_pem;
	bool trust_system, trust_any;
	char *cert_path, *key_path;
	char *user_agent;
	unsigned connect_ms, keep_idle;

	struct mutex lock;
	struct list idle GUARDED; /* struct http_link, last used first. */
	unsigned n_idle GUARDED;
};

/* A connection to the server, secured and with the server known to be the right one. */
struct http_link {
	struct list entry;
	struct stream *stream;
	char *host;       /* For the Host header. */
	int64_t given_at; /* date_monotonic() when it became idle. */
};

/* For how long to wait. */
struct http_wait {
	int64_t deadline;
	struct cancel *cancel; /* Or NULL. */
};

/* The server's name in messages. */
const char *http_client_name(const struct http_client *client);

/* Sets an error for 'code', a negative errno: 499, 503 or 504. 'reason' may be NULL. */
int http_client_dial_fail(const char *server, int code, const char *reason, struct error **err);

int http_client_dial(const struct http_client *client, struct http_wait wait,
                     struct http_link **ret_link, struct error **err);
void http_link_free(struct http_link *link);
DEFINE_SCOPED(struct http_link *, http_link_free);

/*
 * Waits until the stream is ready for 'events'. Returns those there are, or -ETIMEDOUT, -ECANCELED
 * or another negative errno.
 */
int http_client_io_wait(struct stream *s, short events, struct http_wait wait);

/* Writes all of it; a negative errno if it cannot. */
int http_client_io_write(struct stream *s, const void *data, size_t size, struct http_wait wait);

/*
 * Reads the head of an answer that is not a 100: status and headers. What follows is put back.
 * -ECONNRESET if the connection ends instead, and '*ret_is_empty' says whether without a byte.
 */
int http_client_io_read_head(struct stream *s, struct http_wait wait, struct http_response *res,
                             bool *ret_is_empty);

/*
 * Sends the request's body. 1 if the server answers, or goes, before it has all of it: the
 * connection is of no use for another request.
 */
int http_client_io_write_body(struct stream *s, const struct http_request *req, bool is_chunked,
                              struct http_wait wait);

/*
 * Reads the body of 'res' to where 'req' wants it. '*ret_is_open' says whether the connection can
 * be used again. -EFBIG: over the largest size; '*ret_copy_failure' is that of a write to
 * response_fd, or 0.
 */
int http_client_io_read_body(struct stream *s, const struct http_request *req,
                             struct http_wait wait, struct http_response *res, bool *ret_is_open,
                             int *ret_copy_failure);
