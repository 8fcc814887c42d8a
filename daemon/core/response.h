/*
 * What a handler answers.
 *
 * A handler calls exactly one of these and returns 0, or returns a negative errno with '*err' set
 * and none of them called. The dispatcher turns either into LXD's envelope of exactly seven fields.
 * Arguments that end in _take are owned by the response from then on.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/base/error.h"

struct json_object;
struct operation;
struct response;
struct stream;

/* 200 with 'metadata'; NULL is null. */
void response_sync(struct response *res, struct json_object *metadata_take);

/* The same with an ETag made from 'etag_source', which is borrowed. */
void response_sync_etag(struct response *res, struct json_object *metadata_take,
                        struct json_object *etag_source);

/* 200 with {}: what LXD says after a write that has nothing to tell. */
void response_empty(struct response *res);

/* 201, Location 'location' (copied), metadata null. */
void response_created(struct response *res, const char *location);

/* 202, Location and metadata of the operation. Starts it if it was not started yet. */
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
 * 101 with "Upgrade: 'protocol'"; afterwards 'fn' owns the connection and runs on a request thread.
 * 'fn' must not hold that thread: it hands the stream to the loop or to a worker of its own.
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
 * one response_later_send() follows. 'gone' is called at most once, on the loop thread, when the
 * client has left; the answer must be sent all the same.
 */
struct response_later;
typedef void response_gone(void *arg);
struct response_later *response_defer(struct response *res, response_gone *gone, void *arg);
void response_later_send(struct response_later *later_take, struct json_object *metadata_take,
                         struct error *err_take);

/* One more header. */
void response_header(struct response *res, const char *name, const char *value);

/* The ETag of 'etag_source': SHA-256 in hex of its canonical JSON. Owned by the caller. */
char *response_etag(struct json_object *etag_source) MUST_CHECK;

/* The error envelope for 'err'. Owned by the caller. */
struct json_object *response_error_json(const struct error *err);
