/*
 * Integers in binary messages.
 *
 * A struct bytes reads: each call takes from the front. Reading beyond the end sets 'is_bad' and
 * yields zero, so that a decoder checks once, at its end. The bytes_put functions append to a
 * strbuf.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/strbuf.h"

struct bytes {
	const uint8_t *data; /* What is left. */
	size_t size;
	bool is_bad; /* Something was read that is not there. */
};

uint8_t bytes_u8(struct bytes *b);
uint16_t bytes_le16(struct bytes *b);
uint32_t bytes_le32(struct bytes *b);
uint64_t bytes_le64(struct bytes *b);
uint16_t bytes_be16(struct bytes *b);
uint32_t bytes_be32(struct bytes *b);
uint64_t bytes_be64(struct bytes *b);

/* The next 'size' bytes, borrowed from the buffer, or NULL. */
const uint8_t *bytes_take(struct bytes *b, size_t size);

/* The next text with its NUL, borrowed from the buffer, or NULL if there is no NUL in what is left.
 */
const char *bytes_text(struct bytes *b);

void bytes_put_u8(struct strbuf *b, uint8_t v);
void bytes_put_le16(struct strbuf *b, uint16_t v);
void bytes_put_le32(struct strbuf *b, uint32_t v);
void bytes_put_le64(struct strbuf *b, uint64_t v);
void bytes_put_be16(struct strbuf *b, uint16_t v);
void bytes_put_be32(struct strbuf *b, uint32_t v);
void bytes_put_be64(struct strbuf *b, uint64_t v);

/* Lower-case hexadecimal, owned by the caller. */
char *bytes_to_hex(const void *data, size_t size) MUST_CHECK;

/* Reads exactly 'size' bytes from 2 * size digits; -EINVAL otherwise. */
int bytes_of_hex(const char *hex, void *ret_data, size_t size);
