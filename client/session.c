#include "client/session.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "client/terminal.h"
#include "client/ws.h"
#include "lib/base/alloc.h"
#include "lib/base/fd.h"
#include "lib/base/macro.h"
#include "lib/base/str.h"
#include "lib/data/jv.h"
#include "lib/data/jv_print.h"

#define CHUNK 32768
#define QUEUE_MAX (1U << 20) /* Bytes read from stdin that may wait for the server. */
#define CTRL_A 0x01

/* A websocket and the descriptor that its messages go to. */
struct channel {
	struct ws *ws; /* NULL if there is none. */
	int out_fd;
	bool ended; /* The server has said that no more comes. */
};

enum { CHANNEL_STDIN, CHANNEL_STDOUT, CHANNEL_STDERR, CHANNEL_CONTROL, N_CHANNELS };

struct running {
	const struct session *session;
	struct channel channels[N_CHANNELS];
	int signal_fd;
	bool stdin_open;
	bool after_escape; /* ^A was the last key. */
	bool left;
};

static void on_message(void *arg, bool is_text, const char *data, size_t size)
{
	struct channel *c = arg;

	if (is_text && size == 0) {
		c->ended = true;
		return;
	}
	if (c->out_fd >= 0 && fd_write_full(c->out_fd, data, size) < 0)
		c->ended = true;
}

static int open_channel(struct running *run, int index, const char *name, int out_fd,
                        struct error **err)
{
	struct json_object *op = run->session->operation;
	const char *secret = jv_text(jv_member(jv_member(op, "metadata"), "fds"), name);
	struct channel *c = &run->channels[index];

	c->out_fd = out_fd;
	if (!secret)
		return error_set(err, 502, "The server offers no stream \"%s\"", name);
	scoped_free char *path =
		server_path(run->session->server, "/1.0/operations/%s/websocket?secret=%s",
	                    str_or_empty(jv_text(op, "id")), secret);
	return ws_dial(run->session->server, path, on_message, c, &c->ws, err);
}

static int open_channels(struct running *run, struct error **err)
{
	int r = open_channel(run, CHANNEL_CONTROL, "control", -1, err);

	if (run->session->interactive)
		return r < 0 ? r : open_channel(run, CHANNEL_STDIN, "0", STDOUT_FILENO, err);
	if (r == 0)
		r = open_channel(run, CHANNEL_STDIN, "0", -1, err);
	if (r == 0)
		r = open_channel(run, CHANNEL_STDOUT, "1", STDOUT_FILENO, err);
	return r < 0 ? r : open_channel(run, CHANNEL_STDERR, "2", STDERR_FILENO, err);
}

static void send_control(struct running *run, struct json_object *message)
{
	size_t size;
	scoped_free char *text = jv_print_text(message, &size);

	if (run->channels[CHANNEL_CONTROL].ws)
		ws_send(run->channels[CHANNEL_CONTROL].ws, true, text, size);
}

static void send_size(struct running *run)
{
	scoped(jv_unrefp) struct json_object *message = jv_object();
	struct json_object *args = jv_object();
	unsigned columns, rows;

	jv_set_string(message, "command", "window-resize");
	jv_set_take(message, "args", args);
	if (!terminal_size(STDOUT_FILENO, &columns, &rows))
		return;
	jv_set_stringf(args, "width", "%u", columns);
	jv_set_stringf(args, "height", "%u", rows);
	send_control(run, message);
}

static void take_signal(struct running *run)
{
	struct signalfd_siginfo info;

	while (read(run->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGWINCH) {
			if (run->session->interactive)
				send_size(run);
			continue;
		}
		if (run->session->is_console) {
			run->left = true;
			continue;
		}
		scoped(jv_unrefp) struct json_object *message = jv_object();

		jv_set_string(message, "command", "signal");
		jv_set_int(message, "signal", (int64_t)info.ssi_signo);
		send_control(run, message);
	}
}

/*
 * Takes ^A q out of what was typed; ^A a is a ^A. 'out' may begin one byte before 'in'. Returns how
 * many bytes are left.
 */
static size_t filter_escape(struct running *run, const char *in, size_t size, char *out)
{
	size_t n = 0;

	for (size_t i = 0; i < size; i++) {
		char c = in[i];

		if (!run->after_escape) {
			run->after_escape = c == CTRL_A;
			if (c != CTRL_A)
				out[n++] = c;
			continue;
		}
		run->after_escape = false;
		if (c == 'q') {
			run->left = true;
			break;
		}
		out[n++] = CTRL_A;
		if (c != 'a')
			out[n++] = c;
	}
	return n;
}

static void end_stdin(struct running *run)
{
	run->stdin_open = false;
	if (!run->session->interactive)
		ws_send(run->channels[CHANNEL_STDIN].ws, true, "", 0);
}

static void take_stdin(struct running *run)
{
	char buf[CHUNK + 1];
	ssize_t n = read(run->session->stdin_fd, buf + 1, CHUNK);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		end_stdin(run);
		return;
	}
	char *data = buf + 1;
	size_t size = (size_t)n;
	if (run->session->is_console)
		size = filter_escape(run, buf + 1, size, data = buf);
	if (size)
		ws_send(run->channels[CHANNEL_STDIN].ws, false, data, size);
}

static bool is_over(const struct running *run)
{
	int first = run->session->interactive ? CHANNEL_STDIN : CHANNEL_STDOUT;
	int last = run->session->interactive ? CHANNEL_STDIN : CHANNEL_STDERR;

	for (int i = first; i <= last; i++) {
		if (!run->channels[i].ended && !ws_is_closed(run->channels[i].ws))
			return false;
	}
	return true;
}

/* What to wait for. Returns how many there are; TLS may hold bytes that no poll shows. */
static nfds_t fill_poll(struct running *run, struct pollfd *fds, bool *ret_pending)
{
	nfds_t n = 0;
	struct ws *in = run->channels[CHANNEL_STDIN].ws;

	*ret_pending = false;
	for (int i = 0; i < N_CHANNELS; i++) {
		struct ws *ws = run->channels[i].ws;
		bool open = ws && !ws_is_closed(ws);

		fds[n++] = (struct pollfd){ .fd = open ? ws_fd(ws) : -1,
			                    .events = open ? ws_events(ws) : (short)0 };
		*ret_pending |= open && ws_has_pending(ws);
	}
	fds[n++] = (struct pollfd){ .fd = run->signal_fd, .events = POLLIN };
	bool may_read = run->stdin_open && !ws_is_closed(in) && ws_queued(in) < QUEUE_MAX;
	fds[n++] =
		(struct pollfd){ .fd = may_read ? run->session->stdin_fd : -1, .events = POLLIN };
	return n;
}

static int loop(struct running *run, struct error **err)
{
	struct pollfd fds[N_CHANNELS + 2];

	while (!is_over(run) && !run->left) {
		bool pending;
		nfds_t n = fill_poll(run, fds, &pending);

		if (poll(fds, n, pending ? 0 : -1) < 0 && errno != EINTR)
			return error_set_errno(err, -errno, "Failed waiting for the instance");
		if (fds[N_CHANNELS].revents)
			take_signal(run);
		if (fds[N_CHANNELS + 1].revents)
			take_stdin(run);
		for (int i = 0; i < N_CHANNELS; i++) {
			struct ws *ws = run->channels[i].ws;

			if (ws && (fds[i].revents || ws_has_pending(ws)))
				ws_process(ws);
		}
	}
	return 0;
}

int session_run(const struct session *session, bool *ret_left, struct error **err)
{
	struct running run = { .session = session, .stdin_open = session->stdin_fd >= 0 };
	sigset_t mask, before;
	int r;

	sigemptyset(&mask);
	sigaddset(&mask, SIGWINCH);
	sigaddset(&mask, SIGINT);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGHUP);
	sigaddset(&mask, SIGQUIT);
	sigprocmask(SIG_BLOCK, &mask, &before);
	run.signal_fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	r = open_channels(&run, err);
	if (r == 0 && session->interactive && session->stdin_fd >= 0)
		terminal_make_raw(session->stdin_fd);
	if (r == 0 && !run.stdin_open)
		end_stdin(&run);
	if (r == 0)
		r = loop(&run, err);
	terminal_restore();
	for (int i = 0; i < N_CHANNELS; i++)
		ws_free(run.channels[i].ws);
	close(run.signal_fd);
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (ret_left)
		*ret_left = run.left;
	return r;
}
