#include "tests/kit/wire_answers.h"

#include <stdlib.h>
#include <string.h>

#include "db/wire.h"
#include "lib/base/alloc.h"

static void pad(struct strbuf *b)
{
	while (b->size % 8)
		strbuf_add_char(b, '\0');
}

static uint8_t nibble_of(enum db_type type)
{
	switch (type) {
	case DB_TYPE_INT64:
	case DB_TYPE_BOOL:
	case DB_TYPE_DATE:
		return 1;
	case DB_TYPE_DOUBLE:
		return 2;
	case DB_TYPE_TEXT:
		return 3;
	case DB_TYPE_BLOB:
		return 4;
	case DB_TYPE_NULL:
		return 5;
	}
	abort();
}

static void put_value(struct strbuf *b, const struct db_value *value)
{
	if (value->type == DB_TYPE_TEXT) {
		wire_put_text(b, value->s);
	} else if (value->type == DB_TYPE_BLOB) {
		bytes_put_le64(b, value->size);
		strbuf_add_n(b, value->blob, value->size);
		pad(b);
	} else {
		bytes_put_le64(b, value->type == DB_TYPE_NULL ? 0 : (uint64_t)value->i);
	}
}

static void put_row(struct strbuf *b, const struct db_value *values, size_t n)
{
	for (size_t i = 0; i < n; i += 2) {
		unsigned low = nibble_of(values[i].type);
		unsigned high = i + 1 < n ? nibble_of(values[i + 1].type) : 0;

		bytes_put_u8(b, (uint8_t)(low | high << 4));
	}
	pad(b);
	for (size_t i = 0; i < n; i++)
		put_value(b, &values[i]);
}

void wire_answers_put_rows(struct strbuf *b, const struct db_value *values, size_t n_columns,
                           size_t n_rows, bool has_more)
{
	bytes_put_le64(b, n_columns);
	for (size_t i = 0; i < n_columns; i++) {
		scoped_free char *name = xasprintf("c%zu", i);

		wire_put_text(b, name);
	}
	for (size_t i = 0; i < n_rows; i++)
		put_row(b, values + i * n_columns, n_columns);
	bytes_put_le64(b, has_more ? UINT64_C(0xeeeeeeeeeeeeeeee) : UINT64_MAX);
}

void wire_answers_put(struct strbuf *b, uint8_t type, const void *body, size_t size)
{
	bytes_put_le32(b, (uint32_t)(size / 8));
	bytes_put_u8(b, type);
	bytes_put_u8(b, 0);
	bytes_put_le16(b, 0);
	strbuf_add_n(b, body, size);
}

void wire_answers_put_failure(struct strbuf *b, uint64_t code, const char *text)
{
	struct strbuf body = { 0 };

	bytes_put_le64(&body, code);
	wire_put_text(&body, text);
	wire_answers_put(b, WIRE_FAILURE, body.text, body.size);
	strbuf_done(&body);
}
