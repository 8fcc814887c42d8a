/*
 * The talk between the two sides, in messages of storage_frame.h:
 *
 *	source: {"version":1,"streams":["btrfs","rsync"],"snapshots":["s0","s1"],"pass":0,
 *	         "is_last":true,"refresh":false,"allow_inconsistent":false}
 *	sink:   {"stream":"btrfs","snapshots":["s1"],"parent":"s0"}
 *	        for each snapshot that the sink wants, oldest first, and then the volume:
 *	source:     the driver's stream
 *	sink:   {"status":"ok"}
 *
 * Instead of any message a side may send its error, which ends the talk.
 */
#include "daemon/storage/storage_transfer.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/locks.h"
#include "daemon/core/operation.h"
#include "daemon/core/state.h"
#include "daemon/storage/storage_private.h"
#include "daemon/storage/storage_service.h"
#include "daemon/storage/storage_volume.h"
#include "db/cache.h"
#include "drivers/storage/storage_frame.h"
#include "lib/base/alloc.h"
#include "lib/base/failpoint.h"
#include "lib/base/parse.h"
#include "lib/base/strv.h"
#include "lib/data/jv.h"
#include "lib/data/jv_parse.h"
#include "lib/data/jv_print.h"

#define VERSION 1

/* What both sides agreed on. */
struct talk {
	struct state *state;
	struct storage_ref *ref;
	struct op *op;
	int fd;
	enum storage_stream stream;
	char **snapshots; /* To send, oldest first. */
	char *parent;     /* The newest one that both have, or NULL. */
	unsigned int pass;
	bool is_last, refresh, allow_inconsistent;
	bool has_row; /* Sink: the name is taken for this. */
	uint64_t bytes_per_second;
	uint64_t bytes;
	_Atomic uint64_t *live; /* Who watches, or NULL. */
};

static void talk_done(struct talk *t)
{
	strv_free(t->snapshots);
	free(t->parent);
}

static int send_json(int fd, struct json_object *o, struct error **err)
{
	scoped_free char *text = jv_print_text(o, NULL);

	return storage_frame_send(fd, text, err);
}

static int receive_json(struct talk *t, struct json_object **ret, struct error **err)
{
	scoped_free char *text = NULL;

	int r = storage_frame_receive(t->fd, t->op, &text, err);
	return r < 0 ? r : jv_parse_object(text, strlen(text), ret, err);
}

/* Gives the reason to the other side as well, unless it came from there or nobody is there. */
static int give_up(struct talk *t, int r, struct error **err)
{
	storage_frame_send_error(t->fd, (*err)->msg);
	return r;
}

static struct storage_transfer transfer_of(struct talk *t, const char *parent, bool refresh)
{
	return (struct storage_transfer){
		.stream = t->stream,
		.fd = t->fd,
		.parent = parent,
		.pass = t->pass,
		.is_last = t->is_last,
		.refresh = refresh,
		.allow_inconsistent = t->allow_inconsistent,
		.bytes_per_second = t->bytes_per_second,
		.what = t->ref->vol.name,
		.ret_bytes = &t->bytes,
	};
}

/* A snapshot travels by itself: it is no part of a pass. */
static struct storage_transfer transfer_of_snapshot(struct talk *t, const char *parent,
                                                    bool refresh)
{
	struct storage_transfer transfer = transfer_of(t, parent, refresh);

	transfer.pass = 0;
	transfer.is_last = true;
	return transfer;
}

static int offer(struct talk *t, const struct storage_send *send, struct error **err)
{
	scoped(jv_unrefp) struct json_object *o = jv_object();
	struct json_object *streams = jv_array();

	/* The best one first. */
	for (int stream = STORAGE_N_STREAMS; stream-- > 0;)
		if (storage_driver_can_send(&t->ref->vol, (enum storage_stream)stream))
			jv_add_string(streams,
			              storage_driver_stream_name((enum storage_stream)stream));
	jv_set_int(o, "version", VERSION);
	jv_set_take(o, "streams", streams);
	jv_set_strv(o, "snapshots", (char *const *)send->snapshots);
	jv_set_uint(o, "pass", send->pass);
	jv_set_bool(o, "is_last", send->is_last);
	jv_set_bool(o, "refresh", send->refresh);
	jv_set_bool(o, "allow_inconsistent", send->allow_inconsistent);
	return send_json(t->fd, o, err);
}

static int read_answer(struct talk *t, const struct storage_send *send, struct error **err)
{
	scoped(jv_unrefp) struct json_object *o = NULL;
	const char *stream = "", *parent = "";

	int r = receive_json(t, &o, err);
	if (r < 0)
		return r;
	if (jv_get_string(o, "stream", &stream, err) < 0 ||
	    jv_get_string(o, "parent", &parent, err) < 0 ||
	    jv_get_strv(o, "snapshots", &t->snapshots, err) < 0)
		return (*err)->code;
	if (!storage_driver_parse_stream(stream, &t->stream) ||
	    !storage_driver_can_send(&t->ref->vol, t->stream))
		return error_set(err, 400, "The sink asks for a stream that was not offered");

	/* Names become paths, so only what this side said itself counts. */
	STRV_FOREACH (name, t->snapshots) {
		if (!strv_contains((char *const *)send->snapshots, name))
			return error_set(err, 400, "The sink asks for an unknown snapshot");
	}
	if (*parent && !strv_contains((char *const *)send->snapshots, parent))
		return error_set(err, 400, "The sink has an unknown snapshot");
	t->parent = *parent ? xstrdup(parent) : NULL;
	return 0;
}

static int send_parts(struct talk *t, struct error **err)
{
	const char *parent = t->parent;
	bool exists = t->refresh || t->pass > 0;

	STRV_FOREACH (name, t->snapshots) {
		struct storage_volume snap = storage_ref_snapshot(t->ref, name);
		struct storage_transfer transfer = transfer_of_snapshot(t, parent, exists);
		int r = storage_driver_volume_send(&snap, &transfer, t->op, err);

		if (r < 0)
			return error_wrap(err, "Failed sending snapshot \"%s\"", name);
		parent = name;
		exists = true;
	}
	struct storage_transfer transfer = transfer_of(t, parent, exists);
	return storage_driver_volume_send(&t->ref->vol, &transfer, t->op, err);
}

static int send_all(struct talk *t, const struct storage_send *send, struct error **err)
{
	scoped(jv_unrefp) struct json_object *status = NULL;

	int r = offer(t, send, err);
	if (r == 0)
		r = read_answer(t, send, err);
	if (r == 0)
		r = send_parts(t, err);
	if (r < 0)
		return give_up(t, r, err);
	r = receive_json(t, &status, err);
	if (r < 0)
		return r;
	if (!jv_text(status, "status") || strcmp(jv_text(status, "status"), "ok") != 0)
		return error_set(err, 500, "The other side did not confirm the transfer");
	return 0;
}

/* The pool's "rsync.bwlimit" and the caller's limit: whichever is lower. */
static uint64_t choose_limit(const struct storage_pool *pool, uint64_t wanted)
{
	const char *text = smap_get(pool->config, "rsync.bwlimit");
	int64_t limit = 0;

	if (!text || parse_size(text, &limit) < 0 || limit <= 0)
		return wanted;
	return wanted > 0 && wanted < (uint64_t)limit ? wanted : (uint64_t)limit;
}

static int run_send(struct state *state, struct operation *operation, struct storage_ref *ref,
                    const struct storage_send *send, int fd, struct storage_sent *ret_sent,
                    struct error **err)
{
	scoped(locks_releasep) struct lock *lock = NULL;
	struct op op = storage_service_op(operation);
	scoped(talk_done) struct talk t = {
		.state = state,
		.ref = ref,
		.op = &op,
		.fd = fd,
		.pass = send->pass,
		.is_last = send->is_last,
		.refresh = send->refresh,
		.allow_inconsistent = send->allow_inconsistent,
		.bytes_per_second = choose_limit(ref->vol.pool, send->bytes_per_second),
	};

	int r = storage_ref_lock(state, ref, operation, &lock, err);
	if (r == 0)
		r = send_all(&t, send, err);
	/* Passes may have changed their stream on the way: nothing of any may stay. */
	if (r == 0 && send->is_last)
		storage_driver_transfer_end(&ref->vol);
	if (ret_sent)
		ret_sent->bytes = t.bytes;
	return r;
}

/* What the sink takes of an offer: the first stream that it knows, the snapshots that it lacks. */
static int choose(struct talk *t, struct json_object *offered, struct error **err)
{
	scoped(strv_freep) char **streams = NULL;
	scoped(strv_freep) char **snapshots = NULL;
	uint64_t pass = 0;
	bool found = false;

	if (jv_number(offered, "version") != VERSION)
		return error_set(err, 400, "The other side speaks another version");
	if (jv_get_strv(offered, "streams", &streams, err) < 0 ||
	    jv_get_strv(offered, "snapshots", &snapshots, err) < 0 ||
	    jv_get_uint(offered, "pass", &pass, err) < 0 ||
	    jv_get_bool(offered, "is_last", &t->is_last, err) < 0 ||
	    jv_get_bool(offered, "refresh", &t->refresh, err) < 0 ||
	    jv_get_bool(offered, "allow_inconsistent", &t->allow_inconsistent, err) < 0)
		return (*err)->code;
	t->pass = pass < UINT32_MAX ? (unsigned int)pass : UINT32_MAX;
	bool has_older = t->refresh || t->pass > 0;

	STRV_FOREACH (name, snapshots) {
		struct storage_volume snap = storage_ref_snapshot(t->ref, name);

		if (storage_layout_check_name("snapshot name", name, err) < 0)
			return (*err)->code;
		if (has_older && storage_driver_volume_exists(&snap)) {
			free(t->parent);
			t->parent = xstrdup(name);
		} else {
			strv_add(&t->snapshots, name);
		}
	}
	/* What both have was not made from one stream after the other: compare files instead. */
	STRV_FOREACH (name, streams) {
		enum storage_stream stream;

		if (found || !storage_driver_parse_stream(name, &stream) ||
		    !storage_driver_can_receive(t->ref->vol.pool->driver, stream))
			continue;
		if (stream != STORAGE_STREAM_RSYNC && t->refresh && t->pass == 0)
			continue;
		t->stream = stream;
		found = true;
	}
	return found ? 0 : error_set(err, 400, "No stream that both sides know");
}

static int answer(struct talk *t, struct error **err)
{
	scoped(jv_unrefp) struct json_object *o = jv_object();

	jv_set_string(o, "stream", storage_driver_stream_name(t->stream));
	jv_set_strv(o, "snapshots", t->snapshots);
	if (t->parent)
		jv_set_string(o, "parent", t->parent);
	return send_json(t->fd, o, err);
}

/* By rsync a snapshot's state arrives in the volume, of which it is then taken. */
static int receive_snapshot(struct talk *t, const char *name, const char *parent, bool exists,
                            struct error **err)
{
	struct storage_transfer transfer = transfer_of_snapshot(t, parent, exists);
	struct storage_volume snap = storage_ref_snapshot(t->ref, name);

	if (t->stream != STORAGE_STREAM_RSYNC)
		return storage_driver_volume_receive(&snap, &transfer, t->op, err);
	int r = storage_driver_volume_receive(&t->ref->vol, &transfer, t->op, err);
	return r < 0 ? r : storage_driver_snapshot_create(&snap, t->op, err);
}

static int receive_parts(struct talk *t, struct error **err)
{
	const char *parent = t->parent;
	bool exists = t->refresh || t->pass > 0;

	STRV_FOREACH (name, t->snapshots) {
		int r = receive_snapshot(t, name, parent, exists, err);

		if (r < 0)
			return error_wrap(err, "Failed receiving snapshot \"%s\"", name);
		parent = name;
		exists = true;
	}
	struct storage_transfer transfer = transfer_of(t, parent, exists);
	int r = storage_driver_volume_receive(&t->ref->vol, &transfer, t->op, err);
	if (r == 0)
		r = FAILPOINT("volume.receive", NULL,
		              "When a volume has come from another member, who does not know", err);
	if (r == 0 && t->ref->vol.size > 0)
		r = storage_driver_volume_resize(&t->ref->vol, err);
	return r;
}

/*
 * A first pass makes the volume anew. Without a row on this member, what is there was left by an
 * attempt that failed; with one, it is somebody's.
 */
static int make_room(struct talk *t, struct error **err)
{
	int r = t->has_row ? 0
	                   : storage_rows_exists(t->state,
	                                         STORAGE_ROWS_KEY(t->ref->vol.kind, t->ref->project,
	                                                          t->ref->vol.pool->name,
	                                                          t->ref->name),
	                                         err);

	if (r > 0)
		return error_set(err, 409, "Storage volume \"%s\" already exists on this member",
		                 t->ref->name);
	return r < 0 ? r : storage_ref_delete(t->ref, t->op, err);
}

static int receive_all(struct talk *t, struct error **err)
{
	scoped(jv_unrefp) struct json_object *offered = NULL;
	scoped(jv_unrefp) struct json_object *status = jv_object();

	int r = receive_json(t, &offered, err);
	if (r == 0)
		r = choose(t, offered, err);
	if (r == 0 && t->pass == 0 && !t->refresh)
		r = make_room(t, err);
	if (r == 0)
		r = answer(t, err);
	if (r == 0)
		r = receive_parts(t, err);
	if (r < 0)
		return give_up(t, r, err);
	if (t->is_last)
		storage_driver_transfer_end(&t->ref->vol);
	jv_set_string(status, "status", "ok");
	return send_json(t->fd, status, err);
}

/* Of one stream of several: those that have ended are counted already. */
static void tell_live(void *arg, const struct op_progress *progress)
{
	const struct talk *t = arg;

	atomic_store(t->live, t->bytes + progress->bytes);
}

static int run_receive(struct state *state, struct operation *operation, struct storage_ref *ref,
                       int fd, struct storage_sent *ret_received, struct error **err)
{
	scoped(locks_releasep) struct lock *lock = NULL;
	struct op op = storage_service_op(operation);
	scoped(talk_done) struct talk t = {
		.state = state,
		.ref = ref,
		.op = &op,
		.fd = fd,
		.live = ret_received ? ret_received->live : NULL,
		.has_row = ref->vol.kind == STORAGE_CUSTOM,
	};

	if (t.live) {
		op.progress = tell_live;
		op.arg = &t;
	}
	int r = storage_ref_lock(state, ref, operation, &lock, err);
	if (r == 0)
		r = receive_all(&t, err);
	if (ret_received)
		ret_received->bytes = t.bytes;
	return r;
}

int storage_transfer_send(struct state *state, struct operation *operation,
                          const struct storage_instance *inst, const struct storage_send *send,
                          int fd, struct storage_sent *ret_sent, struct error **err)
{
	scoped(storage_ref_done) struct storage_ref ref = { 0 };

	int r = storage_ref_of_instance(state, inst, &ref, err);
	if (r < 0)
		return r;

	ref.vol.snapshot = send->snapshot;
	return run_send(state, operation, &ref, send, fd, ret_sent, err);
}

int storage_transfer_receive(struct state *state, struct operation *operation,
                             const struct storage_instance *inst, int fd,
                             struct storage_sent *ret_received, struct error **err)
{
	scoped(storage_ref_done) struct storage_ref ref = { 0 };

	int r = storage_ref_of_instance(state, inst, &ref, err);
	if (r < 0) {
		storage_frame_send_error(fd, (*err)->msg);
		return r;
	}
	return run_receive(state, operation, &ref, fd, ret_received, err);
}

int storage_transfer_abort(struct state *state, const struct storage_instance *inst,
                           bool remove_volume, struct error **err)
{
	scoped(storage_ref_done) struct storage_ref ref = { 0 };
	scoped(locks_releasep) struct lock *lock = NULL;

	int r = storage_ref_of_instance(state, inst, &ref, err);
	if (r == 0)
		r = storage_ref_lock(state, &ref, NULL, &lock, err);
	if (r < 0)
		return r;
	storage_driver_transfer_end(&ref.vol);
	return remove_volume ? storage_ref_delete(&ref, NULL, err) : 0;
}

/* Contents differ in how they are copied, so the row is asked. */
static int ref_of_custom(struct state *state, const struct storage_volume_id *id,
                         struct storage_ref *ref, struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	const struct db_storage_volume *row = NULL;

	int r = storage_volume_here(state, id, DB_VOLUMES, &view, &row, err);
	return r < 0 ? r
	             : storage_volume_ref(state, id, (enum storage_content)row->content, ref, err);
}

int storage_transfer_send_custom(struct state *state, struct operation *operation,
                                 const struct storage_volume_id *id,
                                 const struct storage_send *send, int fd,
                                 struct storage_sent *ret_sent, struct error **err)
{
	scoped(storage_ref_done) struct storage_ref ref = { 0 };

	int r = ref_of_custom(state, id, &ref, err);
	if (r < 0) {
		storage_frame_send_error(fd, (*err)->msg);
		return r;
	}
	ref.vol.snapshot = send->snapshot;
	return run_send(state, operation, &ref, send, fd, ret_sent, err);
}

int storage_transfer_receive_custom(struct state *state, struct operation *operation,
                                    const struct storage_volume_id *id, uint64_t size, int fd,
                                    struct storage_sent *ret_received, struct error **err)
{
	scoped(storage_ref_done) struct storage_ref ref = { 0 };

	int r = ref_of_custom(state, id, &ref, err);
	if (r < 0) {
		storage_frame_send_error(fd, (*err)->msg);
		return r;
	}
	ref.vol.size = size;
	return run_receive(state, operation, &ref, fd, ret_received, err);
}
