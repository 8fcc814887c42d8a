#include "lib/base/uuid.h"

#include <ctype.h>
#include <string.h>

#include "lib/base/random.h"

void uuid_make(char ret[UUID_SIZE])
{
	unsigned char b[16];
	static const char digits[] = "0123456789abcdef";

	random_bytes(b, sizeof(b));
	b[6] = (unsigned char)((b[6] & 0x0F) | 0x40); /* Version 4, RFC 9562. */
	b[8] = (unsigned char)((b[8] & 0x3F) | 0x80);

	char *at = ret;
	for (size_t i = 0; i < sizeof(b); i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*at++ = '-';
		*at++ = digits[b[i] >> 4];
		*at++ = digits[b[i] & 0x0F];
	}
	*at = '\0';
}

bool uuid_is_valid(const char *s)
{
	if (!s || strlen(s) != UUID_SIZE - 1)
		return false;

	for (size_t i = 0; i < UUID_SIZE - 1; i++) {
		bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (is_dash ? s[i] != '-' : !isxdigit((unsigned char)s[i]))
			return false;
	}
	return true;
}
