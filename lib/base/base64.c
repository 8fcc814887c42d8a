#include "lib/base/base64.h"

#include <errno.h>
#include <stdbool.h>

#include "lib/base/alloc.h"
#include "lib/base/scoped.h"

static const char plain_digits[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static char *encode(const uint8_t *data, size_t size, const char *digits, bool is_padded)
{
	char *text = xmalloc((size / 3 + 1) * 4 + 1), *at = text;

	for (; size >= 3; data += 3, size -= 3) {
		*at++ = digits[data[0] >> 2];
		*at++ = digits[(data[0] & 0x03) << 4 | data[1] >> 4];
		*at++ = digits[(data[1] & 0x0F) << 2 | data[2] >> 6];
		*at++ = digits[data[2] & 0x3F];
	}
	if (size) {
		*at++ = digits[data[0] >> 2];
		*at++ = digits[(data[0] & 0x03) << 4 | (size > 1 ? data[1] >> 4 : 0)];
		if (size > 1)
			*at++ = digits[(data[1] & 0x0F) << 2];
		for (size_t i = size; is_padded && i < 3; i++)
			*at++ = '=';
	}
	*at = '\0';
	return text;
}

char *base64_encode(const void *data, size_t size)
{
	return encode(data, size, plain_digits, true);
}

char *base64_encode_url(const void *data, size_t size)
{
	return encode(data, size, url_digits, false);
}

static int digit_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+' || c == '-')
		return 62;
	if (c == '/' || c == '_')
		return 63;

	return -1;
}

int base64_decode(const char *s, size_t size, uint8_t **ret_data, size_t *ret_size)
{
	scoped_free uint8_t *data = xmalloc(size / 4 * 3 + 4);
	uint8_t *at = data;
	uint32_t bits = 0;
	size_t n_digits = 0, n_padding = 0;

	for (size_t i = 0; i < size; i++) {
		if (s[i] == '\n' || s[i] == '\r')
			continue;
		if (s[i] == '=') {
			n_padding++;
			continue;
		}

		int value = digit_value(s[i]);
		if (value < 0 || n_padding)
			return -EINVAL;

		bits = bits << 6 | (uint32_t)value;
		if (++n_digits % 4 == 0) {
			*at++ = (uint8_t)(bits >> 16);
			*at++ = (uint8_t)(bits >> 8);
			*at++ = (uint8_t)bits;
		}
	}

	size_t rest = n_digits % 4;
	if (rest == 1 || (n_padding && rest + n_padding != 4))
		return -EINVAL;

	/* What is left of the last digit must be zero, or two texts would mean the same. */
	if ((rest == 2 && bits & 0x0F) || (rest == 3 && bits & 0x03))
		return -EINVAL;
	if (rest == 2)
		*at++ = (uint8_t)(bits >> 4);
	if (rest == 3) {
		*at++ = (uint8_t)(bits >> 10);
		*at++ = (uint8_t)(bits >> 2);
	}

	*at = '\0';
	*ret_size = (size_t)(at - data);
	*ret_data = TAKE_PTR(data);
	return 0;
}
