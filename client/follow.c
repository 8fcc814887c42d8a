#include "client/follow.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/interrupt.h"
#include "client/output.h"
#include "client/terminal.h"
#include "client/ws.h"
#include "lib/base/alloc.h"
#include "lib/base/date.h"
#include "lib/base/str.h"
#include "lib/data/jv.h"
#include "lib/data/jv_parse.h"

#define REDRAW_NS (DATE_SECOND / 10)
#define QUIET_MS 3000

/* One operation that is being followed. */
struct following {
	const struct client *client;
	struct server *server;
	const struct follow *how;
	const char *uuid;
	struct json_object *last; /* The newest state, owned. */
	bool visible;
	bool ended;
};

bool follow_is_shown(const struct client *client)
{
	return !client->quiet && isatty(STDOUT_FILENO) == 1;
}

void follow_show_line(const char *label, const char *text)
{
	static bool shown;
	unsigned columns = 80, rows;

	if (!text) {
		if (shown)
			fputs("\r\033[K", stdout);
		shown = false;
		fflush(stdout);
		return;
	}
	terminal_size(STDOUT_FILENO, &columns, &rows);
	scoped_free char *line = xasprintf("%s%s%s", str_or_empty(label), label ? ": " : "", text);
	line[strcspn(line, "\n")] = '\0';
	printf("\r%.*s\033[K", (int)columns - 1, line);
	fflush(stdout);
	shown = true;
}

const char *follow_progress_text(struct json_object *operation)
{
	JV_FOREACH (jv_member(operation, "metadata"), key, value) {
		if (str_ends(key, "_progress") && jv_string(value) && *jv_string(value))
			return jv_string(value);
	}
	return NULL;
}

static void show(struct following *f, bool is_last)
{
	if (f->how && f->how->render) {
		f->how->render(f->how->render_arg, f->last, is_last);
		return;
	}
	if (!f->visible)
		return;
	const char *text = is_last ? NULL : follow_progress_text(f->last);
	if (text || is_last)
		follow_show_line(f->how ? f->how->label : NULL, text);
}

static void take_state(struct following *f, struct json_object *op)
{
	if (f->ended || !str_equals(jv_text(op, "id"), f->uuid))
		return;
	jv_unref(f->last);
	f->last = jv_ref(op);
	f->ended = jv_number(op, "status_code") >= 200;
	show(f, f->ended);
}

static void on_event(void *arg, bool is_text, const char *data, size_t size)
{
	scoped(jv_unrefp) struct json_object *event = NULL;
	scoped(error_freep) struct error *unread = NULL;

	(void)is_text;
	if (jv_parse(data, size, &event, &unread) == 0 &&
	    str_equals(jv_text(event, "type"), "operation"))
		take_state(arg, jv_member(event, "metadata"));
}

/* After ^C. Returns false if the operation shall be left behind. */
static bool ask_to_cancel(struct following *f)
{
	scoped(error_freep) struct error *err = NULL;

	if (interrupt_count() > 1)
		return false;
	if (server_send(f->server, "DELETE", NULL, &err, "/1.0/operations/%s", f->uuid) < 0)
		fprintf(stderr,
		        "\nThe operation cannot be cancelled (%s); ^C again leaves it running\n",
		        err->msg);
	else
		fprintf(stderr, "\nCancelling; ^C again does not wait for it\n");
	return true;
}

static int left_behind(struct following *f, struct error **err)
{
	show(f, true);
	return error_set(err, 499, "Interrupted; operation %s goes on in the background", f->uuid);
}

/* Nothing was heard for a while: the member that tells of it may have been lost, and its events. */
static void look_again(struct following *f)
{
	scoped(error_freep) struct error *none = NULL;
	scoped(jv_unrefp) struct json_object *now = NULL;

	if (server_get(f->server, &now, &none, "/1.0/operations/%s", f->uuid) == 0)
		take_state(f, now);
}

/* By events, which carry the progress. 1 if the connection ended first. */
static int follow_events(struct following *f, struct error **err)
{
	scoped(ws_freep) struct ws *ws = NULL;
	scoped(error_freep) struct error *refused = NULL;
	scoped(jv_unrefp) struct json_object *now = NULL;
	scoped_free char *path = server_path(f->server, "/1.0/events?type=operation");

	if (ws_dial(f->server, path, on_event, f, &ws, &refused) < 0)
		return 1;
	/* What happened before the events began. */
	int r = server_get(f->server, &now, err, "/1.0/operations/%s", f->uuid);
	if (r < 0)
		return r;
	take_state(f, now);
	while (!f->ended) {
		struct pollfd p = { .fd = ws_fd(ws), .events = ws_events(ws) };

		r = ws_has_pending(ws) ? 1 : interrupt_poll(&p, 1, QUIET_MS);
		if (r == 0) {
			look_again(f);
			continue;
		}
		if (r == -EINTR && interrupt_count() && !ask_to_cancel(f))
			return left_behind(f, err);
		if (r == -EINTR)
			continue;
		if (r < 0)
			return error_set_errno(err, r, "Failed waiting for the operation");
		if (!ws_process(ws) && !f->ended)
			return 1;
	}
	return 0;
}

static int follow_wait(struct following *f, struct error **err)
{
	for (;;) {
		scoped(error_freep) struct error *e = NULL;
		scoped(jv_unrefp) struct json_object *op = NULL;
		int r = server_get(f->server, &op, &e, "/1.0/operations/%s/wait?timeout=-1",
		                   f->uuid);

		if (r == 0) {
			take_state(f, op);
			if (f->ended)
				return 0;
			continue;
		}
		if (r == -EINTR && interrupt_count()) {
			if (!ask_to_cancel(f))
				return left_behind(f, err);
			continue;
		}
		*err = TAKE_PTR(e);
		return r;
	}
}

static int result_of(struct json_object *op, struct error **err)
{
	int64_t code = jv_number(op, "status_code");
	const char *text = jv_text(op, "err");

	if (code == 200)
		return 0;
	if (code == 401)
		return error_set(err, 499, "%s",
		                 str_is_empty(text) ? "The operation was cancelled" : text);
	return error_set(err, 400, "%s", str_is_empty(text) ? "The operation failed" : text);
}

int follow_operation(const struct client *client, struct server *server,
                     struct json_object *operation, const struct follow *follow,
                     struct json_object **ret_operation, struct error **err)
{
	struct following f = { .client = client, .server = server, .how = follow };
	int r = 1;

	if (ret_operation)
		*ret_operation = NULL;
	if (!operation)
		return 0;
	f.visible = follow_is_shown(client);
	f.uuid = str_or_empty(jv_text(operation, "id"));
	take_state(&f, operation);
	interrupt_begin();
	if (!f.ended && (f.visible || (follow && follow->render)))
		r = follow_events(&f, err);
	if (!f.ended && r == 1)
		r = follow_wait(&f, err);
	interrupt_end();
	if (f.ended)
		r = result_of(f.last, err);
	if (r == 0 && ret_operation)
		*ret_operation = TAKE_PTR(f.last);
	jv_unref(f.last);
	return r;
}

int follow_change(const struct client *client, struct server *server,
                  const struct follow_request *request, struct error **err, const char *fmt, ...)
{
	scoped(jv_unrefp) struct json_object *op = NULL;
	va_list args;

	va_start(args, fmt);
	scoped_free char *path = server_vpath(server, fmt, args);
	va_end(args);
	int r = server_start_path(server, request->method, request->body, path, &op, err);
	const struct follow follow = { .label = request->label };
	return r < 0 ? r : follow_operation(client, server, op, &follow, NULL, err);
}

int follow_state(const struct client *client, struct server *server, const char *name,
                 const char *action, bool is_forced, struct error **err)
{
	scoped(jv_unrefp) struct json_object *body = jv_object();

	jv_set_string(body, "action", action);
	jv_set_int(body, "timeout", -1);
	jv_set_bool(body, "force", is_forced);
	return follow_change(client, server,
	                     &(struct follow_request){ .method = "PUT", .body = body }, err,
	                     "/1.0/instances/%s/state", name);
}

void follow_transfer(void *arg, uint64_t done, uint64_t total)
{
	struct follow_transfer *t = arg;
	int64_t now = date_monotonic_ns();

	if (!t->started)
		t->started = now;
	if (now - t->shown < REDRAW_NS && done != total)
		return;
	t->shown = now;
	double seconds = (double)(now - t->started) / (double)DATE_SECOND;
	scoped_free char *rate =
		output_size_si(seconds > 0 ? (int64_t)((double)done / seconds) : 0);
	scoped_free char *size = output_size_si((int64_t)done);
	scoped_free char *text =
		total ? xasprintf("%u%% (%s/s)", (unsigned)(done * 100 / total), rate)
		      : xasprintf("%s (%s/s)", size, rate);
	follow_show_line(t->label, text);
}
