#include "lib/net/http_lane.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <microhttpd.h>

#include "lib/base/alloc.h"
#include "lib/base/list.h"
#include "lib/base/log.h"
#include "lib/base/loop.h"
#include "lib/net/socket.h"

enum {
	MAX_IDLE = 8,
	POOL_SIZE = 32 * 1024, /* Of MHD for a connection; an answer's headers must fit. */
	BLOCK_SIZE = 32 * 1024,
};

struct http_lanes {
	struct loop *loop;
	struct worker *io;
	struct MHD_Daemon *daemon;
	struct loop_watch *watch;
	struct list idle;
	unsigned n_idle, n_lanes;
	struct http_lane *adding; /* Whose connection MHD is just told of. */
	bool is_running, is_run_due, is_closed;
};

struct http_lane {
	struct http_lanes *lanes;
	struct list entry; /* In 'idle'. */
	int fd;            /* Our end; -1 after release. */
	struct loop_watch *watch;
	unsigned events;
	struct MHD_Connection *connection; /* NULL after MHD has closed it. */

	struct http_reply *reply; /* Until MHD has asked for it. */
	struct http_source *source;
	bool is_suspended, is_complete, has_failed, keeps_alive;
	void (*readable)(void *arg);
	void *arg;
};

static void run(struct http_lanes *lanes);

static void run_later(void *arg)
{
	struct http_lanes *lanes = arg;

	lanes->is_run_due = false;
	if (lanes->is_closed)
		free(lanes);
	else
		run(lanes);
}

/* Lets MHD do all it can do now. */
static void run(struct http_lanes *lanes)
{
	MHD_UNSIGNED_LONG_LONG timeout = 0;

	if (lanes->is_running)
		return;

	lanes->is_running = true;
	for (unsigned i = 0; i < 4; i++) {
		MHD_run(lanes->daemon);
		if (MHD_get_timeout(lanes->daemon, &timeout) != MHD_YES || timeout > 0) {
			lanes->is_running = false;
			return;
		}
	}
	lanes->is_running = false;

	if (!lanes->is_run_due) {
		lanes->is_run_due = true;
		loop_call(lanes->loop, run_later, lanes);
	}
}

static void on_daemon_event(unsigned events, void *arg)
{
	run(arg);
}

static struct http_lane *lane_of(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info ? info->socket_context : NULL;
}

static void lane_free(struct http_lane *lane)
{
	lane->lanes->n_lanes--;
	free(lane);
}

static void on_connection(void *cls, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
	struct http_lanes *lanes = cls;
	struct http_lane *lane = *context;

	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		lanes->adding->connection = connection;
		*context = lanes->adding;
		return;
	}
	lane->connection = NULL;
	if (lane->fd < 0)
		lane_free(lane);
}

static void on_completed(void *cls, struct MHD_Connection *connection, void **request,
                         enum MHD_RequestTerminationCode code)
{
	struct http_lane *lane = *request;

	if (!lane)
		return;
	*request = NULL;
	lane->is_complete = true;
	lane->has_failed = code != MHD_REQUEST_TERMINATED_COMPLETED_OK;
}

static void on_source_ready(void *arg)
{
	struct http_lane *lane = arg;

	if (!lane->is_suspended || !lane->connection)
		return;
	lane->is_suspended = false;
	MHD_resume_connection(lane->connection);
	run(lane->lanes);
}

static ssize_t read_source(void *cls, uint64_t position, char *data, size_t size)
{
	struct http_lane *lane = cls;
	ssize_t n = http_source_read(lane->source, data, size);

	if (n > 0)
		return n;
	if (n == 0)
		return MHD_CONTENT_READER_END_OF_STREAM;
	if (n != -EAGAIN || lane->fd < 0)
		return MHD_CONTENT_READER_END_WITH_ERROR;

	lane->is_suspended = true;
	MHD_suspend_connection(lane->connection);
	return 0;
}

static void free_source(void *cls)
{
	struct http_lane *lane = cls;

	http_source_free(lane->source);
	lane->source = NULL;
}

static struct MHD_Response *make_response(struct http_lane *lane, struct http_reply *reply)
{
	struct MHD_Response *response;

	if (reply->kind == HTTP_REPLY_SOURCE) {
		lane->source = TAKE_PTR(reply->source);
		response = MHD_create_response_from_callback(reply->source_size, BLOCK_SIZE,
		                                             read_source, lane, free_source);
	} else {
		response = MHD_create_response_from_buffer(reply->size, TAKE_PTR(reply->body),
		                                           MHD_RESPMEM_MUST_FREE);
	}
	if (!response)
		abort();

	for (size_t i = 0; i < reply->n_fields; i++)
		if (MHD_add_response_header(response, reply->fields[i].name,
		                            reply->fields[i].value) != MHD_YES)
			log_error("Failed adding header \"%s\" to an answer",
			          reply->fields[i].name);
	return response;
}

/* NOLINTNEXTLINE(readability-function-size): MHD gives eight arguments. */
static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_size, void **request)
{
	struct http_lane *lane = lane_of(connection);

	if (!lane || !lane->reply)
		return MHD_NO;

	/* Called again when the request is over; an answer before that would end MHD's connection.
	 */
	if (!*request) {
		*request = lane;
		return MHD_YES;
	}

	int status = lane->reply->status;
	struct MHD_Response *response = make_response(lane, TAKE_PTR(lane->reply));
	if (lane->source)
		http_source_start(lane->source, lane->lanes->loop, lane->lanes->io, on_source_ready,
		                  lane);

	enum MHD_Result result = MHD_queue_response(connection, (unsigned)status, response);
	MHD_destroy_response(response);
	return result;
}

static void PRINTF(2, 0) on_log(void *cls, const char *format, va_list args)
{
	scoped_free char *text = xvasprintf(format, args);

	/* What it tries on every socket is not there on those that it is given here. */
	if (strstr(text, "TCP_") || strstr(text, "Failed to push the data"))
		return;

	log_debug("libmicrohttpd: %.*s", (int)strcspn(text, "\n"), text);
}

struct http_lanes *http_lanes_new(struct loop *loop, struct worker *io)
{
	struct http_lanes *lanes = xcalloc(1, sizeof(*lanes));

	lanes->loop = loop;
	lanes->io = io;
	list_init(&lanes->idle);
	lanes->daemon = MHD_start_daemon(
		MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ERROR_LOG |
			MHD_ALLOW_SUSPEND_RESUME,
		0, NULL, NULL, on_request, lanes, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)POOL_SIZE, MHD_OPTION_CONNECTION_LIMIT,
		65536U, MHD_OPTION_NOTIFY_CONNECTION, on_connection, lanes,
		MHD_OPTION_NOTIFY_COMPLETED, on_completed, lanes, MHD_OPTION_END);
	if (!lanes->daemon) {
		free(lanes);
		return NULL;
	}

	const union MHD_DaemonInfo *info =
		MHD_get_daemon_info(lanes->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	lanes->watch = loop_watch_new(loop, info->epoll_fd, LOOP_READABLE, on_daemon_event, lanes);
	return lanes;
}

static void lane_close(struct http_lane *lane)
{
	struct http_lanes *lanes = lane->lanes;

	if (lane->watch)
		loop_watch_free(lane->watch);
	lane->watch = NULL;
	close(lane->fd);
	lane->fd = -1;
	if (!lane->connection) {
		lane_free(lane);
		return;
	}

	/* MHD does not notice on a suspended connection that the other end is gone. */
	if (lane->is_suspended) {
		lane->is_suspended = false;
		MHD_resume_connection(lane->connection);
	}
	run(lanes);
}

void http_lanes_free(struct http_lanes *lanes)
{
	if (!lanes)
		return;

	struct http_lane *lane;
	LIST_FOREACH (lane, &lanes->idle, entry) {
		list_remove(&lane->entry);
		lane_close(lane);
	}
	loop_watch_free(lanes->watch);
	MHD_stop_daemon(lanes->daemon);
	lanes->is_closed = true;
	if (!lanes->is_run_due)
		free(lanes);
}

static void on_lane_event(unsigned events, void *arg)
{
	struct http_lane *lane = arg;

	lane->events = 0;
	loop_watch_set(lane->watch, 0);
	lane->readable(lane->arg);
}

void http_lane_again(struct http_lane *lane)
{
	if (!lane->watch)
		lane->watch = loop_watch_new(lane->lanes->loop, lane->fd, LOOP_READABLE,
		                             on_lane_event, lane);
	else if (lane->events == 0)
		loop_watch_set(lane->watch, LOOP_READABLE);
	lane->events = LOOP_READABLE;
}

static struct http_lane *lane_new(struct http_lanes *lanes)
{
	static const struct sockaddr_un nowhere = { .sun_family = AF_UNIX };
	int fds[2];

	if (socket_pair(fds) < 0)
		return NULL;

	struct http_lane *lane = xcalloc(1, sizeof(*lane));
	lane->lanes = lanes;
	lane->fd = fds[0];
	lanes->n_lanes++;

	/* MHD closes the descriptor when it fails. */
	lanes->adding = lane;
	enum MHD_Result result =
		MHD_add_connection(lanes->daemon, fds[1], (const struct sockaddr *)&nowhere,
	                           sizeof(nowhere.sun_family));
	lanes->adding = NULL;
	if (result != MHD_YES || !lane->connection) {
		close(lane->fd);
		lane_free(lane);
		return NULL;
	}
	return lane;
}

static struct http_lane *take_idle(struct http_lanes *lanes)
{
	struct http_lane *lane;

	while ((lane = LIST_FIRST(&lanes->idle, struct http_lane, entry))) {
		list_remove(&lane->entry);
		lanes->n_idle--;
		if (lane->connection)
			return lane;
		lane_close(lane);
	}
	return NULL;
}

struct http_lane *http_lane_start(struct http_lanes *lanes, struct http_reply *reply,
                                  const struct http_reply_wish *wish, void (*readable)(void *arg),
                                  void *arg)
{
	struct http_lane *lane = take_idle(lanes);

	if (!lane)
		lane = lane_new(lanes);
	if (!lane)
		return NULL;

	lane->reply = reply;
	lane->readable = readable;
	lane->arg = arg;
	lane->is_complete = lane->has_failed = false;
	lane->keeps_alive = wish->keeps_alive && !wish->is_http10;

	char request[96];
	int n = snprintf(request, sizeof(request), "%s / HTTP/1.%c\r\nHost: m\r\n%s\r\n",
	                 wish->is_head ? "HEAD" : "GET", wish->is_http10 ? '0' : '1',
	                 !wish->keeps_alive ? "Connection: close\r\n"
	                 : wish->is_http10  ? "Connection: keep-alive\r\n"
	                                    : "");
	if (send(lane->fd, request, (size_t)n, MSG_NOSIGNAL) != n) {
		lane->reply = NULL;
		lane_close(lane);
		return NULL;
	}
	run(lanes);
	return lane;
}

ssize_t http_lane_read(struct http_lane *lane, void *data, size_t size)
{
	for (unsigned i = 0; i < 2; i++) {
		ssize_t n = recv(lane->fd, data, size, 0);
		if (n > 0)
			return n;
		if (n == 0 || errno != EAGAIN)
			return lane->is_complete && !lane->has_failed ? 0 : -EPIPE;
		if (lane->is_complete)
			return lane->has_failed ? -EPIPE : 0;
		if (i == 0)
			run(lane->lanes);
	}
	http_lane_again(lane);
	return -EAGAIN;
}

void http_lane_release(struct http_lane *lane)
{
	struct http_lanes *lanes = lane->lanes;

	lane->reply = NULL;
	if (!lane->is_complete || lane->has_failed || !lane->keeps_alive || !lane->connection ||
	    lanes->n_idle >= MAX_IDLE) {
		lane_close(lane);
		return;
	}

	if (lane->watch && lane->events)
		loop_watch_set(lane->watch, 0);
	lane->events = 0;
	lanes->n_idle++;
	list_add_first(&lanes->idle, &lane->entry);
}
