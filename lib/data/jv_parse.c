/* A descent along the grammar of RFC 8259, which builds json-c's objects as it goes. */
#include "lib/data/jv_parse.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/base/strbuf.h"
#include "lib/data/jv.h"

struct parser {
	const char *text, *at, *end;
	struct strbuf string; /* The one that was read last, unescaped. */
	int depth;
	struct error **err;
};

static int fail(struct parser *p, const char *problem)
{
	return error_set(p->err, 400, "Invalid JSON: %s at byte %zu", problem,
	                 (size_t)(p->at - p->text));
}

static void skip_space(struct parser *p)
{
	while (p->at < p->end &&
	       (*p->at == ' ' || *p->at == '\n' || *p->at == '\t' || *p->at == '\r'))
		p->at++;
}

/* Takes 'c' if it is next. */
static bool take(struct parser *p, char c)
{
	if (p->at >= p->end || *p->at != c)
		return false;

	p->at++;
	return true;
}

static bool is_digit(const struct parser *p)
{
	return p->at < p->end && *p->at >= '0' && *p->at <= '9';
}

/* Four hexadecimal digits, or -1. */
static int take_hex(struct parser *p)
{
	int value = 0;

	if (p->end - p->at < 4)
		return -1;

	for (int i = 0; i < 4; i++, p->at++) {
		char c = *p->at;

		if (c >= '0' && c <= '9')
			value = value * 16 + (c - '0');
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			value = value * 16 + ((c | 0x20) - 'a' + 10);
		else
			return -1;
	}
	return value;
}

static void add_utf8(struct strbuf *b, unsigned c)
{
	if (c < 0x80) {
		strbuf_add_char(b, (char)c);
		return;
	}
	if (c < 0x800) {
		strbuf_add_char(b, (char)(0xC0 | c >> 6));
	} else if (c < 0x10000) {
		strbuf_add_char(b, (char)(0xE0 | c >> 12));
		strbuf_add_char(b, (char)(0x80 | (c >> 6 & 0x3F)));
	} else {
		strbuf_add_char(b, (char)(0xF0 | c >> 18));
		strbuf_add_char(b, (char)(0x80 | (c >> 12 & 0x3F)));
		strbuf_add_char(b, (char)(0x80 | (c >> 6 & 0x3F)));
	}
	strbuf_add_char(b, (char)(0x80 | (c & 0x3F)));
}

/* Behind "\u": one character, which may take two of them. */
static int read_unicode(struct parser *p)
{
	int high = take_hex(p), low = 0;

	if (high < 0)
		return fail(p, "bad \\u escape");
	if (high == 0)
		return fail(p, "NUL character");
	if (high >= 0xD800 && high <= 0xDBFF) {
		if (take(p, '\\') && take(p, 'u'))
			low = take_hex(p);
		if (low < 0xDC00 || low > 0xDFFF)
			return fail(p, "unpaired surrogate");
		high = 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
	} else if (high >= 0xDC00 && high <= 0xDFFF) {
		return fail(p, "unpaired surrogate");
	}
	add_utf8(&p->string, (unsigned)high);
	return 0;
}

static int read_escape(struct parser *p)
{
	static const char letters[] = "\"\\/bfnrt", bytes[] = "\"\\/\b\f\n\r\t";

	if (take(p, 'u'))
		return read_unicode(p);

	const char *found = p->at < p->end && *p->at ? strchr(letters, *p->at) : NULL;
	if (!found)
		return fail(p, "bad escape");

	strbuf_add_char(&p->string, bytes[found - letters]);
	p->at++;
	return 0;
}

/* Reads a string, behind its opening quote, into 'p->string'. */
static int read_string(struct parser *p)
{
	strbuf_truncate(&p->string, 0);
	for (;;) {
		const char *start = p->at;

		while (p->at < p->end && (unsigned char)*p->at >= ' ' && *p->at != '"' &&
		       *p->at != '\\')
			p->at++;
		if (!str_is_utf8(start, (size_t)(p->at - start))) {
			p->at = start;
			return fail(p, "text that is not UTF-8");
		}
		strbuf_add_n(&p->string, start, (size_t)(p->at - start));

		if (p->at >= p->end)
			return fail(p, "unterminated string");
		if (take(p, '"'))
			return 0;
		if (!take(p, '\\'))
			return fail(p, "control character in a string");

		int r = read_escape(p);
		if (r < 0)
			return r;
	}
}

static int skip_digits(struct parser *p)
{
	if (!is_digit(p))
		return fail(p, "bad number");

	while (is_digit(p))
		p->at++;
	return 0;
}

static struct json_object *integer_of(const char *text)
{
	char *end;

	errno = 0;
	if (text[0] == '-') {
		int64_t value = strtoimax(text, &end, 10);

		return errno ? NULL : json_object_new_int64(value);
	}

	uint64_t value = strtoumax(text, &end, 10);
	return errno ? NULL : json_object_new_uint64(value);
}

static int parse_number(struct parser *p, struct json_object **ret)
{
	const char *start = p->at;
	bool is_integer = true;

	take(p, '-');
	int r = take(p, '0') ? 0 : skip_digits(p);
	if (r == 0 && take(p, '.')) {
		is_integer = false;
		r = skip_digits(p);
	}
	if (r == 0 && (take(p, 'e') || take(p, 'E'))) {
		is_integer = false;
		if (!take(p, '+'))
			take(p, '-');
		r = skip_digits(p);
	}
	if (r < 0)
		return r;

	scoped_free char *text = xstrndup(start, (size_t)(p->at - start));
	*ret = is_integer ? integer_of(text) : NULL;
	if (*ret)
		return 0;

	double value = strtod(text, NULL);
	if (!isfinite(value))
		return fail(p, "number out of range");

	*ret = json_object_new_double(value);
	return 0;
}

static int parse_word(struct parser *p, struct json_object **ret)
{
	static const char *const words[] = { "null", "true", "false" };

	for (size_t i = 0; i < COUNT_OF(words); i++) {
		size_t len = strlen(words[i]);

		if ((size_t)(p->end - p->at) < len || memcmp(p->at, words[i], len) != 0)
			continue;

		p->at += len;
		*ret = i == 0 ? NULL : json_object_new_boolean(i == 1);
		return 0;
	}
	return fail(p, p->at < p->end ? "unexpected character" : "unexpected end");
}

static int parse_value(struct parser *p, struct json_object **ret);

static int parse_member(struct parser *p, struct json_object *object)
{
	scoped(jv_unrefp) struct json_object *value = NULL;

	skip_space(p);
	if (!take(p, '"'))
		return fail(p, "no name of a member");

	int r = read_string(p);
	if (r < 0)
		return r;

	scoped_free char *key = strbuf_take(&p->string);
	if (json_object_object_get_ex(object, key, NULL))
		return error_set(p->err, 400, "Invalid JSON: duplicate key \"%s\"", key);

	skip_space(p);
	if (!take(p, ':'))
		return fail(p, "no colon after a name");

	r = parse_value(p, &value);
	if (r < 0)
		return r;

	json_object_object_add_ex(object, key, TAKE_PTR(value), JSON_C_OBJECT_ADD_KEY_IS_NEW);
	skip_space(p);
	return 0;
}

static int parse_object(struct parser *p, struct json_object **ret)
{
	scoped(jv_unrefp) struct json_object *object = jv_object();

	skip_space(p);
	if (!take(p, '}')) {
		do {
			int r = parse_member(p, object);
			if (r < 0)
				return r;
		} while (take(p, ','));
		if (!take(p, '}'))
			return fail(p, "no comma or end of an object");
	}
	*ret = TAKE_PTR(object);
	return 0;
}

static int parse_array(struct parser *p, struct json_object **ret)
{
	scoped(jv_unrefp) struct json_object *array = jv_array();

	skip_space(p);
	if (!take(p, ']')) {
		do {
			struct json_object *item = NULL;
			int r = parse_value(p, &item);
			if (r < 0)
				return r;

			jv_add_take(array, item);
			skip_space(p);
		} while (take(p, ','));
		if (!take(p, ']'))
			return fail(p, "no comma or end of an array");
	}
	*ret = TAKE_PTR(array);
	return 0;
}

static int parse_nested(struct parser *p, struct json_object **ret)
{
	if (p->depth == JV_PARSE_MAX_DEPTH)
		return fail(p, "too deep nesting");

	p->depth++;
	int r = *p->at++ == '{' ? parse_object(p, ret) : parse_array(p, ret);
	p->depth--;
	return r;
}

/* '*ret' must be NULL. */
static int parse_value(struct parser *p, struct json_object **ret)
{
	skip_space(p);
	if (p->at < p->end && (*p->at == '{' || *p->at == '['))
		return parse_nested(p, ret);
	if (p->at < p->end && (*p->at == '-' || is_digit(p)))
		return parse_number(p, ret);
	if (!take(p, '"'))
		return parse_word(p, ret);

	int r = read_string(p);
	if (r == 0)
		*ret = json_object_new_string_len(strbuf_text(&p->string), (int)p->string.size);
	return r;
}

int jv_parse(const char *text, size_t size, struct json_object **ret, struct error **err)
{
	struct parser p = { .text = text, .at = text, .end = text + size, .err = err };
	scoped(jv_unrefp) struct json_object *value = NULL;

	if (size > INT32_MAX)
		return error_set(err, 400, "Invalid JSON: too long");

	int r = parse_value(&p, &value);
	skip_space(&p);
	if (r == 0 && p.at < p.end)
		r = fail(&p, "more text after the value");

	strbuf_done(&p.string);
	if (r == 0)
		*ret = TAKE_PTR(value);
	return r;
}

int jv_parse_object(const char *text, size_t size, struct json_object **ret, struct error **err)
{
	scoped(jv_unrefp) struct json_object *value = NULL;

	int r = jv_parse(text, size, &value, err);
	if (r == 0)
		r = jv_check_object(value, "JSON", err);
	if (r == 0)
		*ret = TAKE_PTR(value);
	return r;
}
