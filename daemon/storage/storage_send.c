#include "daemon/storage/storage_send.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cluster/connect.h"
#include "daemon/core/operation.h"
#include "daemon/core/request.h"
#include "daemon/core/state.h"
#include "daemon/storage/storage_private.h"
#include "daemon/storage/storage_transfer.h"
#include "daemon/storage/storage_usage.h"
#include "daemon/storage/storage_volume_snapshot.h"
#include "lib/base/alloc.h"
#include "lib/base/cancel.h"
#include "lib/base/date.h"
#include "lib/base/log.h"
#include "lib/base/strv.h"
#include "lib/base/worker.h"
#include "lib/net/stream.h"
#include "lib/net/stream_pump.h"
#include "lib/net/url.h"

#define CONNECT_MS 10000
#define OFFER_MS 60000 /* In which an offer must be claimed. */

struct sending {
	struct state *state;
	char *project, *pool, *name, *snapshot;
	bool is_alone, is_refresh;
	struct stream *stream;
};

static void sending_free(struct sending *s)
{
	free(s->project);
	free(s->pool);
	free(s->name);
	free(s->snapshot);
	free(s);
}

static int send_volume(struct sending *s, int fd, struct error **err)
{
	const struct storage_volume_id id = { s->project, s->pool, s->name };
	scoped(db_storage_volume_snapshot_list_done) struct db_storage_snapshots rows = { 0 };
	scoped(strv_freep) char **names = NULL;

	/* Names become paths. */
	if (s->snapshot && storage_layout_check_name("snapshot name", s->snapshot, err) < 0)
		return (*err)->code;
	int r = s->is_alone || s->snapshot
	                ? 0
	                : storage_volume_snapshot_rows(s->state, &id, &rows, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < rows.n; i++)
		strv_add(&names, rows.rows[i].name);
	const struct storage_send send = {
		.snapshots = (const char *const *)names,
		.snapshot = s->snapshot,
		.is_last = true,
		.refresh = s->is_refresh,
	};
	return storage_transfer_send_custom(s->state, NULL, &id, &send, fd, NULL, err);
}

static void run_send(void *arg)
{
	struct sending *s = arg;
	scoped(error_freep) struct error *err = NULL;
	scoped_fd int fd = stream_pump_to_fd(s->state->loop, s->stream);

	if (fd >= 0 && send_volume(s, fd, &err) < 0)
		log_warn("Failed sending volume \"%s\": %s", s->name, err->msg);
	sending_free(s);
}

void storage_send_start(struct state *state, const struct storage_send_volume *send,
                        struct stream *stream_take)
{
	if (!stream_take)
		return;

	struct sending *s = xcalloc(1, sizeof(*s));
	s->state = state;
	s->project = xstrdup(send->id.project);
	s->pool = xstrdup(send->id.pool);
	s->name = xstrdup(send->id.name);
	s->snapshot = send->snapshot ? xstrdup(send->snapshot) : NULL;
	s->is_alone = send->is_alone;
	s->is_refresh = send->is_refresh;
	s->stream = stream_take;
	if (worker_submit(state->storage->sends, run_send, s) < 0) {
		stream_free(stream_take);
		sending_free(s);
	}
}

static char *path_of(const struct storage_send_volume *send)
{
	scoped_free char *project = url_escape(send->id.project);
	scoped_free char *pool = url_escape(send->id.pool);
	scoped_free char *name = url_escape(send->id.name);
	scoped_free char *snapshot = url_escape(send->snapshot ? send->snapshot : "");

	return xasprintf("/internal/storage-volumes/send?project=%s&pool=%s&volume=%s&snapshot=%s"
	                 "&alone=%d&refresh=%d",
	                 project, pool, name, snapshot, send->is_alone, send->is_refresh);
}

int storage_send_connect(struct state *state, struct operation *operation, const char *member,
                         const char *path, struct error **err)
{
	scoped_free char *address = NULL;
	struct stream *stream = NULL;
	const struct connect_upgrade upgrade = {
		.path = path,
		.protocol = "volume",
		.timeout_ms = CONNECT_MS,
		.cancel = operation ? operation_cancel_token(operation) : NULL,
	};

	int r = connect_address(state->cluster, member, &address, err);
	if (r == 0)
		r = connect_upgrade(state->cluster, address, &upgrade, &stream, err);
	if (r < 0)
		return r;

	int fd = stream_pump_to_fd(state->loop, stream);
	return fd < 0 ? error_set_errno(err, fd, "Failed connecting to member \"%s\"", member) : fd;
}

int storage_send_receive(struct state *state, struct operation *operation, const char *member,
                         const struct storage_send_volume *send, const struct storage_volume_id *to,
                         uint64_t size, struct error **err)
{
	scoped_free char *path = path_of(send);
	scoped_fd int fd = storage_send_connect(state, operation, member, path, err);

	if (fd < 0)
		return fd;
	return storage_transfer_receive_custom(state, operation, to, size, fd, NULL, err);
}

/* An offer that is open. It lives as long as its operation runs. */
struct offer {
	struct state *state;
	char *project, *pool, *name;
	bool is_alone;
	bool is_claimed; /* Under the service's lock. */
	struct cancel *claimed;
};

static void offer_free(void *arg)
{
	struct offer *offer = arg;

	free(offer->project);
	free(offer->pool);
	free(offer->name);
	cancel_unref(offer->claimed);
	free(offer);
}

/* Waits for the sink. What it does then is its own operation's. */
static int run_offer(struct operation *op, void *arg, struct error **err)
{
	struct offer *offer = arg;
	struct storage_service *s = offer->state->storage;
	uint64_t id = cancel_on(operation_cancel_token(op), (void (*)(void *))cancel_fire,
	                        offer->claimed);

	(void)cancel_wait(offer->claimed, date_deadline(OFFER_MS));
	cancel_off(operation_cancel_token(op), id);
	mutex_lock(&s->lock);
	map_remove(s->offers, operation_id(op));
	bool is_claimed = offer->is_claimed;
	mutex_unlock(&s->lock);
	if (is_claimed)
		return 0;
	return operation_is_cancelled(op)
	               ? error_set_errno(err, -ECANCELED, "Cancelled")
	               : error_set(err, 504, "Nobody asked for the volume that was offered");
}

/* Members speak to each other by ways of their own. */
static void refuse_stream(struct operation *op, const char *name, struct stream *stream_take,
                          void *arg)
{
	(void)op;
	(void)name;
	(void)arg;
	stream_free(stream_take);
}

int storage_send_offer(struct request *req, const struct storage_send_volume *send,
                       struct operation **ret_op, struct error **err)
{
	struct storage_service *s = req->state->storage;
	struct offer *offer = xcalloc(1, sizeof(*offer));
	const struct db_storage_volume row = {
		.pool = (char *)(uintptr_t)send->id.pool,
		.project = (char *)(uintptr_t)send->id.project,
		.name = (char *)(uintptr_t)send->id.name,
		.type = DB_VOLUME_CUSTOM,
	};
	scoped_free char *url = storage_usage_volume_url(&row);
	const struct operation_spec spec = {
		.project = send->id.project,
		.class = OPERATION_WEBSOCKET,
		.description = "Migrating storage volume",
		.entity_url = url,
		.has_flat_secrets = true,
		.run = run_offer,
		.connect = refuse_stream,
		.free_arg = offer_free,
		.arg = offer,
	};

	offer->state = req->state;
	offer->project = xstrdup(send->id.project);
	offer->pool = xstrdup(send->id.pool);
	offer->name = send->snapshot ? xasprintf("%s/%s", send->id.name, send->snapshot)
	                             : xstrdup(send->id.name);
	offer->is_alone = send->is_alone;
	offer->claimed = cancel_new(NULL);
	int r = operation_new_for(req, &spec, ret_op, err);
	if (r < 0)
		return r;
	(void)operation_add_secret(*ret_op, "control");
	(void)operation_add_secret(*ret_op, "fs");
	mutex_lock(&s->lock);
	map_set(s->offers, operation_id(*ret_op), offer);
	mutex_unlock(&s->lock);
	return 0;
}

void storage_send_claim_done(struct storage_send_claim *claim)
{
	free(claim->project);
	free(claim->pool);
	free(claim->name);
	*claim = (struct storage_send_claim){ 0 };
}

int storage_send_claim(struct state *state, const char *operation_id, const char *secret,
                       struct storage_send_claim *ret_claim, struct error **err)
{
	struct storage_service *s = state->storage;
	scoped(operation_unrefp) struct operation *op = NULL;
	scoped(cancel_unrefp) struct cancel *claimed = NULL;
	const char *name = "";

	int r = operation_find(state, operation_id, &op, err);
	if (r == 0)
		r = operation_spend_secret(op, secret, &name, err);
	if (r < 0)
		return r;

	mutex_lock(&s->lock);
	struct offer *offer = strcmp(name, "fs") == 0 ? map_get(s->offers, operation_id) : NULL;
	if (offer) {
		*ret_claim = (struct storage_send_claim){
			.project = xstrdup(offer->project),
			.pool = xstrdup(offer->pool),
			.name = xstrdup(offer->name),
			.is_alone = offer->is_alone,
		};
		offer->is_claimed = true;
		claimed = cancel_ref(offer->claimed);
	}
	mutex_unlock(&s->lock);
	if (!claimed)
		return error_set(err, 404, "The offer of the volume is over");
	cancel_fire(claimed);
	return 0;
}
