/*
 * What a handler answers.
 *
 * A handler calls exactly one of these and returns 0, or returns a negative errno with '*err' set
 * and none of them called. Either becomes LXD's envelope of exactly seven fields. The answer goes
 * out at once, so it is the last thing that a handler does: what it borrowed from the request may
 * be gone afterwards. Arguments that end in _take are owned by the response from then on.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/error.h"

struct http_exchange;
struct json_object;
struct kept_answer;
struct operation;
struct request;
struct state;
struct strbuf;
struct stream;

/* One exchange that waits for its answer; made by the dispatcher on its stack. */
struct response {
	struct http_exchange *exchange;
	struct state *state;
	struct request *request; /* NULL once it is answered. */
	bool is_sent;            /* Something was answered or will be. */
};

/* 200 with 'metadata'; NULL is null. */
void response_sync(struct response *res, struct json_object *metadata_take);

/* The same with an ETag made from 'etag_source', which is borrowed. */
void response_sync_etag(struct response *res, struct json_object *metadata_take,
                        struct json_object *etag_source);

/*
 * The same for metadata that is printed by hand: begin, append the metadata's JSON to 'b', send.
 * The text is moved out of 'b'. 'etag' may be NULL.
 */
void response_text_begin(struct strbuf *b);
void response_text(struct response *res, struct strbuf *b, const char *etag);

/* What response_sync_etag() would send, to be sent now and again; 'metadata' is borrowed, too. */
struct kept_answer *response_keep(struct json_object *metadata, struct json_object *etag_source)
	MUST_CHECK;

/* Sends that; borrowed. */
void response_kept(struct response *res, const struct kept_answer *answer);

/* 200 with {}: what LXD says after a write that has nothing to tell. */
void response_empty(struct response *res);

/* 201, Location 'location' (copied), metadata null. */
void response_created(struct response *res, const char *location);

/* 202 for an operation that is a row of tokens: "/1.0/operations/UUID" and how it looks. */
void response_async(struct response *res, const char *url, struct json_object *metadata_take);

/* 202, Location and metadata of the operation. Starts it. */
int response_operation(struct response *res, struct operation *op, struct error **err);

/*
 * An operation that is already done: runs 'op' on this thread first and then answers 202. For
 * writes that LXD 6.6 made asynchronous while older clients do not wait for them. A failure of the
 * operation is this function's failure, so that it reaches the client with its status.
 */
int response_operation_done(struct response *res, struct operation *op, struct error **err);

/* Bytes as they are, no envelope. */
void response_raw(struct response *res, int status, const char *content_type, void *data_take,
                  size_t size);

/* A file from its current offset 0 to 'size'; the descriptor is closed afterwards. */
void response_file(struct response *res, const char *content_type, const char *filename,
                   int fd_take, uint64_t size);

/*
 * What can be read from 'fd' until its end, length unknown: archives made on the fly. The
 * descriptor is closed afterwards; close the writing end early to cut the answer short.
 */
void response_pipe(struct response *res, const char *content_type, const char *filename,
                   int fd_take);

/*
 * 101 with "Upgrade: 'protocol'"; afterwards 'fn' is called once, on the loop thread, where it must
 * not block, and owns the stream; NULL when the client has gone meanwhile.
 */
typedef void response_upgraded(struct stream *stream_take, void *arg);
void response_upgrade(struct response *res, const char *protocol, response_upgraded *fn, void *arg);

/*
 * 101 of a websocket handshake (checked here: 400 without one); 'fn' gets the stream to make a
 * websocket of.
 */
int response_websocket(struct response *res, response_upgraded *fn, void *arg, struct error **err);

/*
 * Answers later from any thread, holding none meanwhile. The handler returns 0 right after; exactly
 * one response_later_send() follows, but not from within 'gone'.
 */
struct response_later;
struct response_later *response_defer(struct response *res) MUST_CHECK;

/*
 * 'gone' is called at most once, on the loop thread, when the client has left before the answer,
 * which must be sent all the same.
 */
typedef void response_gone(void *arg);
void response_later_on_gone(struct response_later *later, response_gone *gone, void *arg);
void response_later_send(struct response_later *later_take, struct json_object *metadata_take,
                         struct error *err_take);

/* One more header. */
void response_header(struct response *res, const char *name, const char *value);

/* The ETag of 'etag_source': SHA-256 in hex of its canonical JSON. Owned by the caller. */
char *response_etag(struct json_object *etag_source) MUST_CHECK;

/* The envelope of 'err' with HTTP status and all. */
void response_error(struct response *res, const struct error *err);

/* The text of an error envelope, owned by the caller: for what the server answers by itself. */
char *response_error_text(int status, const char *message, size_t *ret_size) MUST_CHECK;
