#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/alloc.h"
#include "lib/base/loop.h"
#include "lib/base/thread.h"
#include "lib/net/socket.h"
#include "lib/net/stream_pump.h"
#include "tests/kit/net_server.h"

enum { SIZE = 20 * 1024 * 1024, TIMEOUT = 20 * 1000 };

static struct {
	struct mutex lock;
	struct cond changed;
	bool is_done;
	int status;
} shared = { .lock = MUTEX_INIT, .changed = COND_INIT };

static void on_done(int status, void *arg)
{
	mutex_lock(&shared.lock);
	shared.is_done = true;
	shared.status = status;
	cond_broadcast(&shared.changed);
	mutex_unlock(&shared.lock);
}

static int wait_for_done(void)
{
	mutex_lock(&shared.lock);
	while (!shared.is_done)
		assert_true(thread_cond_wait_until(&shared.changed, &shared.lock,
		                                   date_deadline(TIMEOUT)));
	shared.is_done = false;
	mutex_unlock(&shared.lock);
	return shared.status;
}

static void *send_all(void *arg)
{
	struct stream *s = arg;
	scoped_free char *data = xmalloc(SIZE);

	for (size_t i = 0; i < SIZE; i++)
		data[i] = (char)(i * 7 >> 2);
	assert_int_equal(stream_write_full(s, data, SIZE, TIMEOUT), 0);
	assert_int_equal(stream_shutdown(s), 0);
	return NULL;
}

static void receive_all(struct stream *s)
{
	scoped_free char *data = xmalloc(SIZE);
	char end;

	assert_int_equal(stream_read_full(s, data, SIZE, TIMEOUT), 0);
	for (size_t i = 0; i < SIZE; i++)
		if (data[i] != (char)(i * 7 >> 2))
			fail();
	assert_int_equal(stream_read_full(s, &end, 1, TIMEOUT), -ENODATA);
}

/* Streams 'a' and 'b' are connected through a pump: bytes and ends pass both ways. */
static void check_both_ways(struct stream *a, struct stream *b)
{
	pthread_t thread;

	assert_int_equal(thread_start(&thread, "send", 0, send_all, a), 0);
	receive_all(b);
	pthread_join(thread, NULL);

	/* One way has ended, the other is still open. */
	assert_int_equal(thread_start(&thread, "send", 0, send_all, b), 0);
	receive_all(a);
	pthread_join(thread, NULL);
}

static void pairs(struct stream *ret[4])
{
	int left[2], right[2];

	assert_int_equal(socket_pair(left), 0);
	assert_int_equal(socket_pair(right), 0);
	ret[0] = stream_new_fd_take(left[0]);
	ret[1] = stream_new_fd_take(left[1]);
	ret[2] = stream_new_fd_take(right[0]);
	ret[3] = stream_new_fd_take(right[1]);
}

static void bytes_and_ends_pass(void **state)
{
	scoped(loop_freep) struct loop *loop = loop_new("loop");
	struct stream *s[4];

	pairs(s);
	stream_pump_take(loop, s[1], s[2], on_done, NULL);
	check_both_ways(s[0], s[3]);
	assert_int_equal(wait_for_done(), 0);
	stream_free(s[0]);
	stream_free(s[3]);
}

static void surplus_comes_first(void **state)
{
	scoped(loop_freep) struct loop *loop = loop_new("loop");
	struct stream *s[4];
	char text[5];

	pairs(s);
	stream_unread(s[1], "lo", 2);
	stream_unread(s[1], "hel", 3);
	stream_pump_take(loop, s[1], s[2], on_done, NULL);
	assert_int_equal(stream_read_full(s[3], text, 5, TIMEOUT), 0);
	assert_memory_equal(text, "hello", 5);
	stream_free(s[0]);
	stream_free(s[3]);
	wait_for_done();
}

static void a_broken_side_ends_both(void **state)
{
	scoped(loop_freep) struct loop *loop = loop_new("loop");
	struct stream *s[4];
	char data[4096] = "";

	pairs(s);
	stream_pump_take(loop, s[1], s[2], on_done, NULL);
	stream_free(s[3]);
	ssize_t n = 0;
	while (n >= 0 || n == -EAGAIN) {
		n = stream_write(s[0], data, sizeof(data));
		if (n == -EAGAIN)
			assert_int_equal(stream_wait(s[0], POLLOUT, TIMEOUT), 0);
	}
	wait_for_done();
	stream_free(s[0]);
}

/* What a daemon does before its loop goes: nobody is left waiting, nothing is left open. */
static void all_of_a_loop_end(void **state)
{
	scoped(loop_freep) struct loop *loop = loop_new("loop");
	scoped(loop_freep) struct loop *other = loop_new("other");
	struct stream *s[4], *t[4];
	char data[1] = "x";

	pairs(s);
	pairs(t);
	stream_pump_take(loop, s[1], s[2], on_done, NULL);
	stream_pump_take(other, t[1], t[2], NULL, NULL);
	stream_pump_end_all(loop);
	assert_int_equal(wait_for_done(), -ECANCELED);
	assert_int_equal(stream_read_full(s[0], data, 1, TIMEOUT), -ENODATA);
	assert_int_equal(stream_read_full(s[3], data, 1, TIMEOUT), -ENODATA);

	assert_int_equal(stream_write_full(t[0], "y", 1, TIMEOUT), 0);
	assert_int_equal(stream_read_full(t[3], data, 1, TIMEOUT), 0);
	stream_pump_end_all(other);
	stream_pump_end_all(other);
	for (unsigned i = 0; i < 4; i += 3) {
		stream_free(s[i]);
		stream_free(t[i]);
	}
}

/* What dqlite gets: a plain descriptor for a TLS stream. */
static struct {
	int fd;
	struct loop *loop;
} upgraded;

static void on_upgraded(struct stream *s, void *arg)
{
	upgraded.fd = s ? stream_pump_to_fd(upgraded.loop, s) : -1;
	on_done(0, NULL);
}

static void handler(struct http_exchange *x, void *arg)
{
	http_exchange_upgrade(x, "dqlite", on_upgraded, NULL);
}

static void tls_becomes_a_descriptor(void **state)
{
	struct net_server server;
	scoped(error_freep) struct error *err = NULL;
	struct stream *client = NULL;

	net_server_start(&server, &(struct http_server_config){ .handler = handler });
	upgraded.loop = server.loop;
	struct http_client *http = net_server_client(&server);
	const struct http_request req = { .method = "POST", .path = "/internal/database" };
	assert_int_equal(http_client_upgrade(http, &req, "dqlite", &client, &err), 0);
	wait_for_done();
	assert_true(upgraded.fd >= 0);

	struct stream *far = stream_new_fd_take(upgraded.fd);
	check_both_ways(client, far);
	stream_free(far);
	stream_free(client);
	http_client_unref(http);
	net_server_stop(&server);
}

static void plain_streams_are_handed_out(void **state)
{
	int fds[2];

	assert_int_equal(socket_pair(fds), 0);
	assert_int_equal(stream_pump_to_fd(NULL, stream_new_fd_take(fds[0])), fds[0]);
	close(fds[0]);
	close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_and_ends_pass),
		cmocka_unit_test(surplus_comes_first),
		cmocka_unit_test(a_broken_side_ends_both),
		cmocka_unit_test(all_of_a_loop_end),
		cmocka_unit_test(tls_becomes_a_descriptor),
		cmocka_unit_test(plain_streams_are_handed_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
