#include "db/wire.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"

enum value_type {
	VALUE_INTEGER = 1,
	VALUE_FLOAT = 2,
	VALUE_TEXT = 3,
	VALUE_BLOB = 4,
	VALUE_NULL = 5,
	VALUE_UNIX_TIME = 9,
	VALUE_ISO8601 = 10,
	VALUE_BOOLEAN = 11,
};

#define MARKER_END UINT64_C(0xffffffffffffffff)
#define MARKER_MORE UINT64_C(0xeeeeeeeeeeeeeeee)

static size_t padding(size_t size)
{
	return (WIRE_WORD - size % WIRE_WORD) % WIRE_WORD;
}

static void put_padding(struct strbuf *b, size_t size)
{
	static const char zeros[WIRE_WORD];

	strbuf_add_n(b, zeros, padding(size));
}

size_t wire_begin(struct strbuf *b, enum wire_request type)
{
	size_t start = b->size;

	bytes_put_le32(b, 0);
	bytes_put_u8(b, (uint8_t)type);
	bytes_put_u8(b, 0);
	bytes_put_le16(b, 0);
	return start;
}

void wire_end(struct strbuf *b, size_t start)
{
	put_padding(b, b->size - start);
	if (b->size - start == WIRE_WORD)
		bytes_put_le64(b, 0);

	uint32_t words = (uint32_t)((b->size - start) / WIRE_WORD - 1);
	for (size_t i = 0; i < sizeof(words); i++)
		b->text[start + i] = (char)(words >> (CHAR_BIT * i) & UCHAR_MAX);
}

void wire_put_text(struct strbuf *b, const char *s)
{
	size_t size = strlen(s) + 1;

	strbuf_add_n(b, s, size);
	put_padding(b, size);
}

static uint8_t type_of(const struct db_value *value)
{
	switch (value->type) {
	case DB_TYPE_NULL:
		return VALUE_NULL;
	case DB_TYPE_INT64:
	case DB_TYPE_BOOL:
	case DB_TYPE_DATE:
		return VALUE_INTEGER;
	case DB_TYPE_TEXT:
		return VALUE_TEXT;
	case DB_TYPE_BLOB:
		return VALUE_BLOB;
	case DB_TYPE_DOUBLE:
		return VALUE_FLOAT;
	}
	abort();
}

static void put_value(struct strbuf *b, const struct db_value *value)
{
	uint64_t bits;

	switch (type_of(value)) {
	case VALUE_TEXT:
		wire_put_text(b, value->s);
		break;
	case VALUE_BLOB:
		bytes_put_le64(b, value->size);
		strbuf_add_n(b, value->blob, value->size);
		put_padding(b, value->size);
		break;
	case VALUE_FLOAT:
		memcpy(&bits, &value->d, sizeof(bits));
		bytes_put_le64(b, bits);
		break;
	case VALUE_NULL:
		bytes_put_le64(b, 0);
		break;
	default:
		bytes_put_le64(b, (uint64_t)value->i);
		break;
	}
}

int wire_put_args(struct strbuf *b, struct db_args args)
{
	if (args.n > WIRE_MAX_ARGS)
		return -E2BIG;
	if (args.n == 0)
		return 0;

	bytes_put_u8(b, (uint8_t)args.n);
	for (size_t i = 0; i < args.n; i++)
		bytes_put_u8(b, type_of(&args.values[i]));
	put_padding(b, 1 + args.n);
	for (size_t i = 0; i < args.n; i++)
		put_value(b, &args.values[i]);
	return 0;
}

int wire_get_header(const uint8_t data[WIRE_WORD], struct wire_header *ret_header)
{
	struct bytes b = { .data = data, .size = WIRE_WORD };
	uint64_t size = (uint64_t)bytes_le32(&b) * WIRE_WORD;

	if (size == 0 || size > WIRE_MAX_BODY)
		return -EBADMSG;

	ret_header->size = size;
	ret_header->type = bytes_u8(&b);
	return 0;
}

const char *wire_get_text(struct bytes *body)
{
	const char *s = bytes_text(body);

	if (s)
		bytes_take(body, padding(strlen(s) + 1));
	return body->is_bad ? NULL : s;
}

void wire_rows_done(struct wire_rows *rows)
{
	free(rows->names);
	free(rows->values);
	*rows = (struct wire_rows){ 0 };
}

int wire_rows_begin(struct wire_rows *rows, const void *body, size_t size)
{
	rows->body = (struct bytes){ .data = body, .size = size };

	uint64_t n = bytes_le64(&rows->body);
	if (rows->body.is_bad || n > size / WIRE_WORD)
		return -EBADMSG;
	if (n > rows->capacity) {
		free(rows->names);
		free(rows->values);
		rows->names = xcalloc(n, sizeof(*rows->names));
		rows->values = xcalloc(n, sizeof(*rows->values));
		rows->capacity = n;
	}

	rows->n_columns = n;
	for (size_t i = 0; i < n; i++) {
		rows->names[i] = wire_get_text(&rows->body);
		if (!rows->names[i])
			return -EBADMSG;
	}

	return 0;
}

bool wire_rows_has_more(const struct bytes *body)
{
	if (body->size < WIRE_WORD)
		return false;

	struct bytes end = { .data = body->data + body->size - WIRE_WORD, .size = WIRE_WORD };
	return bytes_le64(&end) == MARKER_MORE;
}

static int get_value(struct bytes *body, unsigned type, struct db_value *ret_value)
{
	uint64_t word;

	*ret_value = (struct db_value){ .type = DB_TYPE_NULL };
	switch (type) {
	case VALUE_INTEGER:
	case VALUE_UNIX_TIME:
	case VALUE_BOOLEAN:
		ret_value->type = DB_TYPE_INT64;
		ret_value->i = (int64_t)bytes_le64(body);
		break;
	case VALUE_FLOAT:
		ret_value->type = DB_TYPE_DOUBLE;
		word = bytes_le64(body);
		memcpy(&ret_value->d, &word, sizeof(word));
		break;
	case VALUE_TEXT:
	case VALUE_ISO8601:
		ret_value->type = DB_TYPE_TEXT;
		ret_value->s = wire_get_text(body);
		break;
	case VALUE_BLOB:
		word = bytes_le64(body);
		if (word > body->size)
			return -EBADMSG;
		ret_value->type = DB_TYPE_BLOB;
		ret_value->size = (uint32_t)word;
		ret_value->blob = bytes_take(body, word);
		bytes_take(body, padding(word));
		break;
	case VALUE_NULL:
		bytes_le64(body);
		break;
	default:
		return -EBADMSG;
	}

	return body->is_bad ? -EBADMSG : 0;
}

/* The types of a row stand before it, four bits each, the first in the lowest bits. */
static int get_row(struct wire_rows *rows)
{
	size_t size = (rows->n_columns + 1) / 2;
	const uint8_t *types = bytes_take(&rows->body, size);

	if (!types)
		return -EBADMSG;
	bytes_take(&rows->body, padding(size));

	for (size_t i = 0; i < rows->n_columns; i++) {
		unsigned type = i % 2 ? types[i / 2] >> 4 : types[i / 2] & 0xfU;
		int r = get_value(&rows->body, type, &rows->values[i]);
		if (r < 0)
			return r;
	}

	return WIRE_ROW;
}

int wire_rows_next(struct wire_rows *rows)
{
	struct bytes ahead = rows->body;
	uint64_t marker = bytes_le64(&ahead);

	if (ahead.is_bad)
		return -EBADMSG;
	if (marker == MARKER_END || marker == MARKER_MORE) {
		rows->body = ahead;
		if (ahead.size > 0)
			return -EBADMSG;
		return marker == MARKER_END ? WIRE_ROWS_END : WIRE_ROWS_MORE;
	}
	/* Rows without columns would have no size. */
	if (rows->n_columns == 0)
		return -EBADMSG;

	return get_row(rows);
}
