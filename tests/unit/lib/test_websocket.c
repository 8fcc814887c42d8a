#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/alloc.h"
#include "lib/base/loop.h"
#include "lib/base/strbuf.h"
#include "lib/base/thread.h"
#include "lib/net/socket.h"
#include "lib/net/websocket.h"
#include "tests/kit/net_server.h"

enum { TIMEOUT = 20 * 1000, MIB = 1024 * 1024 };

/* What one end saw. */
struct end {
	struct mutex lock;
	struct cond changed;
	struct strbuf got;
	enum websocket_type type;
	unsigned n_messages, n_closes, n_drained, code;
	bool echoes;
};

static struct loop *loop;

static void end_init(struct end *end)
{
	*end = (struct end){ .lock = MUTEX_INIT, .changed = COND_INIT };
}

static void on_message(struct websocket *ws, enum websocket_type type, const void *data,
                       size_t size, void *arg)
{
	struct end *end = arg;

	if (end->echoes) {
		(void)websocket_send(ws, type, data, size);
		return;
	}
	mutex_lock(&end->lock);
	strbuf_truncate(&end->got, 0);
	strbuf_add_n(&end->got, data, size);
	end->type = type;
	end->n_messages++;
	cond_broadcast(&end->changed);
	mutex_unlock(&end->lock);
}

static void on_drained(struct websocket *ws, void *arg)
{
	struct end *end = arg;

	mutex_lock(&end->lock);
	end->n_drained++;
	cond_broadcast(&end->changed);
	mutex_unlock(&end->lock);
}

static void on_close(struct websocket *ws, unsigned code, void *arg)
{
	struct end *end = arg;

	mutex_lock(&end->lock);
	end->n_closes++;
	end->code = code;
	cond_broadcast(&end->changed);
	mutex_unlock(&end->lock);
}

static void wait_for(struct end *end, const unsigned *count, unsigned at_least)
{
	mutex_lock(&end->lock);
	while (*count < at_least)
		assert_true(
			thread_cond_wait_until(&end->changed, &end->lock, date_deadline(TIMEOUT)));
	mutex_unlock(&end->lock);
}

static struct websocket *open_end(struct stream *s, struct end *end, enum websocket_role role,
                                  size_t queue_max)
{
	const struct websocket_config config = {
		.role = role,
		.queue_max = queue_max,
		.message_max = 2 * MIB,
		.on_message = on_message,
		.on_drained = on_drained,
		.on_close = on_close,
		.arg = end,
	};

	return websocket_new_take(loop, s, &config);
}

static int start(void **state)
{
	loop = loop_new("loop");
	return 0;
}

static int stop(void **state)
{
	loop_free(loop);
	return 0;
}

static void keys_are_answered(void **state)
{
	/* RFC 6455, 1.3. */
	scoped_free char *accept = websocket_accept_key("dGhlIHNhbXBsZSBub25jZQ==");
	assert_string_equal(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
	assert_null(websocket_accept_key("short"));
	assert_null(websocket_accept_key(""));
	scoped_free char *key = websocket_new_key();
	scoped_free char *other = websocket_accept_key(key);
	assert_non_null(other);
}

static void messages_are_echoed(void **state)
{
	int fds[2];
	struct end near, far;
	static const size_t sizes[] = { 0, 1, 125, 126, 65535, 65536, MIB };
	scoped_free char *data = xmalloc(MIB);

	for (size_t i = 0; i < MIB; i++)
		data[i] = (char)(i * 13 >> 3);
	end_init(&near);
	end_init(&far);
	far.echoes = true;
	assert_int_equal(socket_pair(fds), 0);
	struct websocket *a = open_end(stream_new_fd_take(fds[0]), &near, WEBSOCKET_CLIENT, 0);
	struct websocket *b = open_end(stream_new_fd_take(fds[1]), &far, WEBSOCKET_SERVER, 0);

	for (unsigned i = 0; i < COUNT_OF(sizes); i++) {
		assert_int_equal(websocket_send(a, WEBSOCKET_BINARY, data, sizes[i]), 0);
		wait_for(&near, &near.n_messages, i + 1);
		assert_int_equal(near.got.size, sizes[i]);
		assert_int_equal(near.type, WEBSOCKET_BINARY);
		if (sizes[i] > 0)
			assert_memory_equal(near.got.text, data, sizes[i]);
	}
	assert_int_equal(websocket_send(a, WEBSOCKET_TEXT, "gr\xc3\xbc\xc3\x9f", 6), 0);
	wait_for(&near, &near.n_messages, COUNT_OF(sizes) + 1);
	assert_int_equal(near.type, WEBSOCKET_TEXT);
	assert_int_equal(websocket_send(a, WEBSOCKET_TEXT, "\xff", 1), -EINVAL);

	/* What was sent before the close still arrives. */
	far.echoes = false;
	assert_int_equal(websocket_send(a, WEBSOCKET_BINARY, data, MIB), 0);
	assert_int_equal(websocket_send(a, WEBSOCKET_TEXT, "last", 4), 0);
	websocket_close(a, 1000, "bye");
	assert_int_equal(websocket_send(a, WEBSOCKET_TEXT, "no", 2), -EPIPE);
	wait_for(&near, &near.n_closes, 1);
	wait_for(&far, &far.n_closes, 1);
	assert_int_equal(near.code, 1000);
	assert_int_equal(far.code, 1000);
	assert_int_equal(far.n_messages, 2);
	assert_string_equal(far.got.text, "last");
	strbuf_done(&far.got);
	assert_true(websocket_is_closed(a));
	assert_int_equal(websocket_send(b, WEBSOCKET_TEXT, "no", 2), -EPIPE);
	websocket_unref(a);
	websocket_unref(b);
	strbuf_done(&near.got);
}

static void a_broken_connection_is_1006(void **state)
{
	int fds[2];
	struct end end;

	end_init(&end);
	assert_int_equal(socket_pair(fds), 0);
	struct websocket *ws = open_end(stream_new_fd_take(fds[0]), &end, WEBSOCKET_SERVER, 0);
	close(fds[1]);
	wait_for(&end, &end.n_closes, 1);
	assert_int_equal(end.code, 1006);
	assert_int_equal(end.n_closes, 1);
	websocket_unref(ws);
}

static void who_does_not_read_is_cut(void **state)
{
	int fds[2];
	struct end end;
	scoped_free char *data = xcalloc(1, 65536);
	int r = 0;

	end_init(&end);
	assert_int_equal(socket_pair(fds), 0);
	struct websocket *ws =
		open_end(stream_new_fd_take(fds[0]), &end, WEBSOCKET_SERVER, 512 * 1024);
	for (unsigned i = 0; i < 100 && r == 0; i++)
		r = websocket_send(ws, WEBSOCKET_BINARY, data, 65536);
	assert_int_equal(r, -ENOBUFS);
	wait_for(&end, &end.n_closes, 1);
	assert_int_equal(end.code, 1006);
	assert_int_equal(websocket_send(ws, WEBSOCKET_BINARY, data, 1), -EPIPE);
	websocket_unref(ws);
	close(fds[1]);
}

static void paused_ones_hold_the_sender_back(void **state)
{
	int fds[2];
	struct end near, far;
	scoped_free char *data = xcalloc(1, 65536);

	end_init(&near);
	end_init(&far);
	assert_int_equal(socket_pair(fds), 0);
	struct websocket *a = open_end(stream_new_fd_take(fds[0]), &near, WEBSOCKET_CLIENT, 0);
	struct websocket *b = open_end(stream_new_fd_take(fds[1]), &far, WEBSOCKET_SERVER, 0);
	websocket_pause(b);
	for (unsigned i = 0; i < 32; i++)
		assert_int_equal(websocket_send(a, WEBSOCKET_BINARY, data, 65536), 0);
	assert_true(websocket_queued(a) > 0);
	websocket_resume(b);
	wait_for(&far, &far.n_messages, 32);
	wait_for(&near, &near.n_drained, 1);
	websocket_abort(a);
	wait_for(&near, &near.n_closes, 1);
	wait_for(&far, &far.n_closes, 1);
	websocket_unref(a);
	websocket_unref(b);
	strbuf_done(&far.got);
}

/* Frames as bytes, and the close code that the server answers each with (0: none). */
static void odd_frames_end_it(void **state)
{
	/* clang-format off */
	static const struct { const char *bytes; size_t size; unsigned code; } cases[] = {
#define CASE(code, bytes) { bytes, sizeof(bytes) - 1, code }
		CASE(1002, "\x81\x01x"),                                /* Not masked. */
		CASE(1002, "\xc1\x81\0\0\0\0x"),                        /* Reserved bit. */
		CASE(1002, "\x83\x81\0\0\0\0x"),                        /* Unknown opcode. */
		CASE(0,    "\x09\x80\0\0\0\0"),                         /* A ping in parts. */
		CASE(0,    "\x89\xfe\x00\x80\0\0\0\0"),                 /* A long ping. */
		CASE(0,    "\x82\xfe\0\x01\0\0\0\0x"),                  /* A length longer than it need be. */
		CASE(1002, "\x80\x81\0\0\0\0x"),                        /* Continues nothing. */
		CASE(1007, "\x81\x81\0\0\0\0\xff"),                     /* Not UTF-8. */
		CASE(1009, "\x82\xff\0\0\0\0\0\x30\0\0\0\0\0\0x"),      /* 3 MiB are announced. */
#undef CASE
	};
	/* clang-format on */

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		int fds[2];
		struct end end;
		uint8_t answer[4];

		end_init(&end);
		assert_int_equal(socket_pair(fds), 0);
		struct websocket *ws =
			open_end(stream_new_fd_take(fds[0]), &end, WEBSOCKET_SERVER, 0);
		struct stream *s = stream_new_fd_take(fds[1]);
		assert_int_equal(stream_write_full(s, cases[i].bytes, cases[i].size, TIMEOUT), 0);
		size_t size = cases[i].code ? 4 : 2;
		assert_int_equal(stream_read_full(s, answer, size, TIMEOUT), 0);
		assert_int_equal(answer[0], 0x88);
		assert_int_equal(answer[1], size - 2);
		if (cases[i].code)
			assert_int_equal(answer[2] << 8 | answer[3], cases[i].code);
		wait_for(&end, &end.n_closes, 1);
		assert_int_equal(end.n_messages, 0);
		stream_free(s);
		websocket_unref(ws);
	}
}

static void pings_are_sent_and_answered(void **state)
{
	int fds[2];
	struct end end;
	uint8_t bytes[64];

	end_init(&end);
	assert_int_equal(socket_pair(fds), 0);
	struct stream *s = stream_new_fd_take(fds[1]);
	const struct websocket_config config = { .role = WEBSOCKET_SERVER,
		                                 .ping_ms = 30,
		                                 .max_unanswered = 3,
		                                 .on_close = on_close,
		                                 .arg = &end };
	struct websocket *ws = websocket_new_take(loop, stream_new_fd_take(fds[0]), &config);

	assert_int_equal(stream_write_full(s, "\x89\x82\0\0\0\0hi", 8, TIMEOUT), 0);
	assert_int_equal(stream_read_full(s, bytes, 4, TIMEOUT), 0);
	assert_memory_equal(bytes, "\x8a\x02hi", 4);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(stream_read_full(s, bytes, 2, TIMEOUT), 0);
		assert_memory_equal(bytes, "\x89\x00", 2);
	}
	wait_for(&end, &end.n_closes, 1); /* None was answered. */
	assert_int_equal(end.code, 1006);
	stream_free(s);
	websocket_unref(ws);
}

/* Over TLS and through both handshakes. */
static struct end server_end;

static void on_upgraded(struct stream *s, void *arg)
{
	if (s)
		websocket_unref(open_end(s, &server_end, WEBSOCKET_SERVER, 0));
}

static void handler(struct http_exchange *x, void *arg)
{
	scoped(error_freep) struct error *err = NULL;

	if (http_exchange_upgrade_websocket(x, on_upgraded, NULL, &err) < 0)
		http_exchange_reply(x, err->status, err->msg, strlen(err->msg));
}

static void handshakes_are_checked(void **state)
{
	struct net_server server;
	struct end near;
	struct stream *s = NULL;
	scoped(error_freep) struct error *err = NULL;
	scoped_free char *data = xmalloc(MIB);

	memset(data, 'x', MIB);
	net_server_start(&server, &(struct http_server_config){ .handler = handler });
	struct http_client *http = net_server_client(&server);
	end_init(&near);
	end_init(&server_end);
	server_end.echoes = true;
	const struct http_request req = { .path = "/" };
	assert_int_equal(http_client_upgrade(http, &req, "websocket", &s, &err), 0);
	struct websocket *ws = open_end(s, &near, WEBSOCKET_CLIENT, 0);
	assert_int_equal(websocket_send(ws, WEBSOCKET_BINARY, data, MIB), 0);
	wait_for(&near, &near.n_messages, 1);
	assert_int_equal(near.got.size, MIB);
	websocket_close(ws, 1000, NULL);
	wait_for(&near, &near.n_closes, 1);
	wait_for(&server_end, &server_end.n_closes, 1);
	websocket_unref(ws);

	/* clang-format off */
	static const struct { int status; const char *headers[8]; } bad[] = {
		{ 400, { "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13" } },
		{ 400, { "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 8",
		         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==" } },
		{ 400, { "Connection: close", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
		         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==" } },
	};
	/* clang-format on */
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		const struct http_request odd = { .path = "/", .headers = bad[i].headers };
		struct http_response res;
		assert_int_equal(http_client_do(http, &odd, &res, &err), 0);
		assert_int_equal(res.status, bad[i].status);
		http_response_done(&res);
	}
	http_client_unref(http);
	net_server_stop(&server);
	strbuf_done(&near.got);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_are_answered),
		cmocka_unit_test(messages_are_echoed),
		cmocka_unit_test(a_broken_connection_is_1006),
		cmocka_unit_test(who_does_not_read_is_cut),
		cmocka_unit_test(paused_ones_hold_the_sender_back),
		cmocka_unit_test(odd_frames_end_it),
		cmocka_unit_test(pings_are_sent_and_answered),
		cmocka_unit_test(handshakes_are_checked),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
