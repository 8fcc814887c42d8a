#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/alloc.h"
#include "lib/base/cancel.h"
#include "lib/base/fd.h"
#include "lib/base/scoped.h"
#include "lib/base/thread.h"
#include "lib/data/jv.h"
#include "lib/net/http_client.h"
#include "lib/net/socket.h"
#include "tests/kit/net_server.h"

static struct {
	struct mutex lock;
	struct cond changed;
	struct http_exchange *deferred;
	bool is_deferred;
	atomic_uint n_connections;
} shared = { .lock = MUTEX_INIT, .changed = COND_INIT };

static void handler(struct http_exchange *x, void *arg)
{
	const char *path = http_exchange_path(x);
	size_t size;

	if (strcmp(path, "/defer") == 0) {
		http_exchange_defer(x);
		mutex_lock(&shared.lock);
		shared.deferred = x;
		shared.is_deferred = true;
		cond_broadcast(&shared.changed);
		mutex_unlock(&shared.lock);
	} else if (strcmp(path, "/missing") == 0) {
		static const char text[] =
			"{\"type\":\"error\",\"error\":\"Not here\",\"error_code\":404}";
		http_exchange_reply(x, 404, text, sizeof(text) - 1);
	} else if (strcmp(path, "/envelope") == 0) {
		static const char text[] = "{\"type\":\"sync\",\"metadata\":{\"a\":1}}";
		http_exchange_reply(x, 200, text, sizeof(text) - 1);
	} else if (strcmp(path, "/zeros") == 0) {
		scoped_free char *zeros = xcalloc(1, 100000);
		http_exchange_reply(x, 200, zeros, 100000);
	} else {
		const char *body = http_exchange_body(x, &size);
		const char *type = http_exchange_header(x, "Content-Type");
		http_exchange_add_header(x, "X-Port", http_exchange_peer(x)->address);
		char *text = xasprintf("%s %s [%s] %s", http_exchange_method(x), path, body,
		                       type ? type : "-");
		http_exchange_reply_take(x, 200, text, strlen(text));
	}
}

static struct net_server server;

static int start(void **state)
{
	shared.is_deferred = false;
	net_server_start(&server, &(struct http_server_config){ .handler = handler });
	return 0;
}

static int stop(void **state)
{
	net_server_stop(&server);
	return 0;
}

static void check_methods(struct http_client *client)
{
	/* clang-format off */
	static const struct { const char *method, *body, *want; } cases[] = {
		{ NULL,     NULL,  "GET /a%20b [] -" },
		{ "GET",    NULL,  "GET /a%20b [] -" },
		{ "POST",   "{}",  "POST /a%20b [{}] -" },
		{ "POST",   NULL,  "POST /a%20b [] -" },
		{ "PUT",    "{}",  "PUT /a%20b [{}] -" },
		{ "PATCH",  "{}",  "PATCH /a%20b [{}] -" },
		{ "DELETE", NULL,  "DELETE /a%20b [] -" },
		{ "DELETE", "{}",  "DELETE /a%20b [{}] -" },
		{ "HEAD",   NULL,  "" },
	};
	/* clang-format on */
	scoped_free char *first = NULL;

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		scoped(error_freep) struct error *err = NULL;
		struct http_response res;
		const struct http_request req = {
			.method = cases[i].method,
			.path = "/a%20b",
			.body = cases[i].body,
			.body_size = cases[i].body ? strlen(cases[i].body) : 0,
		};
		assert_int_equal(http_client_do(client, &req, &res, &err), 0);
		assert_int_equal(res.status, 200);
		assert_string_equal(res.body, cases[i].want);
		/* One connection serves them all. */
		const char *port = http_response_header(&res, "x-port");
		if (!first)
			first = xstrdup(port);
		assert_string_equal(port, first);
		http_response_done(&res);
	}
}

static void every_method_works_over_one_connection(void **state)
{
	scoped(http_client_unrefp) struct http_client *tls = net_server_client(&server);
	scoped(http_client_unrefp) struct http_client *local = net_server_unix_client(&server);

	check_methods(tls);
	check_methods(local);
}

static void other_certificates_are_refused_before_anything_is_sent(void **state)
{
	scoped_free char *address = xasprintf("127.0.0.1:%u", (unsigned)server.tls_port);
	scoped_free char *other = NULL, *key = NULL;
	struct http_response res;
	struct stream *s = NULL;
	struct http_server_counts counts;

	for (unsigned i = 0; i < 3; i++) {
		scoped(error_freep) struct error *err = NULL, *err2 = NULL;
		free(other);
		free(key);
		other = key = NULL;
		assert_int_equal(x509_generate(&(struct x509_wish){ .common_name = "x" }, &other,
		                               &key, &err),
		                 0);
		const struct http_client_config config = { .address = address,
			                                   .server_cert_pem = i == 0 ? other : NULL,
			                                   .trust_system = i == 1 };
		scoped(http_client_unrefp) struct http_client *client = http_client_new(&config);
		const struct http_request req = { .path = "/" };

		assert_true(http_client_do(client, &req, &res, &err) < 0);
		assert_int_equal(err->status, 403);
		assert_true(http_client_upgrade(client, &req, "x", &s, &err2) < 0);
		assert_int_equal(err2->status, 403);
	}
	http_server_counts(server.server, &counts);
	assert_int_equal(counts.requests, 0);
}

static void unreachable_is_503(void **state)
{
	scoped(error_freep) struct error *err = NULL, *err2 = NULL, *err3 = NULL;
	const struct http_client_config config = { .unix_path = "/nonexistent/socket" };
	scoped(http_client_unrefp) struct http_client *client = http_client_new(&config);
	const struct http_request req = { .path = "/" };
	struct http_response res;
	struct stream *s = NULL;

	assert_true(http_client_do(client, &req, &res, &err) < 0);
	assert_int_equal(err->status, 503);
	assert_true(http_client_upgrade(client, &req, "x", &s, &err2) < 0);
	assert_int_equal(err2->status, 503);
	struct x509 *cert;
	assert_true(http_client_fetch_certificate("127.0.0.1:1", 1000, &cert, &err3) < 0);
	assert_int_equal(err3->status, 503);
}

static void wait_for_deferred(void)
{
	mutex_lock(&shared.lock);
	while (!shared.is_deferred)
		assert_true(thread_cond_wait_until(&shared.changed, &shared.lock,
		                                   date_deadline(20 * 1000)));
	shared.is_deferred = false;
	mutex_unlock(&shared.lock);
}

static void *cancel_later(void *arg)
{
	wait_for_deferred();
	cancel_fire(arg);
	return NULL;
}

static void requests_end_in_time_or_when_cancelled(void **state)
{
	scoped(http_client_unrefp) struct http_client *client = net_server_client(&server);
	scoped(cancel_unrefp) struct cancel *cancel = cancel_new(NULL);
	scoped(error_freep) struct error *err = NULL, *err2 = NULL;
	struct http_response res;
	pthread_t thread;

	assert_int_equal(
		http_client_do(client,
	                       &(struct http_request){ .path = "/defer", .timeout_ms = 500 }, &res,
	                       &err),
		-ETIMEDOUT);
	assert_int_equal(err->status, 504);
	wait_for_deferred();
	http_exchange_reply(shared.deferred, 200, "", 0);

	assert_int_equal(thread_start(&thread, "cancel", 0, cancel_later, cancel), 0);
	assert_int_equal(
		http_client_do(client, &(struct http_request){ .path = "/defer", .cancel = cancel },
	                       &res, &err2),
		-ECANCELED);
	assert_int_equal(err2->status, 499);
	pthread_join(thread, NULL);
	http_exchange_reply(shared.deferred, 200, "", 0);
}

static void envelopes_become_errors(void **state)
{
	scoped(http_client_unrefp) struct http_client *client = net_server_unix_client(&server);
	scoped(error_freep) struct error *err = NULL, *err2 = NULL, *err3 = NULL;
	scoped(jv_unrefp) struct json_object *envelope = NULL;
	scoped(jv_unrefp) struct json_object *body = json_object_new_object();
	struct stream *s = NULL;

	assert_int_equal(http_client_query(client, "POST", "/envelope", body, 0, &envelope, &err),
	                 0);
	assert_non_null(envelope);
	assert_int_equal(http_client_query(client, "GET", "/missing", NULL, 0, NULL, &err),
	                 -ENOENT);
	assert_int_equal(err->status, 404);
	assert_string_equal(err->msg, "Not here");
	assert_true(http_client_upgrade(client, &(struct http_request){ .path = "/missing" }, "x",
	                                &s, &err2) < 0);
	assert_int_equal(err2->status, 404);
	assert_string_equal(err2->msg, "Not here");
	assert_true(http_client_query(client, "GET", "/zeros", NULL, 0, NULL, &err3) < 0);
}

static void answers_have_a_largest_size(void **state)
{
	scoped(http_client_unrefp) struct http_client *client = net_server_unix_client(&server);
	scoped(error_freep) struct error *err = NULL;
	const struct http_request req = { .path = "/zeros", .response_max = 1000 };
	struct http_response res;

	assert_true(http_client_do(client, &req, &res, &err) < 0);
	assert_non_null(strstr(err->msg, "too large"));
}

/* An idle connection that the server has closed is replaced without a word. */
static void restarts_are_survived(void **state)
{
	scoped(http_client_unrefp) struct http_client *client = net_server_unix_client(&server);
	scoped(error_freep) struct error *err = NULL;
	const struct http_request req = {
		.method = "POST", .path = "/a", .body = "x", .body_size = 1
	};
	struct http_response res;

	assert_int_equal(http_client_do(client, &req, &res, &err), 0);
	http_response_done(&res);
	http_server_stop(server.server, 1000);
	http_server_free(server.server);
	unlink(server.unix_path);

	const struct http_server_config config = { .loop = server.loop,
		                                   .worker = server.worker,
		                                   .handler = handler };
	server.server = http_server_new(&config);
	http_server_add_listener_take(server.server, HTTP_LISTENER_UNIX,
	                              socket_listen_unix(server.unix_path, 0600, (gid_t)-1));
	assert_int_equal(http_client_do(client, &req, &res, &err), 0);
	assert_int_equal(res.status, 200);
	http_response_done(&res);
}

/* A server that says the same, whatever it is asked. */
struct parrot {
	int listener;
	char path[64];
	const char *answer;
	unsigned n_asks; /* 0: 1. */
	unsigned n_accepted;
};

static void *parrot_run(void *arg)
{
	struct parrot *p = arg;

	for (;;) {
		char request[4096];
		scoped_fd int fd = accept(p->listener, NULL, NULL);
		if (fd < 0)
			return NULL;

		p->n_accepted++;
		if (strstr(p->answer, "deaf")) {
			struct pollfd gone = { .fd = fd };
			if (read(fd, request, 1) == 1 &&
			    fd_write_full(fd, p->answer, strlen(p->answer)) == 0)
				(void)poll(&gone, 1, -1);
			continue;
		}
		for (unsigned n = 0; read(fd, request, sizeof(request)) > 0; n++)
			if ((n > 0 && strstr(p->answer, "once")) ||
			    fd_write_full(fd, p->answer, strlen(p->answer)) < 0 ||
			    !strstr(p->answer, "alive"))
				break;
	}
}

static int ask(struct parrot *p, const struct http_request *req, struct http_response *res)
{
	scoped(error_freep) struct error *err = NULL;
	pthread_t thread;

	snprintf(p->path, sizeof(p->path), "/tmp/muster-parrot-%d", (int)getpid());
	p->listener = socket_listen_unix(p->path, 0600, (gid_t)-1);
	assert_true(p->listener >= 0);
	fd_set_nonblock(p->listener, false);
	assert_int_equal(thread_start(&thread, "parrot", 0, parrot_run, p), 0);

	const struct http_client_config config = { .unix_path = p->path };
	struct http_client *client = http_client_new(&config);
	int r = http_client_do(client, req, res, &err);
	for (unsigned i = 1; i < p->n_asks && r == 0; i++) {
		http_response_done(res);
		r = http_client_do(client, req, res, &err);
	}
	http_client_unref(client);

	shutdown(p->listener, SHUT_RDWR);
	pthread_join(thread, NULL);
	close(p->listener);
	unlink(p->path);
	return r < 0 ? -err->status : res->status;
}

static void answers_are_read_strictly(void **state)
{
	/* clang-format off */
	static const struct { const char *answer; int want; const char *body; } cases[] = {
		{ "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab", 200, "ab" },
		{ "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 X\r\nContent-Length: 0\r\n\r\n", 201, "" },
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n", 200, "abcde" },
		{ "HTTP/1.0 200 OK\r\n\r\nto the end", 200, "to the end" },
		{ "HTTP/1.1 204 None\r\n\r\n", 204, "" },
		{ "HTTP/1.1 413 Large\r\nContent-Length: 1\r\n\r\nx", 413, "x" },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", -503, NULL },
		{ "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", -503, NULL },
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", -503, NULL },
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", -503, NULL },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 2 \t\r\n\r\nab", 200, "ab" },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", -503, NULL },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", -503, NULL },
		{ "HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nab", -503, NULL },
		{ "HTTP/1.1 200 OK\r\nX: a\nContent-Length: 2\r\n\r\nab", -503, NULL },
		{ "HTTP/1.1 200 OK\r\n\rX: a\r\nContent-Length: 2\r\n\r\nab", -503, NULL },
		{ "HTTP/1.1 200 OK\nContent-Length: 2\n\nab", -503, NULL },
		{ "HTTP/1.1 200 OK\r\nX: a\r\n folded: b\r\n\r\n", -503, NULL },
		{ "HTTP/1.1 200OK\r\n\r\n", -503, NULL },
		{ "HTTP/1.1 2x0 OK\r\n\r\n", -503, NULL },
		{ "HTTP/1.1 200 OK\r\nno colon\r\n\r\n", -503, NULL },
		{ "ICY 200 OK\r\n\r\n", -503, NULL },
		{ "", -503, NULL },
	};
	/* clang-format on */

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct parrot parrot = { .answer = cases[i].answer };
		struct http_response res = { 0 };
		const struct http_request req = { .path = "/", .timeout_ms = 20000 };

		assert_int_equal(ask(&parrot, &req, &res), cases[i].want);
		if (cases[i].body)
			assert_string_equal(res.body, cases[i].body);
		/* A fresh connection that ends is no reason to ask again. */
		assert_int_equal(parrot.n_accepted, 1);
		http_response_done(&res);
	}
}

/* One that refuses a large body without reading it is heard, not waited for. */
static void early_answers_end_the_upload(void **state)
{
	struct parrot parrot = {
		.answer = "HTTP/1.1 403 No\r\nContent-Length: 0\r\nX: alive\r\n\r\n"
	};
	scoped_fd int fd = fd_memfd("zeros");
	struct http_response res = { 0 };

	assert_int_equal(ftruncate(fd, 64 << 20), 0);
	const struct http_request req = { .method = "POST",
		                          .path = "/",
		                          .body_fd = fd,
		                          .has_body_fd = true,
		                          .body_size = UINT64_MAX,
		                          .timeout_ms = 60000 };
	assert_int_equal(ask(&parrot, &req, &res), 403);
	http_response_done(&res);
}

/* The server still waits for the rest of the first body: the next request is none of it. */
static void half_sent_bodies_end_their_connection(void **state)
{
	struct parrot parrot = {
		.answer = "HTTP/1.1 403 No\r\nContent-Length: 0\r\nX: deaf\r\n\r\n",
		.n_asks = 2,
	};
	scoped_free char *body = xcalloc(1, 16 << 20);
	struct http_response res = { 0 };
	const struct http_request req = { .method = "PUT",
		                          .path = "/",
		                          .body = body,
		                          .body_size = 16 << 20,
		                          .timeout_ms = 60000 };

	assert_int_equal(ask(&parrot, &req, &res), 403);
	assert_int_equal(parrot.n_accepted, 2);
	http_response_done(&res);
}

/* A connection that ends instead of a second answer: who knows what the server did before. */
static void only_what_reads_is_sent_again(void **state)
{
	/* clang-format off */
	static const struct { const char *method; int want; unsigned n_accepted; } cases[] = {
		{ NULL,     200,  2 },
		{ "GET",    200,  2 },
		{ "POST",   -503, 1 },
		{ "PUT",    -503, 1 },
		{ "PATCH",  -503, 1 },
		{ "DELETE", -503, 1 },
	};
	/* clang-format on */

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct parrot parrot = {
			.answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: alive once\r\n\r\n",
			.n_asks = 2,
		};
		struct http_response res = { 0 };
		const struct http_request req = { .method = cases[i].method,
			                          .path = "/",
			                          .timeout_ms = 20000 };

		assert_int_equal(ask(&parrot, &req, &res), cases[i].want);
		assert_int_equal(parrot.n_accepted, cases[i].n_accepted);
		http_response_done(&res);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_method_works_over_one_connection),
		TEST(other_certificates_are_refused_before_anything_is_sent),
		TEST(unreachable_is_503),
		TEST(requests_end_in_time_or_when_cancelled),
		TEST(envelopes_become_errors),
		TEST(answers_have_a_largest_size),
		TEST(restarts_are_survived),
		cmocka_unit_test(answers_are_read_strictly),
		cmocka_unit_test(early_answers_end_the_upload),
		cmocka_unit_test(half_sent_bodies_end_their_connection),
		cmocka_unit_test(only_what_reads_is_sent_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
