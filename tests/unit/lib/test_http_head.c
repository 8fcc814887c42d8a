#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/net/http_head.h"

#define GET "GET / HTTP/1.1\r\n"
#define POST "POST / HTTP/1.1\r\nHost: h\r\n"

/* Each head and the status it gets; 0: it is taken. The text may hold NULs. */
/* clang-format off */
static const struct { const char *text; size_t size; int status; } cases[] = {
#define CASE(status, text) { text, sizeof(text) - 1, status }
	CASE(0,   GET "Host: h\r\n\r\n"),
	CASE(0,   GET "Host: [::1]:8443\r\n\r\n"),
	CASE(0,   GET "hOST:h\r\n\r\n"),
	CASE(0,   "GET / HTTP/1.0\r\n\r\n"),
	CASE(0,   "GET /1.0/a%2Fb?x=1&y HTTP/1.1\r\nHost: h\r\n\r\n"),
	CASE(0,   POST "Content-Length: 5\r\n\r\n"),
	CASE(0,   POST "Transfer-Encoding: chunked\r\n\r\n"),
	CASE(0,   POST "X-A: b\tc \xc3\xa4\r\n\r\n"),
	CASE(0,   POST "X-Empty:\r\n\r\n"),
	CASE(400, GET "\r\n"),
	CASE(400, GET "Host: a\r\nHost: a\r\n\r\n"),
	CASE(400, GET "Host: a b\r\n\r\n"),
	CASE(400, GET "Host: u@a\r\n\r\n"),
	CASE(400, POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"),
	CASE(400, POST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n"),
	CASE(400, POST "Content-Length: 5\r\nContent-Length: 6\r\n\r\n"),
	CASE(400, POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\n"),
	CASE(400, POST "Content-Length: 5, 5\r\n\r\n"),
	CASE(400, POST "Content-Length: +5\r\n\r\n"),
	CASE(400, POST "Content-Length: -5\r\n\r\n"),
	CASE(400, POST "Content-Length: 0x5\r\n\r\n"),
	CASE(400, POST "Content-Length:\r\n\r\n"),
	CASE(400, POST "Content-Length: 99999999999999999999\r\n\r\n"),
	CASE(501, POST "Transfer-Encoding: gzip\r\n\r\n"),
	CASE(501, POST "Transfer-Encoding: chunked, chunked\r\n\r\n"),
	CASE(501, POST "Transfer-Encoding: gzip, chunked\r\n\r\n"),
	CASE(501, POST "Transfer-Encoding: xchunked\r\n\r\n"),
	CASE(400, POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"),
	CASE(400, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"),
	CASE(400, POST "Content-Length : 5\r\n\r\n"),
	CASE(400, POST " Content-Length: 5\r\n\r\n"),
	CASE(400, POST "X: a\r\n b\r\n\r\n"),
	CASE(400, POST "X: a\0b\r\n\r\n"),
	CASE(400, POST "X: a\x01\r\n\r\n"),
	CASE(400, POST "X: a\rb\r\n\r\n"),
	CASE(400, POST "X\xc3\xa4: a\r\n\r\n"),
	CASE(400, POST ": a\r\n\r\n"),
	CASE(400, POST "X\r\n\r\n"),
	CASE(417, POST "Expect: magic\r\n\r\n"),
	CASE(400, "GET  / HTTP/1.1\r\nHost: h\r\n\r\n"),
	CASE(400, "GET /\r\nHost: h\r\n\r\n"),
	CASE(400, "GET / HTTP/1.1 \r\nHost: h\r\n\r\n"),
	CASE(400, "GET /a b HTTP/1.1\r\nHost: h\r\n\r\n"),
	CASE(400, "GET http://h/ HTTP/1.1\r\nHost: h\r\n\r\n"),
	CASE(400, "GET * HTTP/1.1\r\nHost: h\r\n\r\n"),
	CASE(400, "GET /# HTTP/1.1\r\nHost: h\r\n\r\n"),
	CASE(400, "GET /\xc3\xa4 HTTP/1.1\r\nHost: h\r\n\r\n"),
	CASE(400, "GET /%00 HTTP/1.1\r\nHost: h\r\n\r\n"),
	CASE(400, "GET /%zz HTTP/1.1\r\nHost: h\r\n\r\n"),
	CASE(400, "GET /?a=%0 HTTP/1.1\r\nHost: h\r\n\r\n"),
	CASE(400, "G(T / HTTP/1.1\r\nHost: h\r\n\r\n"),
	CASE(404, "get / HTTP/1.1\r\nHost: h\r\n\r\n"),
	CASE(404, "PROPFIND / HTTP/1.1\r\nHost: h\r\n\r\n"),
	CASE(405, "CONNECT / HTTP/1.1\r\nHost: h\r\n\r\n"),
	CASE(405, "TRACE / HTTP/1.1\r\nHost: h\r\n\r\n"),
	CASE(505, "GET / HTTP/1.2\r\nHost: h\r\n\r\n"),
	CASE(505, "GET / HTTP/2.0\r\nHost: h\r\n\r\n"),
	CASE(505, "PRI * HTTP/2.0\r\n\r\n"),
	CASE(400, "GET / http/1.1\r\nHost: h\r\n\r\n"),
	CASE(400, "GET / HTTP/1.11\r\nHost: h\r\n\r\n"),
#undef CASE
};
/* clang-format on */

static void each_head_has_one_reading(void **state)
{
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		scoped(http_head_freep) struct http_head *head = NULL;
		const char *reason = NULL;
		int status = http_head_parse(cases[i].text, cases[i].size, true, &head, &reason);
		if (status != cases[i].status)
			print_error("%s: %d\n", cases[i].text, status);
		assert_int_equal(status, cases[i].status);
		assert_true(status == 0 ? head != NULL : reason != NULL);
	}
}

static void parts_are_found(void **state)
{
	static const char text[] =
		"POST /1.0/a%2Fb?project=p%20q HTTP/1.1\r\nHost: h\r\n"
		"Content-Length: 12\r\nConnection: keep-alive, Upgrade\r\n"
		"Upgrade: websocket\r\nExpect: 100-continue\r\nX-A: \t b c \t\r\n\r\n";
	scoped(http_head_freep) struct http_head *head = NULL;
	const char *reason;

	assert_int_equal(http_head_parse(text, sizeof(text) - 1, true, &head, &reason), 0);
	assert_string_equal(head->method, "POST");
	assert_string_equal(head->path, "/1.0/a%2Fb");
	assert_string_equal(head->query, "project=p%20q");
	assert_string_equal(url_query_value(&head->pairs, "project"), "p q");
	assert_int_equal(head->length, 12);
	assert_true(head->keeps_alive);
	assert_true(head->expects_continue);
	assert_string_equal(head->upgrade, "websocket");
	assert_string_equal(http_head_field(head, "x-a"), "b c");
	assert_null(http_head_field(head, "x"));
}

static void ends_are_found(void **state)
{
	static const char text[] = GET "Host: h\r\n\r\nrest";
	size_t scanned = 0;

	/* Byte by byte, and no byte twice. */
	for (size_t size = 0; size < sizeof(text) - 5; size++)
		assert_int_equal(http_head_find_end(text, size, &scanned), 0);
	assert_int_equal(http_head_find_end(text, sizeof(text) - 1, &scanned), sizeof(text) - 5);

	static const char *const bad[] = { "GET / HTTP/1.1\n", "\r\n", " GET", "\x16\x03\x01",
		                           "GET / HTTP/1.1\r\nA: b\n" };
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		scanned = 0;
		assert_int_equal(http_head_find_end(bad[i], strlen(bad[i]), &scanned), -EINVAL);
	}
}

static void headers_are_limited(void **state)
{
	char text[64 + 129 * 6] = GET "Host: h\r\n";
	scoped(http_head_freep) struct http_head *head = NULL;
	const char *reason;

	for (unsigned i = 0; i < 128; i++)
		strcat(text, "a: b\r\n");
	strcat(text, "\r\n");
	assert_int_equal(http_head_parse(text, strlen(text), true, &head, &reason), 431);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_head_has_one_reading),
		cmocka_unit_test(parts_are_found),
		cmocka_unit_test(ends_are_found),
		cmocka_unit_test(headers_are_limited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
