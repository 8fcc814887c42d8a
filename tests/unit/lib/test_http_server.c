#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/alloc.h"
#include "lib/base/fd.h"
#include "lib/base/loop.h"
#include "lib/base/thread.h"
#include "lib/base/worker.h"
#include "lib/net/digest.h"
#include "lib/net/socket.h"
#include "lib/net/tls.h"
#include "tests/kit/net_server.h"

#define BIG (100u * 1024 * 1024)

/* What handlers and tests tell each other. */
static struct {
	struct mutex lock;
	struct cond changed;
	struct http_exchange *deferred;
	bool is_gone, may_go_on, is_blocked;
	atomic_uint n_handled;
} shared = { .lock = MUTEX_INIT, .changed = COND_INIT };

static void wait_for(const bool *flag)
{
	int64_t deadline = date_deadline(20 * 1000);

	mutex_lock(&shared.lock);
	while (!*flag)
		assert_true(thread_cond_wait_until(&shared.changed, &shared.lock, deadline));
	mutex_unlock(&shared.lock);
}

static void set(bool *flag)
{
	mutex_lock(&shared.lock);
	*flag = true;
	cond_broadcast(&shared.changed);
	mutex_unlock(&shared.lock);
}

static void on_gone(void *arg)
{
	set(&shared.is_gone);
}

static ssize_t pull_big(void *data, size_t size, void *arg)
{
	uint64_t *at = arg;

	if (size > BIG - *at)
		size = (size_t)(BIG - *at);
	for (size_t i = 0; i < size; i++)
		((char *)data)[i] = (char)((*at + i) * 7 >> 3);
	*at += size;
	return (ssize_t)size;
}

static void on_upgraded(struct stream *s, void *arg)
{
	/* Echoes from a socketpair's view: the pump needs another stream, so it is done by hand. */
	char data[4096];
	int64_t deadline = date_deadline(5000);

	while (s && date_left(deadline) > 0) {
		ssize_t n = stream_read(s, data, sizeof(data));
		if (n == -EAGAIN && stream_wait(s, POLLIN, 5000) == 0)
			continue;
		if (n <= 0)
			break;
		assert_int_equal(stream_write_full(s, data, (size_t)n, 5000), 0);
	}
	stream_free(s);
}

static void reply_text(struct http_exchange *x, char *text)
{
	http_exchange_reply_take(x, 200, text, strlen(text));
}

static void reply_sum(struct http_exchange *x)
{
	uint8_t sum[DIGEST_SHA256_SIZE];
	char hex[DIGEST_SHA256_HEX_SIZE];
	size_t size;
	const char *body = http_exchange_body(x, &size);

	if (http_exchange_body_fd(x) >= 0)
		digest_sha256_fd(http_exchange_body_fd(x), sum);
	else
		digest_sha256(body, size, sum);
	digest_hex(sum, sizeof(sum), hex);
	reply_text(x, xasprintf("%s %llu %s", hex, (unsigned long long)http_exchange_body_size(x),
	                        http_exchange_body_fd(x) >= 0 ? "file" : "memory"));
}

static void handler(struct http_exchange *x, void *arg)
{
	const char *path = http_exchange_path(x);
	const struct http_peer *peer = http_exchange_peer(x);
	int pipe_fds[2];

	atomic_fetch_add(&shared.n_handled, 1);
	if (strcmp(path, "/peer") == 0) {
		reply_text(x, xasprintf("%s uid=%u fp=%s tls=%d", peer->address,
		                        (unsigned)peer->uid, peer->fingerprint, peer->is_tls));
	} else if (strcmp(path, "/defer") == 0) {
		mutex_lock(&shared.lock);
		shared.deferred = x;
		mutex_unlock(&shared.lock);
		http_exchange_defer(x);
		http_exchange_on_gone(x, on_gone, NULL);
		set(&shared.is_blocked);
	} else if (strcmp(path, "/block") == 0) {
		set(&shared.is_blocked);
		wait_for(&shared.may_go_on);
		reply_text(x, xstrdup("late"));
	} else if (strcmp(path, "/silent") == 0) {
		return;
	} else if (strcmp(path, "/sum") == 0) {
		reply_sum(x);
	} else if (strcmp(path, "/big") == 0) {
		bool is_known = http_exchange_query_value(x, "known");
		http_exchange_reply_pull(
			x, 200, is_known ? BIG : UINT64_MAX,
			&(struct http_pull){ pull_big, free, xcalloc(1, sizeof(uint64_t)) });
	} else if (strcmp(path, "/file") == 0) {
		int fd = fd_memfd("file");
		assert_int_equal(fd_write_full(fd, "0123456789", 10), 0);
		http_exchange_reply_fd_take(x, 206, fd, 2, 5);
	} else if (strcmp(path, "/pipe") == 0) {
		assert_int_equal(fd_pipe(pipe_fds), 0);
		http_exchange_reply_pipe_take(x, 200, pipe_fds[0]);
		assert_int_equal(fd_write_full(pipe_fds[1], "one", 3), 0);
		close(pipe_fds[1]);
	} else if (strcmp(path, "/echo") == 0) {
		http_exchange_upgrade(x, "echo", on_upgraded, NULL);
	} else {
		http_exchange_add_header(x, "X-Test", "yes");
		reply_text(x, xasprintf("%s %s", http_exchange_method(x), path));
	}
}

static char *error_body(int status, const char *message, size_t *ret_size)
{
	char *text = xasprintf("{\"error_code\": %d, \"error\": \"%s\"}", status, message);

	*ret_size = strlen(text);
	return text;
}

static void limit_body(const struct http_exchange *x, struct http_body_limit *limit, void *arg)
{
	if (strcmp(http_exchange_path(x), "/sum") == 0)
		limit->size_max = UINT64_C(1) << 40;
}

static const struct http_server_config usual = {
	.handler = handler,
	.error_body = error_body,
	.limit_body = limit_body,
	.body = { .size_max = 64 * 1024, .memory_max = 64 * 1024 },
};

static int start(void **state, const struct http_server_config *config)
{
	static struct net_server server;

	shared.deferred = NULL;
	shared.is_gone = shared.may_go_on = shared.is_blocked = false;
	net_server_start(&server, config);
	*state = &server;
	return 0;
}

static int start_usual(void **state)
{
	return start(state, &usual);
}

static int start_impatient(void **state)
{
	struct http_server_config config = usual;

	config.handshake_ms = config.head_ms = config.body_ms = config.send_ms = config.idle_ms =
		150;
	return start(state, &config);
}

static int start_small(void **state)
{
	struct http_server_config config = usual;

	config.max_connections = 4;
	return start(state, &config);
}

static int stop(void **state)
{
	net_server_stop(*state);
	return 0;
}

static struct stream *dial_plain(const struct net_server *server)
{
	return stream_new_fd_take(net_server_dial_plain(server));
}

static char *ask(const struct net_server *server, const char *request)
{
	scoped(stream_freep) struct stream *s = dial_plain(server);

	return net_server_talk(s, request, strlen(request), NULL);
}

static void assert_contains(const char *text, const char *part)
{
	if (!strstr(text, part))
		print_error("\"%s\" is not in \"%s\"\n", part, text);
	assert_non_null(strstr(text, part));
}

static void answers_say_who_asks(void **state)
{
	struct net_server *server = *state;
	static const char get[] = "GET /peer HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
	scoped_free char *tls = NULL, *bare = NULL, *local = NULL, *local_tls = NULL;
	scoped_free char *with_fp = xasprintf("fp=%s tls=1", server->client_fingerprint);
	scoped_free char *uid = xasprintf("@ uid=%u fp= tls=0", (unsigned)getuid());
	scoped_free char *uid_fp =
		xasprintf("@ uid=%u fp=%s tls=1", (unsigned)getuid(), server->client_fingerprint);

	struct stream *s = net_server_dial_tls(server, true);
	tls = net_server_talk(s, get, sizeof(get) - 1, NULL);
	stream_free(s);
	assert_contains(tls, with_fp);
	assert_contains(tls, "127.0.0.1:");

	s = net_server_dial_tls(server, false);
	bare = net_server_talk(s, get, sizeof(get) - 1, NULL);
	stream_free(s);
	assert_contains(bare, "fp= tls=1");

	s = stream_new_fd_take(net_server_dial_unix(server));
	local = net_server_talk(s, get, sizeof(get) - 1, NULL);
	stream_free(s);
	assert_contains(local, uid);

	s = net_server_dial_starttls(server);
	local_tls = net_server_talk(s, get, sizeof(get) - 1, NULL);
	stream_free(s);
	assert_contains(local_tls, uid_fp);
}

static void connections_are_kept_and_pipelined(void **state)
{
	static const char two[] = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n"
				  "POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"
				  "HEAD /c HTTP/1.1\r\nHost: h\r\n\r\n"
				  "GET /d HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
	scoped_free char *all = ask(*state, two);

	assert_contains(all, "GET /a");
	assert_contains(all, "POST /b");
	assert_null(strstr(all, "HEAD /c")); /* No body for HEAD, but its length. */
	assert_contains(all, "Content-Length: 7");
	assert_contains(all, "GET /d");
	assert_contains(all, "X-Test: yes");

	/* Over TLS too, where what waits in the session makes no descriptor readable. */
	struct stream *tls = net_server_dial_tls(*state, true);
	scoped_free char *secret = net_server_talk(tls, two, sizeof(two) - 1, NULL);
	stream_free(tls);
	assert_contains(secret, "POST /b");
	assert_contains(secret, "GET /d");

	/* A byte at a time it is the same. */
	scoped(stream_freep) struct stream *s = dial_plain(*state);
	for (size_t i = 0; i < sizeof(two) - 1; i++)
		assert_int_equal(stream_write_full(s, two + i, 1, 5000), 0);
	scoped_free char *slowly = net_server_talk(s, "", 0, NULL);
	assert_contains(slowly, "GET /d");
}

static void old_clients_are_served(void **state)
{
	scoped_free char *answer = ask(*state, "GET /a HTTP/1.0\r\n\r\n");
	scoped_free char *piped = ask(*state, "GET /pipe HTTP/1.0\r\n\r\n");
	scoped_free char *kept = ask(*state, "GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
	                                     "GET /b HTTP/1.0\r\n\r\n");

	assert_contains(answer, "GET /a");
	assert_contains(piped, "\r\n\r\none");
	assert_null(strstr(piped, "chunked"));
	assert_contains(kept, "GET /a");
	assert_contains(kept, "GET /b");
}

/* Everything but the head's own cases, which test_http_head has. */
static void hostile_requests_get_one_answer(void **state)
{
	/* clang-format off */
	static const struct { int status; const char *text; } cases[] = {
		{ 400, "GET / HTTP/1.1\r\n\r\n" },
		{ 400, "GET / HTTP/1.1\nHost: h\n\n" },
		{ 400, "\x16\x03\x01\x02garbage" },
		{ 400, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" },
		{ 400, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcd" },
		{ 400, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5;x\r\nhello\r\n0\r\n\r\n" },
		{ 400, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloX" },
		{ 404, "BREW / HTTP/1.1\r\nHost: h\r\n\r\nGET /a HTTP/1.1\r\nHost: h\r\n\r\n" },
		{ 405, "CONNECT / HTTP/1.1\r\nHost: h\r\n\r\n" },
		{ 505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" },
		{ 413, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 65537\r\n\r\nabc" },
		{ 413, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 999999999999999999\r\n\r\n" },
		{ 417, "POST / HTTP/1.1\r\nHost: h\r\nExpect: x\r\n\r\n" },
	};
	/* clang-format on */

	atomic_store(&shared.n_handled, 0);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		scoped_free char *answer = ask(*state, cases[i].text);
		scoped_free char *line = xasprintf("HTTP/1.1 %d ", cases[i].status);
		scoped_free char *body = xasprintf("{\"error_code\": %d", cases[i].status);
		assert_int_equal(strncmp(answer, line, strlen(line)), 0);
		assert_contains(answer, body);
		assert_contains(answer, "Connection: close");
		assert_null(strstr(answer + 1, "HTTP/1.1 "));
	}
	assert_int_equal(atomic_load(&shared.n_handled), 0);
}

static void heads_have_a_largest_size(void **state)
{
	scoped_free char *filler = xcalloc(1, 20001);
	memset(filler, 'a', 20000);
	scoped_free char *request = xasprintf("GET / HTTP/1.1\r\nHost: h\r\nX: %s\r\n\r\n", filler);
	scoped_free char *answer = ask(*state, request);
	assert_contains(answer, "HTTP/1.1 431 ");

	filler[15000] = '\0';
	scoped_free char *fits = xasprintf(
		"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nX: %s\r\n\r\n", filler);
	scoped_free char *fine = ask(*state, fits);
	assert_contains(fine, "HTTP/1.1 200 ");
}

/* The body is cut off, or too slow: no handler ever sees it. */
static void cut_bodies_change_nothing(void **state)
{
	struct net_server *server = *state;
	static const char part[] = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc";
	struct http_server_counts counts;

	atomic_store(&shared.n_handled, 0);
	struct stream *s = dial_plain(server);
	assert_int_equal(stream_write_full(s, part, sizeof(part) - 1, 5000), 0);
	assert_int_equal(stream_shutdown(s), 0);
	scoped_free char *nothing = net_server_talk(s, "", 0, NULL);
	assert_string_equal(nothing, "");
	stream_free(s);
	http_server_counts(server->server, &counts);
	assert_int_equal(counts.connections, 0);
	assert_int_equal(counts.active, 0);
	assert_int_equal(atomic_load(&shared.n_handled), 0);
}

static void dawdlers_are_told_and_closed(void **state)
{
	struct net_server *server = *state;
	static const char *const parts[] = {
		"GET / HTTP/1.1\r\nHo",
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc",
		"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
	};

	for (size_t i = 0; i < COUNT_OF(parts); i++) {
		scoped_free char *answer = ask(server, parts[i]);
		assert_contains(answer, "HTTP/1.1 408 ");
	}

	/* Silent from the start, in a handshake, after "STARTT", between requests: just closed. */
	scoped_free char *silent = ask(server, "");
	assert_string_equal(silent, "");

	int fd = net_server_dial_unix(server);
	assert_int_equal(send(fd, "STARTT", 6, MSG_NOSIGNAL), 6);
	struct stream *s = stream_new_fd_take(fd);
	scoped_free char *half = net_server_talk(s, "", 0, NULL);
	assert_string_equal(half, "");
	stream_free(s);

	struct netaddr addr = { 0 };
	assert_int_equal(netaddr_parse("127.0.0.1", server->tls_port, &addr), 0);
	s = stream_new_fd_take(socket_connect_tcp(&addr, 5000));
	scoped_free char *hello = net_server_talk(s, "\x16\x03\x01", 3, NULL);
	assert_string_equal(hello, "");
	stream_free(s);

	scoped_free char *idle = ask(server, "GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
	assert_contains(idle, "GET /a");
}

static void those_who_do_not_read_are_closed(void **state)
{
	struct net_server *server = *state;
	int fd = net_server_dial_plain(server);
	static const char get[] = "GET /big HTTP/1.1\r\nHost: h\r\n\r\n";
	struct http_server_counts counts;

	assert_int_equal(send(fd, get, sizeof(get) - 1, MSG_NOSIGNAL), sizeof(get) - 1);
	assert_int_equal(socket_wait(fd, POLLRDHUP, 10000), 0);
	do
		http_server_counts(server->server, &counts);
	while (counts.connections > 0);
	assert_true(counts.timed_out > 0);
	close(fd);
}

static void check_upload(struct http_client *client, bool is_sized)
{
	scoped_fd int fd = fd_memfd("upload");
	scoped_free char *chunk = xmalloc(1 << 20);
	scoped(error_freep) struct error *err = NULL;
	struct http_response res;

	for (size_t i = 0; i < 1 << 20; i++)
		chunk[i] = (char)(i * 31 >> 4);
	for (size_t i = 0; i < BIG >> 20; i++)
		assert_int_equal(fd_write_full(fd, chunk, 1 << 20), 0);
	lseek(fd, 0, SEEK_SET);
	uint8_t sum[DIGEST_SHA256_SIZE];
	char hex[DIGEST_SHA256_HEX_SIZE];
	assert_int_equal(digest_sha256_fd(fd, sum), 0);
	digest_hex(sum, sizeof(sum), hex);
	lseek(fd, 0, SEEK_SET);

	const struct http_request req = { .method = "POST",
		                          .path = "/sum",
		                          .body_fd = fd,
		                          .has_body_fd = true,
		                          .body_size = is_sized ? BIG : UINT64_MAX };
	assert_int_equal(http_client_do(client, &req, &res, &err), 0);
	scoped_free char *want = xasprintf("%s %u file", hex, BIG);
	assert_string_equal(res.body, want);
	http_response_done(&res);
}

static void check_download(struct http_client *client, const char *path)
{
	scoped_fd int fd = fd_memfd("download");
	scoped_free char *chunk = xmalloc(1 << 20);
	scoped(error_freep) struct error *err = NULL;
	struct http_response res;
	uint64_t at = 0;

	const struct http_request req = { .path = path,
		                          .response_fd = fd,
		                          .has_response_fd = true };
	assert_int_equal(http_client_do(client, &req, &res, &err), 0);
	assert_int_equal(res.status, 200);
	assert_int_equal(res.fd_size, BIG);
	http_response_done(&res);

	lseek(fd, 0, SEEK_SET);
	for (size_t i = 0; i < BIG >> 20; i++) {
		scoped_free char *want = xmalloc(1 << 20);
		assert_int_equal(fd_read_full(fd, chunk, 1 << 20), 1 << 20);
		pull_big(want, 1 << 20, &at);
		assert_memory_equal(chunk, want, 1 << 20);
	}
}

static void bodies_of_any_size_arrive(void **state)
{
	scoped(http_client_unrefp) struct http_client *tls = net_server_client(*state);
	scoped(http_client_unrefp) struct http_client *local = net_server_unix_client(*state);

	check_upload(tls, true);
	check_upload(local, false);
	check_download(tls, "/big");
	check_download(local, "/big?known=1");
}

static void files_and_pipes_are_answers(void **state)
{
	scoped_free char *file =
		ask(*state, "GET /file HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
	scoped_free char *piped =
		ask(*state, "GET /pipe HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
	scoped_free char *head =
		ask(*state, "HEAD /file HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");

	assert_contains(file, "HTTP/1.1 206 ");
	assert_contains(file, "\r\n\r\n23456");
	assert_contains(piped, "3\r\none\r\n0\r\n\r\n");
	assert_contains(head, "Content-Length: 5");
	assert_null(strstr(head, "23456"));
}

static void expectations_are_met(void **state)
{
	scoped(stream_freep) struct stream *s = dial_plain(*state);
	static const char head[] = "POST /sum HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n"
				   "Expect: 100-continue\r\nConnection: close\r\n\r\n";
	scoped_free char *go_on = net_server_talk(s, head, sizeof(head) - 1, "\r\n\r\n");
	assert_string_equal(go_on, "HTTP/1.1 100 Continue\r\n\r\n");
	scoped_free char *answer = net_server_talk(s, "abc", 3, NULL);
	assert_contains(answer,
	                "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad 3");
}

static void answers_may_come_later(void **state)
{
	struct net_server *server = *state;
	static const char get[] = "GET /defer HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
	scoped(stream_freep) struct stream *s = dial_plain(server);

	assert_int_equal(stream_write_full(s, get, sizeof(get) - 1, 5000), 0);
	wait_for(&shared.is_blocked);
	assert_false(http_exchange_is_gone(shared.deferred));
	http_exchange_forget_gone(shared.deferred);
	http_exchange_reply(shared.deferred, 200, "later", 5);
	scoped_free char *answer = net_server_talk(s, "", 0, NULL);
	assert_contains(answer, "\r\n\r\nlater");
}

static void leaving_is_noticed(void **state)
{
	struct net_server *server = *state;
	static const char get[] = "GET /defer HTTP/1.1\r\nHost: h\r\n\r\n";
	struct http_server_counts counts;

	for (unsigned i = 0; i < 3; i++) {
		shared.is_blocked = shared.is_gone = false;
		struct stream *s = i == 0   ? dial_plain(server)
		                   : i == 1 ? net_server_dial_tls(server, true)
		                            : stream_new_fd_take(net_server_dial_unix(server));
		assert_int_equal(stream_write_full(s, get, sizeof(get) - 1, 5000), 0);
		wait_for(&shared.is_blocked);
		stream_free(s);
		wait_for(&shared.is_gone);
		assert_true(http_exchange_is_gone(shared.deferred));
		http_exchange_reply(shared.deferred, 200, "nobody", 6);
	}
	do
		http_server_counts(server->server, &counts);
	while (counts.connections > 0);
	assert_int_equal(counts.active, 0);
}

static void forgotten_answers_are_500(void **state)
{
	scoped_free char *answer =
		ask(*state, "GET /silent HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");

	assert_contains(answer, "HTTP/1.1 500 ");
}

static void full_pools_answer_503(void **state)
{
	struct net_server *server = *state;
	static const char get[] = "GET /block HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
	struct stream *s[24];
	unsigned n_busy = 0, n_late = 0;

	for (size_t i = 0; i < COUNT_OF(s); i++) {
		s[i] = dial_plain(server);
		assert_int_equal(stream_write_full(s[i], get, sizeof(get) - 1, 5000), 0);
	}
	/* 4 threads, which may not have woken up yet, and a queue of 16: 4 or more are turned away.
	 */
	struct http_server_counts counts;
	do
		http_server_counts(server->server, &counts);
	while (counts.requests < COUNT_OF(s));
	set(&shared.may_go_on);
	for (size_t i = 0; i < COUNT_OF(s); i++) {
		scoped_free char *answer = net_server_talk(s[i], "", 0, NULL);
		n_busy += strstr(answer, "HTTP/1.1 503 ") != NULL;
		n_late += strstr(answer, "\r\n\r\nlate") != NULL;
		stream_free(s[i]);
	}
	assert_in_range(n_busy, 4, 8);
	assert_int_equal(n_late, COUNT_OF(s) - n_busy);
}

static void upgrades_hand_over_all_bytes(void **state)
{
	struct net_server *server = *state;
	/* What follows the head in the same packet belongs to the stream. */
	static const char get[] = "GET /echo HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\n"
				  "Upgrade: echo\r\n\r\nsurplus";

	for (unsigned i = 0; i < 2; i++) {
		struct stream *s = i == 0 ? dial_plain(server) : net_server_dial_tls(server, true);
		scoped_free char *answer = net_server_talk(s, get, sizeof(get) - 1, "surplus");
		assert_contains(answer, "HTTP/1.1 101 ");
		assert_contains(answer, "Upgrade: echo");
		scoped_free char *echo = net_server_talk(s, "more", 4, "more");
		assert_string_equal(echo, "more");

		/* Half-close: what was said before it still comes back, then the end. */
		assert_int_equal(stream_write_full(s, "last", 4, 5000), 0);
		assert_int_equal(stream_shutdown(s), 0);
		scoped_free char *rest = net_server_talk(s, "", 0, NULL);
		assert_string_equal(rest, "last");
		stream_free(s);
	}
}

static void new_certificates_disturb_nobody(void **state)
{
	struct net_server *server = *state;
	static const char get[] = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";
	const struct x509_wish wish = { .common_name = "new" };
	scoped_free char *cert = NULL, *key = NULL;
	scoped(error_freep) struct error *err = NULL;
	scoped(tls_credentials_unrefp) struct tls_credentials *cred = NULL;
	scoped(x509_freep) struct x509 *shown = NULL;
	scoped_free char *address = xasprintf("127.0.0.1:%u", (unsigned)server->tls_port);

	scoped(stream_freep) struct stream *s = net_server_dial_tls(server, true);
	scoped_free char *before = net_server_talk(s, get, sizeof(get) - 1, "GET /a");
	assert_contains(before, "HTTP/1.1 200 ");
	assert_int_equal(x509_generate(&wish, &cert, &key, &err), 0);
	assert_int_equal(tls_credentials_new(cert, key, &cred, &err), 0);
	http_server_set_credentials(server->server, cred);
	scoped_free char *after = net_server_talk(s, get, sizeof(get) - 1, "GET /a");
	assert_contains(after, "HTTP/1.1 200 ");

	assert_int_equal(http_client_fetch_certificate(address, 5000, &shown, &err), 0);
	assert_string_equal(shown->common_name, "new");
}

static void the_longest_idle_makes_room(void **state)
{
	struct net_server *server = *state;
	static const char get[] = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";
	struct stream *s[5];

	for (size_t i = 0; i < COUNT_OF(s); i++) {
		s[i] = dial_plain(server);
		scoped_free char *answer = net_server_talk(s[i], get, sizeof(get) - 1, "GET /a");
		assert_contains(answer, "HTTP/1.1 200 ");
	}
	scoped_free char *first = net_server_talk(s[0], "", 0, NULL);
	assert_string_equal(first, "");
	scoped_free char *second = net_server_talk(s[1], get, sizeof(get) - 1, "GET /a");
	assert_contains(second, "HTTP/1.1 200 ");
	for (size_t i = 0; i < COUNT_OF(s); i++)
		stream_free(s[i]);
}

static void stopping_waits_for_answers(void **state)
{
	struct net_server *server = *state;
	static const char get[] = "GET /defer HTTP/1.1\r\nHost: h\r\n\r\n";
	scoped(stream_freep) struct stream *s = dial_plain(server);
	scoped(stream_freep) struct stream *idle = dial_plain(server);

	assert_int_equal(stream_write_full(s, get, sizeof(get) - 1, 5000), 0);
	wait_for(&shared.is_blocked);
	http_exchange_forget_gone(shared.deferred);
	http_exchange_reply(shared.deferred, 200, "last", 4);
	http_server_stop(server->server, 10000);
	scoped_free char *answer = net_server_talk(s, "", 0, NULL);
	assert_contains(answer, "last");
	scoped_free char *nothing = net_server_talk(idle, "", 0, NULL);
	assert_string_equal(nothing, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(answers_say_who_asks, start_usual, stop),
		cmocka_unit_test_setup_teardown(connections_are_kept_and_pipelined, start_usual,
		                                stop),
		cmocka_unit_test_setup_teardown(old_clients_are_served, start_usual, stop),
		cmocka_unit_test_setup_teardown(hostile_requests_get_one_answer, start_usual, stop),
		cmocka_unit_test_setup_teardown(heads_have_a_largest_size, start_usual, stop),
		cmocka_unit_test_setup_teardown(cut_bodies_change_nothing, start_usual, stop),
		cmocka_unit_test_setup_teardown(dawdlers_are_told_and_closed, start_impatient,
		                                stop),
		cmocka_unit_test_setup_teardown(those_who_do_not_read_are_closed, start_impatient,
		                                stop),
		cmocka_unit_test_setup_teardown(bodies_of_any_size_arrive, start_usual, stop),
		cmocka_unit_test_setup_teardown(files_and_pipes_are_answers, start_usual, stop),
		cmocka_unit_test_setup_teardown(expectations_are_met, start_usual, stop),
		cmocka_unit_test_setup_teardown(answers_may_come_later, start_usual, stop),
		cmocka_unit_test_setup_teardown(leaving_is_noticed, start_usual, stop),
		cmocka_unit_test_setup_teardown(forgotten_answers_are_500, start_usual, stop),
		cmocka_unit_test_setup_teardown(full_pools_answer_503, start_usual, stop),
		cmocka_unit_test_setup_teardown(upgrades_hand_over_all_bytes, start_usual, stop),
		cmocka_unit_test_setup_teardown(new_certificates_disturb_nobody, start_usual, stop),
		cmocka_unit_test_setup_teardown(the_longest_idle_makes_room, start_small, stop),
		cmocka_unit_test_setup_teardown(stopping_waits_for_answers, start_usual, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
