/* Text that grows. All zero is an empty one: "scoped(strbuf_done) struct strbuf b = { 0 };". */
#pragma once

#include <stdarg.h>
#include <stddef.h>

#include "lib/base/macro.h"

struct strbuf {
	char *text;      /* Ends with a NUL once anything was added; may hold others. */
	size_t size;     /* Without that NUL. */
	size_t capacity; /* Private. */
};

void strbuf_add(struct strbuf *b, const char *s);
void strbuf_add_n(struct strbuf *b, const void *data, size_t size);
void strbuf_add_char(struct strbuf *b, char c);
void strbuf_addf(struct strbuf *b, const char *fmt, ...) PRINTF(2, 3);
void strbuf_vaddf(struct strbuf *b, const char *fmt, va_list args) PRINTF(2, 0);

/* Room for 'size' more bytes at the end, to be counted with strbuf_advance() once written. */
char *strbuf_reserve(struct strbuf *b, size_t size);
void strbuf_advance(struct strbuf *b, size_t size);

/* Removes what is beyond 'size' bytes. */
void strbuf_truncate(struct strbuf *b, size_t size);

/* Removes the first 'size' bytes. */
void strbuf_consume(struct strbuf *b, size_t size);

/* The text, never NULL; borrowed from 'b' until it changes. */
const char *strbuf_text(const struct strbuf *b);

/* The text, owned by the caller, never NULL; 'b' is empty afterwards. */
char *strbuf_take(struct strbuf *b) MUST_CHECK;

void strbuf_done(struct strbuf *b);
