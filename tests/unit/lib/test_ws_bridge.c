#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/alloc.h"
#include "lib/base/fd.h"
#include "lib/base/loop.h"
#include "lib/base/strbuf.h"
#include "lib/base/thread.h"
#include "lib/net/socket.h"
#include "lib/net/ws_bridge.h"

enum { TIMEOUT = 20 * 1000, SIZE = 4 * 1024 * 1024 };

/* The peer: a client's websocket, and what it and the bridge saw. */
static struct {
	struct mutex lock;
	struct cond changed;
	struct strbuf got;
	unsigned n_ends, n_closes, n_done, n_output_ends, code;
} seen;

static struct loop *loop;
static struct websocket *client;
static struct ws_bridge *bridge;

static void count(unsigned *counter)
{
	mutex_lock(&seen.lock);
	(*counter)++;
	cond_broadcast(&seen.changed);
	mutex_unlock(&seen.lock);
}

static void on_message(struct websocket *ws, enum websocket_type type, const void *data,
                       size_t size, void *arg)
{
	if (type == WEBSOCKET_TEXT) {
		assert_int_equal(size, 0);
		count(&seen.n_ends);
		return;
	}
	mutex_lock(&seen.lock);
	strbuf_add_n(&seen.got, data, size);
	cond_broadcast(&seen.changed);
	mutex_unlock(&seen.lock);
}

static void on_close(struct websocket *ws, unsigned code, void *arg)
{
	seen.code = code;
	count(&seen.n_closes);
}

static void on_output_end(struct ws_bridge *b, void *arg)
{
	count(&seen.n_output_ends);
}

static void on_done(struct ws_bridge *b, void *arg)
{
	count(&seen.n_done);
}

static void wait_for(const unsigned *counter)
{
	mutex_lock(&seen.lock);
	while (*counter == 0)
		assert_true(
			thread_cond_wait_until(&seen.changed, &seen.lock, date_deadline(TIMEOUT)));
	mutex_unlock(&seen.lock);
}

static void wait_for_bytes(size_t size)
{
	mutex_lock(&seen.lock);
	while (seen.got.size < size)
		assert_true(
			thread_cond_wait_until(&seen.changed, &seen.lock, date_deadline(TIMEOUT)));
	mutex_unlock(&seen.lock);
}

static void connect_bridge(int fd_write, int fd_read, bool is_pty, bool close_at_end)
{
	int fds[2];
	const struct websocket_config ws_config = { .role = WEBSOCKET_CLIENT,
		                                    .on_message = on_message,
		                                    .on_close = on_close };
	const struct ws_bridge_config config = {
		.role = WEBSOCKET_SERVER,
		.fd_write = fd_write,
		.fd_read = fd_read,
		.is_pty = is_pty,
		.close_at_end = close_at_end,
		.on_output_end = on_output_end,
		.on_done = on_done,
	};

	assert_int_equal(socket_pair(fds), 0);
	client = websocket_new_take(loop, stream_new_fd_take(fds[0]), &ws_config);
	bridge = ws_bridge_new_take(loop, stream_new_fd_take(fds[1]), &config);
}

static int start(void **state)
{
	memset(&seen, 0, sizeof(seen));
	mutex_init(&seen.lock);
	cond_init(&seen.changed);
	loop = loop_new("loop");
	return 0;
}

static int stop(void **state)
{
	websocket_unref(client);
	ws_bridge_unref(bridge);
	loop_free(loop);
	strbuf_done(&seen.got);
	return 0;
}

static void input_ends_with_an_empty_text(void **state)
{
	int fds[2];
	char text[16] = "";

	assert_int_equal(fd_pipe(fds), 0);
	connect_bridge(fds[1], -1, false, false);
	assert_int_equal(websocket_send(client, WEBSOCKET_BINARY, "hello ", 6), 0);
	assert_int_equal(websocket_send(client, WEBSOCKET_BINARY, "world", 5), 0);
	assert_int_equal(websocket_send(client, WEBSOCKET_TEXT, "", 0), 0);
	assert_int_equal(fd_read_full(fds[0], text, sizeof(text)), 11); /* Up to the end. */
	assert_string_equal(text, "hello world");
	close(fds[0]);

	websocket_close(client, 1000, NULL);
	wait_for(&seen.n_done);
	wait_for(&seen.n_closes);
}

static void slow_processes_hold_the_peer_back(void **state)
{
	int fds[2];
	scoped_free char *data = xmalloc(SIZE), *got = xmalloc(SIZE);

	for (size_t i = 0; i < SIZE; i++)
		data[i] = (char)(i * 11 >> 3);
	assert_int_equal(fd_pipe(fds), 0);
	connect_bridge(fds[1], -1, false, false);
	for (size_t i = 0; i < SIZE; i += 65536)
		assert_int_equal(websocket_send(client, WEBSOCKET_BINARY, data + i, 65536), 0);
	assert_int_equal(websocket_send(client, WEBSOCKET_TEXT, "", 0), 0);
	assert_true(websocket_queued(client) > 0);
	assert_int_equal(fd_read_full(fds[0], got, SIZE), SIZE);
	assert_memory_equal(got, data, SIZE);
	assert_int_equal(read(fds[0], got, 1), 0);
	close(fds[0]);
	websocket_close(client, 1000, NULL);
	wait_for(&seen.n_done);
}

static void output_ends_with_an_empty_text_and_a_close(void **state)
{
	int fds[2];
	scoped_free char *data = xmalloc(SIZE);

	for (size_t i = 0; i < SIZE; i++)
		data[i] = (char)(i * 11 >> 3);
	assert_int_equal(fd_pipe(fds), 0);
	connect_bridge(-1, fds[0], false, true);
	assert_int_equal(fd_write_full(fds[1], data, SIZE), 0);
	close(fds[1]);
	wait_for(&seen.n_closes);
	wait_for(&seen.n_done);
	assert_int_equal(seen.code, 1000);
	assert_int_equal(seen.n_ends, 1);
	assert_int_equal(seen.n_output_ends, 1);
	assert_int_equal(seen.got.size, SIZE);
	assert_memory_equal(seen.got.text, data, SIZE);
}

static void a_finished_process_may_leave_its_pipe_open(void **state)
{
	int fds[2];

	assert_int_equal(fd_pipe(fds), 0);
	connect_bridge(-1, fds[0], false, true);
	assert_int_equal(fd_write_full(fds[1], "all", 3), 0);
	ws_bridge_finish(bridge);
	wait_for(&seen.n_closes);
	wait_for(&seen.n_done);
	assert_int_equal(seen.n_ends, 1);
	assert_string_equal(strbuf_text(&seen.got), "all");
	close(fds[1]);
}

static void terminals_work_both_ways(void **state)
{
	int master, slave;
	char text[8] = "";
	struct termios raw;

	assert_int_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);
	tcgetattr(slave, &raw);
	cfmakeraw(&raw);
	tcsetattr(slave, TCSANOW, &raw);

	connect_bridge(fd_dup(master), master, true, true);
	assert_int_equal(websocket_send(client, WEBSOCKET_BINARY, "ls\n", 3), 0);
	assert_int_equal(fd_read_full(slave, text, 3), 3);
	assert_string_equal(text, "ls\n");
	/* The peer's end of input does not hang up the terminal. */
	assert_int_equal(websocket_send(client, WEBSOCKET_TEXT, "", 0), 0);
	assert_int_equal(fd_write_full(slave, "out", 3), 0);
	wait_for_bytes(3);
	close(slave); /* The last user: the master reads EIO. */
	wait_for(&seen.n_done);
	wait_for(&seen.n_closes);
	assert_int_equal(seen.code, 1000);
	assert_int_equal(seen.n_output_ends, 1);
}

static void a_peer_that_leaves_closes_all(void **state)
{
	int in[2], out[2];
	char byte;

	assert_int_equal(fd_pipe(in), 0);
	assert_int_equal(fd_pipe(out), 0);
	connect_bridge(in[1], out[0], false, true);
	websocket_abort(client);
	wait_for(&seen.n_done);
	assert_int_equal(read(in[0], &byte, 1), 0);
	assert_int_equal(fd_wait(out[1], POLLERR, date_deadline(TIMEOUT)), POLLERR);
	close(in[0]);
	close(out[1]);
	wait_for(&seen.n_closes);
}

static void a_process_that_does_not_read_is_no_failure(void **state)
{
	int in[2], out[2];

	assert_int_equal(fd_pipe(in), 0);
	assert_int_equal(fd_pipe(out), 0);
	close(in[0]);
	connect_bridge(in[1], out[0], false, true);
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(websocket_send(client, WEBSOCKET_BINARY, "x", 1), 0);
	assert_int_equal(fd_write_full(out[1], "fine", 4), 0);
	wait_for_bytes(4);
	ws_bridge_abort(bridge);
	wait_for(&seen.n_done);
	wait_for(&seen.n_closes);
	assert_int_equal(seen.code, 1006);
	close(out[1]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(input_ends_with_an_empty_text),
		TEST(slow_processes_hold_the_peer_back),
		TEST(output_ends_with_an_empty_text_and_a_close),
		TEST(a_finished_process_may_leave_its_pipe_open),
		TEST(terminals_work_both_ways),
		TEST(a_peer_that_leaves_closes_all),
		TEST(a_process_that_does_not_read_is_no_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
