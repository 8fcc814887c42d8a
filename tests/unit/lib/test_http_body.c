#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/macro.h"
#include "lib/base/scoped.h"
#include "lib/base/strbuf.h"
#include "lib/net/http_body.h"

/* Feeds 'text' in pieces of 'step' bytes. Returns how many were taken, or -EINVAL. */
static ssize_t feed(struct http_body *b, const char *text, size_t step, struct strbuf *out)
{
	size_t size = strlen(text), at = 0;

	while (at < size && !b->is_complete) {
		size_t end = at + step < size ? at + step : size;
		while (at < end && !b->is_complete) {
			const char *payload;
			size_t payload_size;
			ssize_t n = http_body_take(b, text + at, end - at, &payload, &payload_size);
			if (n < 0)
				return n;
			strbuf_add_n(out, payload, payload_size);
			at += (size_t)n;
		}
	}
	return (ssize_t)at;
}

static void good_bodies_are_taken_apart(void **state)
{
	/* clang-format off */
	static const struct { const char *text; bool is_chunked; uint64_t length; const char *want; size_t rest; } cases[] = {
		{ "hello", false, 5, "hello", 0 },
		{ "helloGET", false, 5, "hello", 3 },
		{ "", false, 0, "", 0 },
		{ "5\r\nhello\r\n0\r\n\r\n", true, 0, "hello", 0 },
		{ "5\r\nhello\r\n00006\r\n world\r\n0\r\n\r\nGET", true, 0, "hello world", 3 },
		{ "a\r\n0123456789\r\n000\r\n\r\n", true, 0, "0123456789", 0 },
		{ "A\r\n0123456789\r\n0\r\n\r\n", true, 0, "0123456789", 0 },
	};
	/* clang-format on */

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		for (size_t step = 1; step < 20; step++) {
			scoped(strbuf_done) struct strbuf out = { 0 };
			struct http_body body;
			http_body_init(&body, cases[i].is_chunked, cases[i].length);
			ssize_t n = feed(&body, cases[i].text, step, &out);
			assert_int_equal(n, strlen(cases[i].text) - cases[i].rest);
			assert_true(body.is_complete);
			assert_string_equal(strbuf_text(&out), cases[i].want);
		}
	}
}

static void odd_chunks_are_refused(void **state)
{
	static const char *const cases[] = {
		"5;a=b\r\nhello\r\n0\r\n\r\n",
		"5 \r\nhello\r\n0\r\n\r\n",
		"+5\r\nhello\r\n0\r\n\r\n",
		"-5\r\nhello\r\n",
		"0x5\r\nhello\r\n",
		"\r\nhello\r\n",
		"5\nhello\r\n0\r\n\r\n",
		"5\r\nhelloX\r\n0\r\n\r\n",
		"5\r\nhello\n0\r\n\r\n",
		"5\r\nhello\r\n0\r\nA: b\r\n",
		"0\r\nx",
		"0\r\n\rx",
		"fffffffffffffffff\r\n",
		"0000000000000000000\r\n",
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		scoped(strbuf_done) struct strbuf out = { 0 };
		struct http_body body;
		http_body_init(&body, true, 0);
		assert_int_equal(feed(&body, cases[i], 3, &out), -EINVAL);
		assert_false(body.is_complete);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_bodies_are_taken_apart),
		cmocka_unit_test(odd_chunks_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
