#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/bytes.h"
#include "lib/base/scoped.h"

static void what_was_put_is_read(void **state)
{
	(void)state;
	scoped(strbuf_done) struct strbuf b = { 0 };

	bytes_put_u8(&b, 0xAB);
	bytes_put_le16(&b, 0x1234);
	bytes_put_be16(&b, 0x1234);
	bytes_put_le32(&b, 0xDEADBEEF);
	bytes_put_be32(&b, 0xDEADBEEF);
	bytes_put_le64(&b, UINT64_C(0x0123456789ABCDEF));
	bytes_put_be64(&b, UINT64_C(0x0123456789ABCDEF));
	strbuf_add_n(&b, "text", 5);

	struct bytes r = { .data = (const uint8_t *)b.text, .size = b.size };
	assert_int_equal(bytes_u8(&r), 0xAB);
	assert_int_equal(bytes_le16(&r), 0x1234);
	assert_int_equal(bytes_be16(&r), 0x1234);
	assert_true(bytes_le32(&r) == 0xDEADBEEF);
	assert_true(bytes_be32(&r) == 0xDEADBEEF);
	assert_true(bytes_le64(&r) == UINT64_C(0x0123456789ABCDEF));
	assert_true(bytes_be64(&r) == UINT64_C(0x0123456789ABCDEF));
	assert_string_equal(bytes_text(&r), "text");
	assert_int_equal(r.size, 0);
	assert_false(r.is_bad);
}

static void reading_beyond_the_end_is_noticed(void **state)
{
	(void)state;
	struct bytes r = { .data = (const uint8_t *)"abc", .size = 3 };

	assert_int_equal(bytes_le32(&r), 0);
	assert_true(r.is_bad);
	assert_null(bytes_take(&r, 1));

	struct bytes t = { .data = (const uint8_t *)"abc", .size = 3 };
	assert_null(bytes_text(&t));
	assert_true(t.is_bad);
}

static void hexadecimal_goes_both_ways(void **state)
{
	(void)state;
	uint8_t data[3];
	scoped_free char *hex = bytes_to_hex("\x00\xAF\x10", 3);

	assert_string_equal(hex, "00af10");
	assert_int_equal(bytes_of_hex("00AF10", data, 3), 0);
	assert_memory_equal(data, "\x00\xAF\x10", 3);
	assert_int_equal(bytes_of_hex("00af1", data, 3), -EINVAL);
	assert_int_equal(bytes_of_hex("00afg0", data, 3), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_put_is_read),
		cmocka_unit_test(reading_beyond_the_end_is_noticed),
		cmocka_unit_test(hexadecimal_goes_both_ways),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
