/*
 * A fragment is an integer with a jv_text for its user data. Nobody else hangs anything on
 * integers, so that is how one is known. Doubles with user data are those of
 * json_object_new_double_s(), which keep the text that they were read from.
 */
#include "lib/data/jv_print.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/data/jv.h"

/* Appends an escape for a byte that cannot stand for itself. */
static void print_escape(unsigned char c, struct strbuf *b)
{
	static const char bytes[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
	const char *found = c ? strchr(bytes, c) : NULL;

	if (!found) {
		strbuf_addf(b, "\\u%04x", (unsigned)c);
		return;
	}
	strbuf_add_char(b, '\\');
	strbuf_add_char(b, letters[found - bytes]);
}

/* Whether a byte may be other than itself in a string: controls, quotes, backslashes, no ASCII. */
static bool needs_care(unsigned char c)
{
	return c < ' ' || c >= 0x80 || c == '"' || c == '\\';
}

/* How many bytes can be copied as they are; eight at a time, as most are. */
static size_t count_clean(const char *s, size_t size)
{
	const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones << 7;
	size_t n = 0;

	for (; size - n >= sizeof(uint64_t); n += sizeof(uint64_t)) {
		uint64_t word;

		/* A top bit is set for bytes that are zero after the xor, below ' ', or not ASCII.
		 */
		memcpy(&word, s + n, sizeof(word));
		uint64_t quote = word ^ ones * '"', backslash = word ^ ones * '\\';
		if (((quote - ones) | (backslash - ones) | (word - ones * ' ') | word) & tops)
			break;
	}
	while (n < size && !needs_care((unsigned char)s[n]))
		n++;
	return n;
}

/* Appends what needs care at 's'; returns how many bytes of it. */
static size_t print_careful(const char *s, size_t size, struct strbuf *b)
{
	unsigned char c = (unsigned char)*s;
	size_t len = c >= 0x80 ? str_utf8_len(s, size) : 0;

	if (len)
		strbuf_add_n(b, s, len);
	else if (c >= 0x80)
		strbuf_add(b, "\xEF\xBF\xBD"); /* U+FFFD, as Go does. */
	else
		print_escape(c, b);
	return len ? len : 1;
}

void jv_print_string(const char *s, size_t size, struct strbuf *b)
{
	size_t n = count_clean(s, size);
	char *at = strbuf_reserve(b, n + 2);

	at[0] = '"';
	memcpy(at + 1, s, n);
	strbuf_advance(b, n + 1);
	while (n < size) {
		n += print_careful(s + n, size - n, b);

		size_t clean = count_clean(s + n, size - n);
		strbuf_add_n(b, s + n, clean);
		n += clean;
	}
	strbuf_add_char(b, '"');
}

/* The shortest text that reads as the same number, and not as an integer. */
static void print_double(struct json_object *o, struct strbuf *b)
{
	const char *text = json_object_get_userdata(o);
	double value = json_object_get_double(o);
	char buf[32];

	if (text) {
		strbuf_add(b, text);
		return;
	}
	if (!isfinite(value)) {
		strbuf_add(b, "null"); /* JSON has no word for it. */
		return;
	}
	for (int precision = 15; precision <= 17; precision++) {
		snprintf(buf, sizeof(buf), "%.*g", precision, value);

		double again = strtod(buf, NULL);
		if (!(again < value) && !(again > value))
			break;
	}
	strbuf_add(b, buf);
	if (!strpbrk(buf, ".e"))
		strbuf_add(b, ".0");
}

static void print_int(struct json_object *o, struct strbuf *b)
{
	const struct jv_text *fragment = jv_print_fragment_text(o);
	char buf[24], *at = buf + sizeof(buf);
	int64_t value = json_object_get_int64(o);

	if (fragment) {
		strbuf_add_n(b, fragment->text, fragment->size);
		return;
	}

	uint64_t left = value < 0 ? 0 - (uint64_t)value : json_object_get_uint64(o);
	do {
		*--at = (char)('0' + left % 10);
		left /= 10;
	} while (left);
	if (value < 0)
		*--at = '-';
	strbuf_add_n(b, at, (size_t)(buf + sizeof(buf) - at));
}

/* 'level' is how deep lines are indented, or negative for one line. */
static void break_line(struct strbuf *b, int level)
{
	if (level < 0)
		return;

	strbuf_add_char(b, '\n');
	for (int i = 0; i < level; i++)
		strbuf_add(b, "  ");
}

static void print_value(struct json_object *o, struct strbuf *b, int level);

static void print_object(struct json_object *o, struct strbuf *b, int level)
{
	int inner = level < 0 ? level : level + 1;
	bool is_first = true;

	strbuf_add_char(b, '{');
	JV_FOREACH (o, key, value) {
		if (!is_first)
			strbuf_add_char(b, ',');
		is_first = false;
		break_line(b, inner);
		jv_print_string(key, strlen(key), b);
		strbuf_add(b, level < 0 ? ":" : ": ");
		print_value(value, b, inner);
	}
	if (!is_first)
		break_line(b, level);
	strbuf_add_char(b, '}');
}

static void print_array(struct json_object *o, struct strbuf *b, int level)
{
	size_t len = json_object_array_length(o);
	int inner = level < 0 ? level : level + 1;

	strbuf_add_char(b, '[');
	for (size_t i = 0; i < len; i++) {
		if (i)
			strbuf_add_char(b, ',');
		break_line(b, inner);
		print_value(json_object_array_get_idx(o, i), b, inner);
	}
	if (len)
		break_line(b, level);
	strbuf_add_char(b, ']');
}

static void print_value(struct json_object *o, struct strbuf *b, int level)
{
	switch (json_object_get_type(o)) {
	case json_type_null:
		strbuf_add(b, "null");
		break;
	case json_type_boolean:
		strbuf_add(b, json_object_get_boolean(o) ? "true" : "false");
		break;
	case json_type_double:
		print_double(o, b);
		break;
	case json_type_int:
		print_int(o, b);
		break;
	case json_type_object:
		print_object(o, b, level);
		break;
	case json_type_array:
		print_array(o, b, level);
		break;
	case json_type_string:
		jv_print_string(json_object_get_string(o), (size_t)json_object_get_string_len(o),
		                b);
		break;
	}
}

void jv_print(struct json_object *o, struct strbuf *b)
{
	print_value(o, b, -1);
}

void jv_print_pretty(struct json_object *o, struct strbuf *b)
{
	print_value(o, b, 0);
}

char *jv_print_text(struct json_object *o, size_t *ret_size)
{
	struct strbuf b = { 0 };

	jv_print(o, &b);
	if (ret_size)
		*ret_size = b.size;
	return strbuf_take(&b);
}

struct jv_text *jv_print_shared(struct json_object *o)
{
	scoped(strbuf_done) struct strbuf b = { 0 };

	jv_print(o, &b);
	struct jv_text *t = xmalloc(sizeof(*t) + b.size + 1);
	refs_init(&t->refs);
	t->size = b.size;
	memcpy(t->text, b.text, b.size + 1);
	return t;
}

struct jv_text *jv_print_ref(struct jv_text *t)
{
	if (t)
		refs_get(&t->refs);
	return t;
}

void jv_print_unref(struct jv_text *t)
{
	if (t && refs_put(&t->refs))
		free(t);
}

/* For json-c's own printer. */
static int print_fragment(struct json_object *o, struct printbuf *pb, int level, int flags)
{
	const struct jv_text *t = json_object_get_userdata(o);

	return printbuf_memappend(pb, t->text, (int)t->size);
}

static void drop_fragment(struct json_object *o, void *userdata)
{
	jv_print_unref(userdata);
}

struct json_object *jv_print_fragment(struct jv_text *t)
{
	struct json_object *o = jv_of_int(0);

	json_object_set_serializer(o, print_fragment, jv_print_ref(t), drop_fragment);
	return o;
}

struct jv_text *jv_print_fragment_text(struct json_object *o)
{
	return json_object_is_type(o, json_type_int) ? json_object_get_userdata(o) : NULL;
}
