#include "daemon/instance/instance_session.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/state.h"
#include "lib/base/alloc.h"
#include "lib/base/cancel.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "lib/base/loop.h"
#include "lib/base/parse.h"
#include "lib/base/refs.h"
#include "lib/base/str.h"
#include "lib/base/worker.h"
#include "lib/data/jv.h"
#include "lib/data/jv_parse.h"
#include "lib/net/stream.h"
#include "lib/net/ws_bridge.h"

/* How long a client may take to connect the streams of what it asked for. */
#define CONNECT_MS 30000

/*
 * A terminal's last output is on its way when the process is gone already: so long is waited for
 * its end, which does not come if a child in the background has the terminal as well.
 */
#define LAST_OUTPUT_MS 100

#define MAX_CONTROL_MESSAGE 4096
#define MAX_SIGNAL 64

enum phase { WAITING, STARTING, RUNNING, OVER };

enum { N_STREAMS = 3, CONTROL = N_STREAMS, N_SOCKETS };

struct session;

/* One websocket that carries bytes. */
struct slot {
	struct session *session;
	struct ws_bridge *bridge;
	bool is_open;   /* Its bridge runs. */
	bool is_output; /* The process's output goes there ... */
	bool is_at_end; /* ... and all of it has. */
};

struct session {
	struct refs refs;
	struct state *state;
	struct instance_session_setup setup;
	struct operation *op; /* Until it is over. */
	uint64_t cancel_id;

	/* All below is the loop thread's, but for what a worker leaves for it while starting. */
	enum phase phase;
	bool is_ending;  /* Cancelled or left: whatever is started ends at once. */
	bool has_exited; /* With 'status'. */
	int status;
	int start_result;
	struct error *start_err;
	struct instance_process *process;
	struct stream *streams[N_SOCKETS]; /* Connected and not used yet. */
	struct slot slots[N_STREAMS];
	struct websocket *control;
	struct loop_timer *timer; /* For connecting, then for the last output. */
};

static const char *const names[N_SOCKETS] = { "0", "1", "2", "control" };

static void session_ref(struct session *s)
{
	refs_get(&s->refs);
}

static void session_unref(struct session *s)
{
	if (!refs_put(&s->refs))
		return;

	for (size_t i = 0; i < N_SOCKETS; i++)
		stream_free(s->streams[i]);
	for (size_t i = 0; i < N_STREAMS; i++)
		ws_bridge_unref(s->slots[i].bridge);
	websocket_unref(s->control);
	instance_process_free(s->process);
	error_free(s->start_err);
	if (s->setup.free_arg)
		s->setup.free_arg(s->setup.arg);
	free(s);
}

static size_t n_streams(const struct session *s)
{
	return s->setup.is_interactive ? 1 : N_STREAMS;
}

static void stop_timer(struct session *s)
{
	if (s->timer)
		loop_timer_free(s->timer);
	s->timer = NULL;
}

/* Ends the operation. What is connected gets what is queued for it, and a close frame. */
static void finish(struct session *s, int r, struct error *err_take)
{
	struct operation *op = TAKE_PTR(s->op);

	s->phase = OVER;
	stop_timer(s);
	cancel_off(operation_cancel_token(op), s->cancel_id);
	for (size_t i = 0; i < N_SOCKETS; i++) {
		stream_free(s->streams[i]);
		s->streams[i] = NULL;
	}
	for (size_t i = 0; i < N_STREAMS; i++) {
		if (s->slots[i].is_open)
			ws_bridge_close(s->slots[i].bridge);
	}
	if (s->control)
		websocket_close(s->control, 1000, NULL);
	instance_process_free(s->process);
	s->process = NULL;

	operation_finish(op, r, err_take);
	operation_unref(op);
	session_unref(s); /* Which a session holds that is not over. */
}

static bool has_output_left(const struct session *s)
{
	for (size_t i = 0; i < N_STREAMS; i++) {
		if (s->slots[i].is_output && s->slots[i].is_open && !s->slots[i].is_at_end)
			return true;
	}

	return false;
}

static void finish_if_due(struct session *s)
{
	struct error *err = NULL;
	int r = 0;

	if (s->phase != RUNNING || !s->has_exited || has_output_left(s))
		return;

	if (s->setup.end)
		r = s->setup.end(s->op, s->setup.arg, s->status, &err);
	if (operation_is_cancelled(s->op)) {
		error_free(err);
		err = NULL;
		r = error_set_errno(&err, -ECANCELED, "Cancelled");
	}
	finish(s, r, err);
}

/* Nobody wants it any more: its end is that of the session, which comes by itself. */
static void end_process(struct session *s)
{
	s->is_ending = true;
	if (s->phase != RUNNING || s->has_exited)
		return;

	if (!s->setup.is_console) {
		(void)instance_process_signal(s->process, SIGKILL);
		return;
	}
	s->has_exited = true;
	finish(s, 0, NULL);
}

/* --- Control messages --- */

/* A number, or a number as text, as clients send the size of their window. */
static int64_t number_of(struct json_object *o, const char *key)
{
	const char *text = jv_text(o, key);
	int64_t n = 0;

	if (text)
		return parse_int64(text, &n) < 0 ? -1 : n;
	return jv_number(o, key);
}

static void obey(struct session *s, struct json_object *message)
{
	const char *command = str_or_empty(jv_text(message, "command"));

	if (strcmp(command, "window-resize") == 0) {
		struct json_object *args = jv_member(message, "args");
		int64_t width = number_of(args, "width"), height = number_of(args, "height");

		if (width > 0 && height > 0 && width <= UINT16_MAX && height <= UINT16_MAX)
			(void)instance_process_resize(s->process, (uint16_t)width,
			                              (uint16_t)height);
	} else if (strcmp(command, "signal") == 0) {
		int64_t signal = number_of(message, "signal");

		if (signal > 0 && signal <= MAX_SIGNAL && !s->has_exited)
			(void)instance_process_signal(s->process, (int)signal);
	}
}

static void control_message(struct websocket *ws, enum websocket_type type, const void *data,
                            size_t size, void *arg)
{
	struct session *s = arg;
	scoped(jv_unrefp) struct json_object *message = NULL;
	scoped(error_freep) struct error *err = NULL;

	(void)ws;
	if (s->phase != RUNNING || size == 0)
		return;

	(void)type;
	if (jv_parse_object(data, size, &message, &err) < 0)
		log_debug("Ignoring a control message: %s", err->msg);
	else
		obey(s, message);
}

static void control_closed(struct websocket *ws, unsigned code, void *arg)
{
	struct session *s = arg;

	(void)ws;
	(void)code;
	websocket_unref(s->control);
	s->control = NULL;
	end_process(s);
	session_unref(s);
}

static void open_control(struct session *s)
{
	const struct websocket_config config = {
		.role = WEBSOCKET_SERVER,
		.message_max = MAX_CONTROL_MESSAGE,
		.on_message = control_message,
		.on_close = control_closed,
		.arg = s,
	};

	session_ref(s);
	s->control = websocket_new_take(s->state->loop, TAKE_PTR(s->streams[CONTROL]), &config);
}

/* --- Streams --- */

static void output_ended(struct ws_bridge *b, void *arg)
{
	struct slot *slot = arg;

	(void)b;
	slot->is_at_end = true;
	finish_if_due(slot->session);
}

static void stream_closed(struct ws_bridge *b, void *arg)
{
	struct slot *slot = arg;
	struct session *s = slot->session;
	bool is_any_open = false;

	(void)b;
	slot->is_open = false;
	for (size_t i = 0; i < N_STREAMS; i++)
		is_any_open |= s->slots[i].is_open;

	/* One stream less is the end of that stream; none at all is nobody there. */
	if (!is_any_open && !s->has_exited && (s->setup.is_interactive || !s->control))
		end_process(s);
	finish_if_due(s);
	session_unref(s);
}

/* The descriptors of stream 'i': what the peer writes to, and what it reads from. */
static void stream_fds(struct session *s, size_t i, struct ws_bridge_config *config)
{
	if (s->setup.is_interactive) {
		/* The session keeps one for itself, to set the size. */
		int terminal = instance_process_fd(s->process, INSTANCE_PROCESS_TERMINAL);

		config->fd_read = fd_dup(terminal);
		config->fd_write = fd_dup(terminal);
		config->is_pty = true;
	} else if (i == INSTANCE_PROCESS_STDIN) {
		config->fd_read = -1;
		config->fd_write = instance_process_take_fd(s->process, (int)i);
	} else {
		config->fd_write = -1;
		config->fd_read = instance_process_take_fd(s->process, (int)i);
	}
}

static void open_stream(struct session *s, size_t i)
{
	struct slot *slot = &s->slots[i];
	struct ws_bridge_config config = {
		.role = WEBSOCKET_SERVER,
		.close_at_end = true,
		.on_output_end = output_ended,
		.on_done = stream_closed,
		.arg = slot,
	};

	stream_fds(s, i, &config);
	slot->session = s;
	slot->is_open = true;
	slot->is_output = config.fd_read >= 0;
	session_ref(s);
	slot->bridge = ws_bridge_new_take(s->state->loop, TAKE_PTR(s->streams[i]), &config);
}

/* --- The process --- */

static void take_output_as_ended(void *arg)
{
	struct session *s = arg;

	stop_timer(s);
	for (size_t i = 0; i < N_STREAMS; i++) {
		if (s->slots[i].is_open && s->slots[i].is_output)
			ws_bridge_finish(s->slots[i].bridge);
	}
}

static void exited(void *arg, int status)
{
	struct session *s = arg;

	if (s->has_exited)
		return;

	s->has_exited = true;
	s->status = status;
	if (s->setup.is_interactive && has_output_left(s))
		s->timer =
			loop_timer_new(s->state->loop, LAST_OUTPUT_MS, 0, take_output_as_ended, s);
	else
		take_output_as_ended(s);
	finish_if_due(s);
}

static void started(void *arg)
{
	struct session *s = arg;

	if (s->start_result < 0) {
		finish(s, s->start_result, TAKE_PTR(s->start_err));
		session_unref(s);
		return;
	}

	s->phase = RUNNING;
	if (s->setup.has_streams) {
		for (size_t i = 0; i < n_streams(s); i++)
			open_stream(s, i);
	}
	if (s->streams[CONTROL])
		open_control(s);
	instance_process_on_exit(s->process, exited, s);
	if (s->is_ending)
		end_process(s);
	session_unref(s);
}

/* On a worker. The operation and the rest cannot go away before started(). */
static void start_process(struct session *s)
{
	s->start_result = s->setup.start(s->op, s->setup.arg, &s->process, &s->start_err);
	loop_call(s->state->loop, started, s);
}

static void start_job(void *arg)
{
	start_process(arg);
}

static void start(struct session *s)
{
	stop_timer(s);
	s->phase = STARTING;
	session_ref(s);
	if (worker_submit(s->state->jobs, start_job, s) < 0) {
		s->start_result = error_set(&s->start_err, 503, "Too many operations");
		loop_call(s->state->loop, started, s);
	}
}

/* --- The operation --- */

static void connected(struct operation *op, const char *name, struct stream *stream_take, void *arg)
{
	struct session *s = arg;
	size_t i = 0;

	(void)op;
	while (i < CONTROL && strcmp(names[i], name) != 0)
		i++;
	if (s->phase == OVER) {
		stream_free(stream_take);
		return;
	}

	s->streams[i] = stream_take;
	if (i == CONTROL && s->phase == RUNNING)
		open_control(s);
	if (s->phase != WAITING)
		return;
	for (size_t k = 0; k < n_streams(s); k++) {
		if (!s->streams[k])
			return;
	}
	start(s);
}

static void not_connected(void *arg)
{
	struct session *s = arg;
	struct error *err = NULL;

	int r = error_set(&err, 400, "Timed out waiting for websockets to connect");
	finish(s, r, err);
}

/* Without streams: on the operation's own thread, at once. It counts as waiting until it runs. */
static int run(struct operation *op, void *arg, struct error **err)
{
	struct session *s = arg;

	(void)op;
	(void)err;
	session_ref(s);
	start_process(s);
	return OPERATION_GOES_ON;
}

/* An operation that was cancelled before it ran ends without us. */
static void abandoned_on_loop(void *arg)
{
	struct session *s = arg;

	if (s->phase != OVER) {
		s->phase = OVER;
		cancel_off(operation_cancel_token(s->op), s->cancel_id);
		operation_unref(s->op);
		session_unref(s);
	}
	session_unref(s);
}

static void op_ended(struct operation *op, void *arg)
{
	struct session *s = arg;

	(void)op;
	loop_call(s->state->loop, abandoned_on_loop, s);
}

static void cancelled_on_loop(void *arg)
{
	struct session *s = arg;
	struct error *err = NULL;

	if (s->phase == WAITING && s->setup.has_streams) {
		int r = error_set_errno(&err, -ECANCELED, "Cancelled");
		finish(s, r, err);
	} else if (s->phase != OVER) {
		end_process(s);
	}
	session_unref(s);
}

static void cancelled(void *arg)
{
	struct session *s = arg;

	session_ref(s);
	loop_call(s->state->loop, cancelled_on_loop, s);
}

static void release(void *arg)
{
	session_unref(arg);
}

/* On the loop: a timer belongs to it, and to a session that still waits. */
static void arm(void *arg)
{
	struct session *s = arg;

	if (s->phase == WAITING && !s->timer)
		s->timer = loop_timer_new(s->state->loop, CONNECT_MS, 0, not_connected, s);
	session_unref(s);
}

int instance_session_new(struct state *state, const struct operation_spec *spec,
                         const struct instance_session_setup *setup, struct operation **ret_op,
                         struct error **err)
{
	struct session *s = xcalloc(1, sizeof(*s));
	struct operation_spec mine = *spec;

	refs_init(&s->refs);
	s->state = state;
	mine.class = setup->has_streams ? OPERATION_WEBSOCKET : OPERATION_TASK;
	mine.run = setup->has_streams ? NULL : run;
	mine.connect = setup->has_streams ? connected : NULL;
	mine.free_arg = release;
	mine.arg = s;
	int r = operation_new(state, &mine, ret_op, err);
	if (r < 0)
		return r;

	s->setup = *setup;
	s->op = operation_ref(*ret_op);
	session_ref(s); /* Until it is over. */
	s->cancel_id = cancel_on(operation_cancel_token(s->op), cancelled, s);
	if (!setup->has_streams) {
		session_ref(s);
		(void)operation_on_end(s->op, op_ended, s);
		return 0;
	}

	for (size_t i = 0; i < n_streams(s); i++)
		(void)operation_add_secret(s->op, names[i]);
	(void)operation_add_secret(s->op, names[CONTROL]);
	session_ref(s);
	loop_call(state->loop, arm, s);
	return 0;
}
