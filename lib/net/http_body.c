#include "lib/net/http_body.h"

#include <errno.h>

enum state {
	BODY_DATA,
	CHUNK_SIZE,
	CHUNK_SIZE_LF,
	CHUNK_DATA_CR,
	CHUNK_DATA_LF,
	LAST_CR,
	LAST_LF,
};

void http_body_init(struct http_body *b, bool is_chunked, uint64_t length)
{
	*b = (struct http_body){
		.state = is_chunked ? CHUNK_SIZE : BODY_DATA,
		.is_chunked = is_chunked,
		.left = length,
		.is_complete = !is_chunked && length == 0,
	};
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

/* One byte of a chunk's size line. */
static int take_size_char(struct http_body *b, char c)
{
	int digit = hex_value(c);

	if (digit >= 0) {
		if (++b->n_digits > 15)
			return -EINVAL;
		b->left = b->left * 16 + (unsigned)digit;
		return 0;
	}
	if (c != '\r' || b->n_digits == 0)
		return -EINVAL;
	b->state = CHUNK_SIZE_LF;
	return 0;
}

/* One byte of what is around the chunks' data. */
static int take_frame_char(struct http_body *b, char c)
{
	switch ((enum state)b->state) {
	case CHUNK_SIZE:
		return take_size_char(b, c);
	case CHUNK_SIZE_LF:
		b->state = b->left > 0 ? BODY_DATA : LAST_CR;
		return c == '\n' ? 0 : -EINVAL;
	case CHUNK_DATA_CR:
		b->state = CHUNK_DATA_LF;
		return c == '\r' ? 0 : -EINVAL;
	case CHUNK_DATA_LF:
		b->state = CHUNK_SIZE;
		b->n_digits = 0;
		return c == '\n' ? 0 : -EINVAL;
	case LAST_CR:
		b->state = LAST_LF;
		return c == '\r' ? 0 : -EINVAL;
	case LAST_LF:
		b->is_complete = c == '\n';
		return c == '\n' ? 0 : -EINVAL;
	case BODY_DATA:
		break;
	}
	return -EINVAL;
}

ssize_t http_body_take(struct http_body *b, const char *data, size_t size, const char **ret_payload,
                       size_t *ret_size)
{
	size_t at = 0;

	*ret_payload = data;
	*ret_size = 0;
	while (at < size && !b->is_complete) {
		if (b->state != BODY_DATA) {
			if (take_frame_char(b, data[at++]) < 0)
				return -EINVAL;
			continue;
		}

		size_t n = size - at;
		if (n > b->left)
			n = (size_t)b->left;
		b->left -= n;
		if (b->left == 0 && b->is_chunked)
			b->state = CHUNK_DATA_CR;
		else if (b->left == 0)
			b->is_complete = true;
		*ret_payload = data + at;
		*ret_size = n;
		return (ssize_t)(at + n);
	}
	return (ssize_t)at;
}
