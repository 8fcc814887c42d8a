#include "lib/base/bytes.h"

#include <errno.h>
#include <string.h>

#include "lib/base/alloc.h"

const uint8_t *bytes_take(struct bytes *b, size_t size)
{
	if (size > b->size) {
		b->is_bad = true;
		b->size = 0;
		return NULL;
	}

	const uint8_t *at = b->data;
	b->data += size;
	b->size -= size;
	return at;
}

static uint64_t take_le(struct bytes *b, size_t size)
{
	const uint8_t *at = bytes_take(b, size);
	uint64_t v = 0;

	for (size_t i = size; at && i-- > 0;)
		v = v << 8 | at[i];
	return v;
}

static uint64_t take_be(struct bytes *b, size_t size)
{
	const uint8_t *at = bytes_take(b, size);
	uint64_t v = 0;

	for (size_t i = 0; at && i < size; i++)
		v = v << 8 | at[i];
	return v;
}

uint8_t bytes_u8(struct bytes *b)
{
	return (uint8_t)take_le(b, 1);
}

uint16_t bytes_le16(struct bytes *b)
{
	return (uint16_t)take_le(b, 2);
}

uint32_t bytes_le32(struct bytes *b)
{
	return (uint32_t)take_le(b, 4);
}

uint64_t bytes_le64(struct bytes *b)
{
	return take_le(b, 8);
}

uint16_t bytes_be16(struct bytes *b)
{
	return (uint16_t)take_be(b, 2);
}

uint32_t bytes_be32(struct bytes *b)
{
	return (uint32_t)take_be(b, 4);
}

uint64_t bytes_be64(struct bytes *b)
{
	return take_be(b, 8);
}

const char *bytes_text(struct bytes *b)
{
	const uint8_t *end = b->size ? memchr(b->data, '\0', b->size) : NULL;

	if (!end) {
		b->is_bad = true;
		b->size = 0;
		return NULL;
	}
	return (const char *)bytes_take(b, (size_t)(end - b->data) + 1);
}

static void put_le(struct strbuf *b, uint64_t v, size_t size)
{
	uint8_t data[8];

	for (size_t i = 0; i < size; i++)
		data[i] = (uint8_t)(v >> (8 * i));
	strbuf_add_n(b, data, size);
}

static void put_be(struct strbuf *b, uint64_t v, size_t size)
{
	uint8_t data[8];

	for (size_t i = 0; i < size; i++)
		data[i] = (uint8_t)(v >> (8 * (size - 1 - i)));
	strbuf_add_n(b, data, size);
}

void bytes_put_u8(struct strbuf *b, uint8_t v)
{
	put_le(b, v, 1);
}

void bytes_put_le16(struct strbuf *b, uint16_t v)
{
	put_le(b, v, 2);
}

void bytes_put_le32(struct strbuf *b, uint32_t v)
{
	put_le(b, v, 4);
}

void bytes_put_le64(struct strbuf *b, uint64_t v)
{
	put_le(b, v, 8);
}

void bytes_put_be16(struct strbuf *b, uint16_t v)
{
	put_be(b, v, 2);
}

void bytes_put_be32(struct strbuf *b, uint32_t v)
{
	put_be(b, v, 4);
}

void bytes_put_be64(struct strbuf *b, uint64_t v)
{
	put_be(b, v, 8);
}

char *bytes_to_hex(const void *data, size_t size)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *at = data;
	char *hex = xmalloc(size * 2 + 1);

	for (size_t i = 0; i < size; i++) {
		hex[2 * i] = digits[at[i] >> 4];
		hex[2 * i + 1] = digits[at[i] & 0x0F];
	}
	hex[2 * size] = '\0';
	return hex;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;

	return -1;
}

int bytes_of_hex(const char *hex, void *ret_data, size_t size)
{
	uint8_t *at = ret_data;

	if (strlen(hex) != 2 * size)
		return -EINVAL;

	for (size_t i = 0; i < size; i++) {
		int high = hex_value(hex[2 * i]), low = hex_value(hex[2 * i + 1]);
		if (high < 0 || low < 0)
			return -EINVAL;

		at[i] = (uint8_t)(high << 4 | low);
	}
	return 0;
}
