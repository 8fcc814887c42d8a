#include "lib/base/strbuf.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"

/* The capacity that holds 'needed' bytes: it doubles, so that adding is cheap in the long run. */
static void grow(struct strbuf *b, size_t more)
{
	size_t needed = b->size + more + 1;

	assert(needed > b->size);
	if (needed <= b->capacity)
		return;

	size_t capacity = b->capacity < 64 ? 64 : b->capacity;
	while (capacity < needed)
		capacity += capacity > SIZE_MAX / 2 ? needed - capacity : capacity;

	b->text = xrealloc(b->text, capacity);
	b->capacity = capacity;
}

char *strbuf_reserve(struct strbuf *b, size_t size)
{
	grow(b, size);
	b->text[b->size] = '\0'; /* Also if nothing comes to be written. */
	return b->text + b->size;
}

void strbuf_advance(struct strbuf *b, size_t size)
{
	assert(b->size + size < b->capacity);
	b->size += size;
	b->text[b->size] = '\0';
}

void strbuf_add_n(struct strbuf *b, const void *data, size_t size)
{
	grow(b, size);
	if (size)
		memcpy(b->text + b->size, data, size);
	b->size += size;
	b->text[b->size] = '\0';
}

void strbuf_add(struct strbuf *b, const char *s)
{
	strbuf_add_n(b, s, s ? strlen(s) : 0);
}

void strbuf_add_char(struct strbuf *b, char c)
{
	grow(b, 1);
	b->text[b->size++] = c;
	b->text[b->size] = '\0';
}

void strbuf_vaddf(struct strbuf *b, const char *fmt, va_list args)
{
	va_list again;

	va_copy(again, args);
	grow(b, 63);

	size_t room = b->capacity - b->size;
	int len = vsnprintf(b->text + b->size, room, fmt, args);
	assert(len >= 0);
	if ((size_t)len >= room) {
		grow(b, (size_t)len);
		vsnprintf(b->text + b->size, (size_t)len + 1, fmt, again);
	}
	va_end(again);
	b->size += (size_t)len;
}

void strbuf_addf(struct strbuf *b, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	strbuf_vaddf(b, fmt, args);
	va_end(args);
}

void strbuf_truncate(struct strbuf *b, size_t size)
{
	if (size >= b->size)
		return;

	b->size = size;
	b->text[size] = '\0';
}

void strbuf_consume(struct strbuf *b, size_t size)
{
	if (!b->text)
		return;

	size = MIN_OF(size, b->size);
	b->size -= size;
	memmove(b->text, b->text + size, b->size + 1);
}

const char *strbuf_text(const struct strbuf *b)
{
	return b->text ? b->text : "";
}

char *strbuf_take(struct strbuf *b)
{
	char *text = b->text ? b->text : xstrdup("");

	*b = (struct strbuf){ 0 };
	return text;
}

void strbuf_done(struct strbuf *b)
{
	free(b->text);
	*b = (struct strbuf){ 0 };
}
