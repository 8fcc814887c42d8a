#include "daemon/instance/instance_send.h"

#include <stdlib.h>
#include <unistd.h>

#include "daemon/core/state.h"
#include "daemon/instance/instance.h"
#include "daemon/instance/instance_service.h"
#include "daemon/instance/instance_snapshot.h"
#include "daemon/storage/storage_send.h"
#include "daemon/storage/storage_transfer.h"
#include "lib/base/alloc.h"
#include "lib/base/failpoint.h"
#include "lib/base/log.h"
#include "lib/base/strbuf.h"
#include "lib/base/worker.h"
#include "lib/net/stream.h"
#include "lib/net/stream_pump.h"
#include "lib/net/url.h"

struct sending {
	struct state *state;
	struct instance_send *send;
	struct stream *stream;
};

void instance_send_free(struct instance_send *send)
{
	if (!send)
		return;

	free(send->project);
	free(send->instance);
	free(send->snapshot);
	free(send);
}

static int send_pass(struct state *state, const struct instance_send *send, int fd,
                     struct error **err)
{
	scoped(instance_freep) struct instance *inst = NULL;
	struct storage_instance storage;

	int r = instance_load(state, send->project, send->instance, &inst, err);
	if (r == 0)
		r = instance_storage(inst, &storage, err);
	if (r < 0)
		return r;

	scoped_free const char **snapshots = send->is_alone ? NULL : instance_snapshot_names(inst);
	const struct storage_send pass = {
		.snapshots = snapshots,
		.snapshot = send->snapshot,
		.pass = send->pass,
		.is_last = send->is_last,
		.refresh = send->is_refresh,
		.allow_inconsistent = !send->is_last,
		.bytes_per_second = send->bandwidth,
	};
	r = FAILPOINT("volume.send", NULL, "Before a volume is sent to another member", err);
	return r < 0 ? r : storage_transfer_send(state, NULL, &storage, &pass, fd, NULL, err);
}

static void run_send(void *arg)
{
	struct sending *sending = arg;
	scoped(error_freep) struct error *err = NULL;

	int fd = stream_pump_to_fd(sending->state->loop, sending->stream);
	if (fd >= 0) {
		if (send_pass(sending->state, sending->send, fd, &err) < 0)
			log_warn("Failed sending the volume of instance \"%s\": %s",
			         sending->send->instance, err->msg);
		close(fd);
	}
	instance_send_free(sending->send);
	free(sending);
}

void instance_send_start(struct state *state, struct instance_send *send_take,
                         struct stream *stream_take)
{
	struct sending *sending = xcalloc(1, sizeof(*sending));

	sending->state = state;
	sending->send = send_take;
	sending->stream = stream_take;
	if (!stream_take) {
		instance_send_free(send_take);
		free(sending);
		return;
	}
	if (worker_submit(state->instances->sends, run_send, sending) < 0) {
		stream_free(stream_take);
		instance_send_free(send_take);
		free(sending);
	}
}

static char *send_path(const struct instance_send *send)
{
	scoped_free char *project = url_escape(send->project);
	scoped_free char *instance = url_escape(send->instance);
	scoped_free char *snapshot = url_escape(send->snapshot ? send->snapshot : "");

	return xasprintf(
		"/internal/volumes/send?project=%s&instance=%s&snapshot=%s&pass=%u&last=%d&refresh=%d"
		"&alone=%d&bandwidth=%llu",
		project, instance, snapshot, send->pass, send->is_last, send->is_refresh,
		send->is_alone, send->bandwidth);
}

int instance_send_receive(struct state *state, struct operation *op, const char *source,
                          const struct instance_send *send, const struct storage_instance *sink,
                          unsigned long long *ret_bytes, struct error **err)
{
	scoped_free char *path = send_path(send);
	scoped_fd int fd = storage_send_connect(state, op, source, path, err);
	struct storage_instance storage = *sink;
	struct storage_sent received = { .live = send->live };

	if (fd < 0)
		return fd;

	storage.files_only = true;
	int r = storage_transfer_receive(state, op, &storage, fd, &received, err);
	if (r == 0)
		*ret_bytes = received.bytes;

	return r;
}
