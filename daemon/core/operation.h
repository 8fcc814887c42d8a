/*
 * Long jobs: what a client gets in place of an answer, follows and may cancel.
 *
 * An operation is made by a handler, started when the answer goes out, and runs on a worker of its
 * own. It is counted: the table holds one reference until five seconds after its end, the worker
 * one while it runs.
 *
 * Nothing of it is in the database: the id says which member has it, so that every member forwards
 * to that one, and a list of all is gathered from the members. What must outlive its member or be
 * used on any of them, a token, is a row instead and only looks like an operation (token.h).
 *
 *	pending --start--> running --+--> success
 *	                     |       +--> failure
 *	                     +--cancel--> cancelling --> cancelled
 *
 * A websocket operation runs as a task does, with connections handed to 'connect' as clients bring
 * the secrets.
 *
 * What waits for the outside for hours, a command in a container, holds no thread: it has no 'run',
 * or a 'run' that returns OPERATION_GOES_ON, and somebody calls operation_finish() in the end.
 *
 * Locks: everything here is safe from any thread. Callbacks are called without any lock held.
 */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/error.h"

struct cancel;
struct json_object;
struct operation;
struct operations;
struct request;
struct requestor;
struct state;
struct stream;

enum operation_class { OPERATION_TASK, OPERATION_WEBSOCKET };

/* The codes of LXD's API. */
enum operation_status {
	OPERATION_PENDING = 105,
	OPERATION_RUNNING = 103,
	OPERATION_CANCELLING = 104,
	OPERATION_SUCCESS = 200,
	OPERATION_FAILURE = 400,
	OPERATION_CANCELLED = 401,
};

/*
 * Does the work; blocks as long as it takes, looks at operation_cancel() between steps. What it
 * returns is the operation's end: 0 is success, -ECANCELED after a cancel is cancelled. With
 * OPERATION_GOES_ON it goes on without the thread.
 */
#define OPERATION_GOES_ON 1
typedef int operation_run(struct operation *op, void *arg, struct error **err);

/*
 * A client brought a secret, and its connection was upgraded to a websocket; 'name' is the key
 * under which the secret was given out ("0", "control"). On the loop thread: must not block.
 */
typedef void operation_connect(struct operation *op, const char *name, struct stream *stream_take,
                               void *arg);

/* Frees 'arg', when the operation has ended or was never started. */
typedef void operation_free_arg(void *arg);

/* What an operation is, all borrowed and copied but 'arg'. Zero is a sensible default. */
struct operation_spec {
	const char *id;      /* From operation_make_shared_id(); NULL: one of this member. */
	const char *project; /* NULL: of the server as a whole. */
	enum operation_class class;
	const char *description; /* "Creating instance": words of LXD's API, clients show them. */
	const char *entity_url;  /* "/1.0/instances/c1?project=p": metadata.entity_url, or NULL. */
	const struct requestor *requestor; /* NULL: the daemon itself. */
	const char *conflict;              /* Another that runs with the same text is a 409. */
	bool may_not_cancel;
	bool has_flat_secrets;      /* In the metadata itself, not under "fds": migrations. */
	bool is_hidden;             /* Neither listed nor in events: plumbing. */
	operation_run *run;         /* NULL: as if it returned OPERATION_GOES_ON at once. */
	operation_connect *connect; /* Only with OPERATION_WEBSOCKET. */
	operation_free_arg *free_arg;
	void *arg;
};

/*
 * Makes one, pending, with a reference for the caller. 'spec->arg' is taken: on failure it is freed
 * at once. 409 if one with the same conflict text is under way, 503 when too many are.
 */
int operation_new(struct state *state, const struct operation_spec *spec, struct operation **ret_op,
                  struct error **err);

/* The same for a handler, with the requestor of the request. */
int operation_new_for(struct request *req, const struct operation_spec *spec,
                      struct operation **ret_op, struct error **err);

/* Names what it works on: resources[kind] gains 'url'. Before the start only. kind: "instances". */
void operation_add_resource(struct operation *op, const char *kind, const char *url);

/* Merges 'object' (borrowed, of the calling thread) into the metadata. */
void operation_set_metadata(struct operation *op, struct json_object *object);

/* One key of it. Listeners hear of it at most ten times a second; the last one is never lost. */
void operation_set_metadata_key(struct operation *op, const char *key,
                                struct json_object *value_take);

/* Text under metadata[stage_progress], as clients show it: "rootfs: 45% (12.3MB/s)". */
void operation_progress(struct operation *op, const char *stage, const char *text);

/*
 * Gives out a secret for the websocket 'name': metadata.fds[name] and, when the class is websocket,
 * what the client brings back. Returned borrowed from the operation.
 */
const char *operation_add_secret(struct operation *op, const char *name);

/* Starts it on the worker for jobs. 503 when that one is full. */
int operation_start(struct operation *op, struct error **err);

/*
 * Runs it on this thread from start to end; the result is what 'run' returned. One that was run
 * here is listed only afterwards, ended.
 */
int operation_run_here(struct operation *op, struct error **err);

/*
 * Ends an operation that went on without a thread, as if its 'run' had returned 'r' and 'err_take'.
 * From any thread, once, but not from within 'connect'. 'arg' is freed here; 'run', if it has not
 * returned yet, no longer touches it.
 */
void operation_finish(struct operation *op, int r, struct error *err_take);

/* Raised by a cancel, by the daemon's stop; borrowed from the operation. */
struct cancel *operation_cancel_token(struct operation *op);

/* Whether it should stop now. */
bool operation_is_cancelled(const struct operation *op);

/* Asks it to stop. 400 when it is not running or may not be. */
int operation_cancel(struct operation *op, struct error **err);

/*
 * Spends a secret, compared in constant time: '*ret_name' (borrowed) is the websocket it belongs
 * to. 403 if there is none such or it was spent. operation_connect_stream() follows.
 */
int operation_spend_secret(struct operation *op, const char *secret, const char **ret_name,
                           struct error **err);

/* Whether 'secret' is the operation's own, which lets clients without trust wait for it. */
bool operation_has_secret(struct operation *op, const char *secret);

/* Hands an upgraded connection to 'connect', or frees it if the operation has ended. */
void operation_connect_stream(struct operation *op, const char *name, struct stream *stream_take);

/*
 * Calls 'fn' once when it has ended, or at once when it has already; on the thread that ends it.
 * Must not block. The id returned takes the call back: false when it has been made.
 */
typedef void operation_ended(struct operation *op, void *arg);
uint64_t operation_on_end(struct operation *op, operation_ended *fn, void *arg);
bool operation_on_end_cancel(struct operation *op, uint64_t id);

/* Blocks until it has ended; for the daemon's own threads, never for a request. */
void operation_wait(struct operation *op);

const char *operation_id(const struct operation *op);      /* UUID, borrowed. */
const char *operation_project(const struct operation *op); /* NULL: none; borrowed. */
struct state *operation_state(const struct operation *op);
enum operation_status operation_status(const struct operation *op);
enum operation_class operation_class(const struct operation *op);
const struct requestor *operation_requestor(const struct operation *op); /* Borrowed. */

/* As the API shows it. 'with_secrets' only for the one who asked for it. Owned by the caller. */
struct json_object *operation_json(const struct operation *op, bool with_secrets);

/* What is shown as an operation and is none of this member's table; borrowed. */
struct operation_view {
	const char *id;
	const char *description;
	enum operation_status status;
	int64_t created;
	int64_t updated;
	bool may_cancel;
	struct json_object *metadata;
	const char *error; /* "" or NULL: none. */
};
struct json_object *operation_view_json(struct state *state, const struct operation_view *view);

/* "/1.0/operations/UUID". Owned by the caller. */
char *operation_url(const struct operation *op) MUST_CHECK;

/* The failure of an ended operation, a copy, or NULL. */
struct error *operation_error(const struct operation *op);

struct operation *operation_ref(struct operation *op);
void operation_unref(struct operation *op);
DEFINE_SCOPED(struct operation *, operation_unref);

/* The table of this member's operations. */
struct operations *operation_table_new(struct state *state) MUST_CHECK;
void operation_table_free(struct operations *table);

/*
 * Ends the operations with streams (commands, consoles) that the client with this certificate has
 * asked for on this member: its trust is gone, or its rights are others.
 */
void operation_end_streams(struct state *state, const char *fingerprint);

/* One by its id with a reference, or a 404. */
int operation_find(struct state *state, const char *id, struct operation **ret_op,
                   struct error **err);

/* Calls 'fn' for each, with a reference held meanwhile; ends early when it returns false. */
typedef bool operation_visit(struct operation *op, void *arg);
void operation_each(struct state *state, operation_visit *fn, void *arg);

/* How many are pending or running. */
size_t operation_count(struct state *state);

/* The id of the member that has the operation 'id', or 0 if it is none of ours. */
int64_t operation_member_id(const char *id);

/*
 * An id of no member in particular, of UUID_SIZE bytes: for work that goes on under the same id on
 * another member when this one is lost. Its 'run' returns OPERATION_MOVED when another member has
 * it now: then it vanishes here without an end that anybody hears of.
 */
void operation_make_shared_id(char *ret_id);
#define OPERATION_MOVED (-EXDEV)

/* Cancels all and waits up to 'timeout' nanoseconds for their ends. */
void operation_drain(struct state *state, uint64_t timeout);
