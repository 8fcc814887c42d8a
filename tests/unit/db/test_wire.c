/* Messages, byte by byte: what is written can be read, what is cut or wrong is refused. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "db/wire.h"
#include "lib/base/macro.h"
#include "lib/base/random.h"
#include "tests/kit/wire_answers.h"

static void a_request_is_whole_words_with_their_count(void **state)
{
	(void)state;
	static const uint8_t want[] = {
		3,   0,   0,   0,   4,   0,   0,   0,   7, 0, 0, 0, 0, 0, 0, 0,
		'S', 'E', 'L', 'E', 'C', 'T', ' ', '1', 0, 0, 0, 0, 0, 0, 0, 0,
	};
	struct strbuf b = { 0 };

	size_t start = wire_begin(&b, WIRE_PREPARE);
	bytes_put_le64(&b, 7);
	wire_put_text(&b, "SELECT 1");
	wire_end(&b, start);
	assert_int_equal(b.size, sizeof(want));
	assert_memory_equal(b.text, want, sizeof(want));
	strbuf_done(&b);
}

static void a_body_is_never_empty(void **state)
{
	(void)state;
	struct strbuf b = { 0 };

	wire_end(&b, wire_begin(&b, WIRE_HEARTBEAT));
	assert_int_equal(b.size, 16);
	assert_int_equal(b.text[0], 1);
	strbuf_done(&b);
}

static void arguments_have_their_types_in_front(void **state)
{
	(void)state;
	static const uint8_t want[] = {
		3,   1, 3, 5, 0, 0, 0, 0, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		'a', 0, 0, 0, 0, 0, 0, 0, 0,    0,    0,    0,    0,    0,    0,    0,
	};
	struct strbuf b = { 0 };

	assert_int_equal(wire_put_args(&b, DB_ARGS(db_int(-2), db_text("a"), db_null())), 0);
	assert_int_equal(b.size, sizeof(want));
	assert_memory_equal(b.text, want, sizeof(want));
	strbuf_done(&b);
}

static void more_than_255_arguments_are_refused(void **state)
{
	(void)state;
	static struct db_value values[256];
	struct strbuf b = { 0 };

	assert_int_equal(wire_put_args(&b, (struct db_args){ .values = values, .n = 255 }), 0);
	assert_int_equal(wire_put_args(&b, (struct db_args){ .values = values, .n = 256 }), -E2BIG);
	strbuf_done(&b);
}

static void headers_without_a_body_or_too_long_are_refused(void **state)
{
	(void)state;
	struct wire_header header;

	assert_int_equal(wire_get_header((const uint8_t[8]){ 0 }, &header), -EBADMSG);
	assert_int_equal(wire_get_header((const uint8_t[8]){ 1, 0, 0x20, 0, 7 }, &header),
	                 -EBADMSG);
	assert_int_equal(wire_get_header((const uint8_t[8]){ 0, 0, 0x20, 0, 7 }, &header), 0);
	assert_int_equal(header.size, WIRE_MAX_BODY);
	assert_int_equal(header.type, WIRE_ROWS);
}

static struct db_value random_value(char *text)
{
	static const enum db_type types[] = { DB_TYPE_NULL, DB_TYPE_INT64, DB_TYPE_TEXT,
		                              DB_TYPE_BLOB, DB_TYPE_DOUBLE };
	struct db_value value = { .type = types[random_below(COUNT_OF(types))] };
	size_t size = random_below(20);

	switch (value.type) {
	case DB_TYPE_TEXT:
		memset(text, 'x', size);
		text[size] = '\0';
		value.s = text;
		break;
	case DB_TYPE_BLOB:
		random_bytes(text, size);
		value.blob = text;
		value.size = (uint32_t)size;
		break;
	case DB_TYPE_DOUBLE:
		value.d = (double)random_u64() / 3;
		break;
	default:
		value.i = (int64_t)random_u64();
		break;
	}
	return value;
}

static void assert_same(const struct db_value *a, const struct db_value *b)
{
	assert_int_equal(a->type, b->type);
	if (a->type == DB_TYPE_TEXT) {
		assert_string_equal(a->s, b->s);
	} else if (a->type == DB_TYPE_BLOB) {
		assert_int_equal(a->size, b->size);
		assert_memory_equal(a->blob, b->blob, a->size);
	} else if (a->type != DB_TYPE_NULL) {
		assert_int_equal(a->i, b->i);
	}
}

enum { MAX_COLUMNS = 40, MAX_ROWS = 5 };

/* Rows of any shape come back, and no beginning of them is taken for the whole. */
static void rows_come_back_and_cut_ones_do_not(void **state)
{
	(void)state;
	static char texts[MAX_ROWS * MAX_COLUMNS][32];
	static struct db_value values[MAX_ROWS * MAX_COLUMNS];
	struct wire_rows rows = { 0 };

	for (int round = 0; round < 200; round++) {
		size_t n_columns = 1 + random_below(MAX_COLUMNS);
		size_t n_rows = random_below(MAX_ROWS + 1);
		struct strbuf b = { 0 };

		for (size_t i = 0; i < n_rows * n_columns; i++)
			values[i] = random_value(texts[i]);
		wire_answers_put_rows(&b, values, n_columns, n_rows, round % 2);
		assert_int_equal(wire_rows_begin(&rows, b.text, b.size), 0);
		assert_int_equal(rows.n_columns, n_columns);
		for (size_t i = 0; i < n_rows; i++) {
			assert_int_equal(wire_rows_next(&rows), WIRE_ROW);
			for (size_t j = 0; j < n_columns; j++)
				assert_same(&rows.values[j], &values[i * n_columns + j]);
		}
		assert_int_equal(wire_rows_next(&rows), round % 2 ? WIRE_ROWS_MORE : WIRE_ROWS_END);

		for (size_t size = 0; size < b.size; size++) {
			int r = wire_rows_begin(&rows, b.text, size);
			while (r >= 0 && (r = wire_rows_next(&rows)) == WIRE_ROW)
				;
			assert_int_equal(r, -EBADMSG);
		}
		strbuf_done(&b);
	}
	wire_rows_done(&rows);
}

static void a_result_without_columns_ends(void **state)
{
	(void)state;
	struct wire_rows rows = { 0 };
	uint64_t body[] = { 0, UINT64_MAX };
	uint64_t endless[] = { 0, 1, 1 };

	assert_int_equal(wire_rows_begin(&rows, body, sizeof(body)), 0);
	assert_int_equal(wire_rows_next(&rows), WIRE_ROWS_END);
	assert_int_equal(wire_rows_begin(&rows, endless, sizeof(endless)), 0);
	assert_int_equal(wire_rows_next(&rows), -EBADMSG);
	wire_rows_done(&rows);
}

static void counts_beyond_the_message_are_refused(void **state)
{
	(void)state;
	struct wire_rows rows = { 0 };
	uint64_t many[] = { UINT64_MAX, 0 };
	/* One column "a", one blob that says it is longer than the message. */
	uint64_t blob[] = { 1, 'a', 4, UINT64_MAX - 7, 0 };

	assert_int_equal(wire_rows_begin(&rows, many, sizeof(many)), -EBADMSG);
	assert_int_equal(wire_rows_begin(&rows, blob, sizeof(blob)), 0);
	assert_int_equal(wire_rows_next(&rows), -EBADMSG);
	wire_rows_done(&rows);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_is_whole_words_with_their_count),
		cmocka_unit_test(a_body_is_never_empty),
		cmocka_unit_test(arguments_have_their_types_in_front),
		cmocka_unit_test(more_than_255_arguments_are_refused),
		cmocka_unit_test(headers_without_a_body_or_too_long_are_refused),
		cmocka_unit_test(rows_come_back_and_cut_ones_do_not),
		cmocka_unit_test(a_result_without_columns_ends),
		cmocka_unit_test(counts_beyond_the_message_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
