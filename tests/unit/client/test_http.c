#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "client/http.h"
#include "lib/base/fd.h"
#include "lib/base/macro.h"
#include "lib/net/stream.h"

/* Asks over a socket whose other end already holds the answer; what was asked is in 'ret_asked'. */
static int ask(const char *canned, const struct http_message *message, char *ret_asked, size_t size,
               struct http_answer *ret_answer, struct error **err)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	assert_int_equal(fd_write_full(fds[1], canned, strlen(canned)), 0);
	shutdown(fds[1], SHUT_WR);
	scoped(stream_freep) struct stream *stream = stream_new_fd_take(fds[0]);
	int r = http_send(stream, message, ret_answer, err);
	if (ret_asked) {
		ssize_t n = read(fds[1], ret_asked, size - 1);

		ret_asked[n > 0 ? n : 0] = '\0';
	}
	close(fds[1]);
	return r;
}

static void bodies_come_in_three_forms(void **state)
{
	static const char *const answers[] = {
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
		("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		 "2;x=y\r\nhe\r\n3\r\nllo\r\n0\r\nTrailer: x\r\n\r\n"),
		"HTTP/1.0 200 OK\r\n\r\nhello",
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(answers); i++) {
		scoped(http_answer_done) struct http_answer answer = { 0 };
		scoped(error_freep) struct error *err = NULL;
		struct http_message message = { .method = "GET", .path = "/1.0" };

		assert_int_equal(ask(answers[i], &message, NULL, 0, &answer, &err), 0);
		assert_int_equal(answer.status, 200);
		assert_int_equal(answer.size, 5);
		assert_string_equal(answer.body, "hello");
	}
}

static void damaged_answers_are_errors(void **state)
{
	static const char *const answers[] = {
		"",
		"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello",
		"SSH-2.0-OpenSSH\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhe\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe",
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(answers); i++) {
		scoped(http_answer_done) struct http_answer answer = { 0 };
		scoped(error_freep) struct error *err = NULL;
		struct http_message message = { .method = "GET", .path = "/1.0" };

		assert_true(ask(answers[i], &message, NULL, 0, &answer, &err) < 0);
		assert_non_null(err);
	}
}

static void requests_carry_headers_and_body(void **state)
{
	static const char *const headers[] = { "X-LXD-mode: 0644", NULL };
	scoped(http_answer_done) struct http_answer answer = { 0 };
	scoped(error_freep) struct error *err = NULL;
	struct http_message message = { .method = "POST",
		                        .path = "/1.0/x?y=z",
		                        .headers = headers,
		                        .body = "{}",
		                        .body_size = 2 };
	char asked[1024];

	(void)state;
	assert_int_equal(ask("HTTP/1.1 202 Accepted\r\nConnection: close\r\nETag:  abc\r\n"
	                     "Content-Length: 0\r\n\r\n",
	                     &message, asked, sizeof(asked), &answer, &err),
	                 0);
	assert_true(answer.closing);
	assert_string_equal(http_header(&answer, "etag"), "abc");
	assert_null(http_header(&answer, "eta"));
	assert_ptr_equal(strstr(asked, "POST /1.0/x?y=z HTTP/1.1\r\n"), asked);
	assert_non_null(strstr(asked, "\r\nX-LXD-mode: 0644\r\n"));
	assert_non_null(strstr(asked, "\r\nContent-Length: 2\r\n\r\n{}"));
}

/* JSON is an answer about the file, not the file. */
static void files_go_to_the_sink_but_errors_do_not(void **state)
{
	static const struct {
		const char *type;
		bool in_file;
	} cases[] = { { "application/octet-stream", true }, { "application/json", false } };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		scoped(http_answer_done) struct http_answer answer = { 0 };
		scoped(error_freep) struct error *err = NULL;
		scoped_fd int fd = fd_memfd("sink");
		struct http_message message = {
			.method = "GET", .path = "/", .sink_fd = fd, .has_sink = true
		};
		char canned[256], got[16] = "";

		snprintf(canned, sizeof(canned),
		         "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: 5\r\n\r\nhello",
		         cases[i].type);
		assert_int_equal(ask(canned, &message, NULL, 0, &answer, &err), 0);
		assert_int_equal(pread(fd, got, sizeof(got), 0), cases[i].in_file ? 5 : 0);
		assert_string_equal(answer.body, cases[i].in_file ? "" : "hello");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bodies_come_in_three_forms),
		cmocka_unit_test(damaged_answers_are_errors),
		cmocka_unit_test(requests_carry_headers_and_body),
		cmocka_unit_test(files_go_to_the_sink_but_errors_do_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
