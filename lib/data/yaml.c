/*
 * Reading: plain scalars are null, true, false, decimal integers and decimal fractions; everything
 * else is a string, so that "yes" or "0777" in a config map stay what was written. Writing is
 * stricter: what any version of YAML could take for another type is quoted.
 */
#include "lib/data/yaml.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/data/jv.h"
#include "lib/data/jv_print.h"

#define MAX_DEPTH 100
#define MAX_VALUES 100000 /* After aliases were replaced by what they stand for. */

struct decoder {
	yaml_document_t *document;
	size_t n_values;
	int depth;
	struct error **err;
};

static int decode_node(struct decoder *d, int index, struct json_object **ret);

static int fail_at(struct decoder *d, const yaml_node_t *node, const char *problem)
{
	return error_set(d->err, 400, "Invalid YAML: %s in line %zu", problem,
	                 node->start_mark.line + 1);
}

/* Whether 's' is "-", digits without a leading zero, and nothing more. */
static bool is_integer(const char *s)
{
	s += *s == '-';
	if (*s == '0')
		return s[1] == '\0';

	return str_is_made_of(s, "0123456789");
}

static bool is_fraction(const char *s)
{
	s += *s == '-';

	size_t n_whole = strspn(s, "0123456789"), n_after = 0;
	if (!n_whole || (*s == '0' && n_whole > 1))
		return false;

	s += n_whole;
	if (*s == '.') {
		n_after = strspn(++s, "0123456789");
		s += n_after;
		if (!n_after)
			return false;
	}
	if (*s == 'e' || *s == 'E') {
		s++;
		s += *s == '+' || *s == '-';

		size_t n_exponent = strspn(s, "0123456789");
		if (!n_exponent)
			return false;
		n_after += n_exponent;
		s += n_exponent;
	}
	return n_after && *s == '\0';
}

static struct json_object *integer_of(const char *s)
{
	errno = 0;
	if (*s == '-') {
		int64_t value = strtoimax(s, NULL, 10);

		return errno ? jv_of_string(s) : jv_of_int(value);
	}

	uint64_t value = strtoumax(s, NULL, 10);
	return errno ? jv_of_string(s) : json_object_new_uint64(value);
}

/* Whether 's' is the word in one of YAML's spellings: null, Null, NULL. */
static bool is_word(const char *s, const char *word)
{
	if (!str_equals_nocase(s, word))
		return false;

	bool is_rest_lower = strcmp(s + 1, word + 1) == 0;
	bool has_lower = s[strcspn(s, "abcdefghijklmnopqrstuvwxyz")] != '\0';
	return is_rest_lower || !has_lower;
}

static struct json_object *plain_value(const char *s)
{
	if (!*s || strcmp(s, "~") == 0 || is_word(s, "null"))
		return NULL;
	if (is_word(s, "true") || is_word(s, "false"))
		return json_object_new_boolean(tolower((unsigned char)s[0]) == 't');
	if (is_integer(s))
		return strcmp(s, "-0") == 0 ? jv_of_string(s) : integer_of(s);
	if (is_fraction(s) && isfinite(strtod(s, NULL)))
		return json_object_new_double_s(strtod(s, NULL), s);

	return jv_of_string(s);
}

static int decode_scalar(struct decoder *d, const yaml_node_t *node, struct json_object **ret)
{
	const char *text = (const char *)node->data.scalar.value;
	size_t size = node->data.scalar.length;
	bool is_plain = node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;

	if (memchr(text, '\0', size))
		return fail_at(d, node, "NUL character");

	*ret = is_plain ? plain_value(text) : json_object_new_string_len(text, (int)size);
	return 0;
}

static int decode_sequence(struct decoder *d, const yaml_node_t *node, struct json_object **ret)
{
	scoped(jv_unrefp) struct json_object *array = jv_array();

	for (const yaml_node_item_t *item = node->data.sequence.items.start;
	     item < node->data.sequence.items.top; item++) {
		struct json_object *value = NULL;
		int r = decode_node(d, *item, &value);
		if (r < 0)
			return r;

		jv_add_take(array, value);
	}
	*ret = TAKE_PTR(array);
	return 0;
}

static int decode_mapping(struct decoder *d, const yaml_node_t *node, struct json_object **ret)
{
	scoped(jv_unrefp) struct json_object *object = jv_object();

	for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
	     pair < node->data.mapping.pairs.top; pair++) {
		const yaml_node_t *key = yaml_document_get_node(d->document, pair->key);
		struct json_object *value = NULL;

		if (key->type != YAML_SCALAR_NODE ||
		    memchr(key->data.scalar.value, '\0', key->data.scalar.length))
			return fail_at(d, key, "key that is no text");

		const char *name = (const char *)key->data.scalar.value;
		if (json_object_object_get_ex(object, name, NULL))
			return fail_at(d, key, "duplicate key");

		int r = decode_node(d, pair->value, &value);
		if (r < 0)
			return r;

		json_object_object_add_ex(object, name, value, JSON_C_OBJECT_ADD_KEY_IS_NEW);
	}
	*ret = TAKE_PTR(object);
	return 0;
}

static int decode_node(struct decoder *d, int index, struct json_object **ret)
{
	const yaml_node_t *node = yaml_document_get_node(d->document, index);
	int r = 0;

	if (d->depth == MAX_DEPTH)
		return fail_at(d, node, "too deep nesting");
	if (++d->n_values > MAX_VALUES)
		return fail_at(d, node, "too many values");

	d->depth++;
	switch (node->type) {
	case YAML_SCALAR_NODE:
		r = decode_scalar(d, node, ret);
		break;
	case YAML_SEQUENCE_NODE:
		r = decode_sequence(d, node, ret);
		break;
	case YAML_MAPPING_NODE:
		r = decode_mapping(d, node, ret);
		break;
	case YAML_NO_NODE:
		break;
	}
	d->depth--;
	return r;
}

static int fail_parser(const yaml_parser_t *parser, struct error **err)
{
	return error_set(err, 400, "Invalid YAML: %s in line %zu",
	                 parser->problem ? parser->problem : "bad document",
	                 parser->problem_mark.line + 1);
}

/* Decodes the first document and sees to it that there is no second one. */
static int decode_stream(yaml_parser_t *parser, struct json_object **ret, struct error **err)
{
	yaml_document_t document, next;

	if (!yaml_parser_load(parser, &document))
		return fail_parser(parser, err);

	struct decoder d = { .document = &document, .err = err };
	scoped(jv_unrefp) struct json_object *value = NULL;
	bool is_empty = !yaml_document_get_root_node(&document);
	int r = is_empty ? 0 : decode_node(&d, 1, &value);
	yaml_document_delete(&document);
	if (r < 0)
		return r;

	if (!is_empty) {
		if (!yaml_parser_load(parser, &next))
			return fail_parser(parser, err);

		bool is_last = !yaml_document_get_root_node(&next);
		yaml_document_delete(&next);
		if (!is_last)
			return error_set(err, 400, "Invalid YAML: more than one document");
	}
	*ret = TAKE_PTR(value);
	return 0;
}

int yaml_decode(const char *text, size_t size, struct json_object **ret, struct error **err)
{
	yaml_parser_t parser;

	if (!yaml_parser_initialize(&parser))
		abort();

	yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
	int r = decode_stream(&parser, ret, err);
	yaml_parser_delete(&parser);
	return r;
}

/* Digits, which may be grouped with underscores. */
static size_t count_digits(const char *s, const char *digits)
{
	size_t n = 0;

	while (s[n] && (s[n] == '_' || strchr(digits, s[n])))
		n++;
	return n;
}

static bool is_based(const char *s)
{
	static const struct {
		const char *prefix, *digits;
	} bases[] = {
		{ "0x", "0123456789abcdef" },
		{ "0o", "01234567" },
		{ "0b", "01" },
	};
	scoped_free char *lower = str_lower(s);

	for (size_t i = 0; i < COUNT_OF(bases); i++) {
		const char *rest = str_after(lower, bases[i].prefix);

		if (rest && !rest[count_digits(rest, bases[i].digits)])
			return true;
	}
	return false;
}

/* Numbers of YAML 1.1 and 1.2: decimal, octal, fractions, exponents, base 60 ("1:30"). */
static bool is_like_number(const char *s)
{
	static const char decimal[] = "0123456789";

	s += *s == '-' || *s == '+';
	if (str_equals_nocase(s, ".inf") || str_equals_nocase(s, ".nan") ||
	    str_equals_nocase(s, "inf") || str_equals_nocase(s, "nan"))
		return true;
	if (!strpbrk(s, decimal))
		return false;
	if (is_based(s))
		return true;

	s += count_digits(s, decimal);
	while (*s == ':' && isdigit((unsigned char)s[1]))
		s += 1 + count_digits(s + 1, decimal);
	if (*s == '.')
		s += 1 + count_digits(s + 1, decimal);
	if (*s == 'e' || *s == 'E') {
		s++;
		s += *s == '-' || *s == '+';
		s += count_digits(s, decimal);
	}
	return *s == '\0';
}

/* "2024-01-31", with or without a time. */
static bool is_like_date(const char *s)
{
	size_t n_year = strspn(s, "0123456789");

	return n_year == 4 && s[4] == '-' && isdigit((unsigned char)s[5]) &&
	       s[strspn(s, "0123456789-:.+TtZz \t")] == '\0';
}

/* Whether some reader would take the plain text for something other than a string. */
static bool is_retyped(const char *s)
{
	static const char *const words[] = { "null", "~",  "true", "false", "yes",
		                             "no",   "on", "off",  "y",     "n" };

	for (size_t i = 0; i < COUNT_OF(words); i++)
		if (str_equals_nocase(s, words[i]))
			return true;

	return !*s || strcmp(s, "<<") == 0 || strcmp(s, "=") == 0 || is_like_number(s) ||
	       is_like_date(s);
}

/* Whether a literal block can hold the text: it is lines, and none of it needs an escape. */
static bool is_block(const char *s, size_t size)
{
	if (!memchr(s, '\n', size) || !size || isspace((unsigned char)s[0]))
		return false;

	for (size_t i = 0; i < size; i++) {
		if ((unsigned char)s[i] < ' ' && s[i] != '\n' && s[i] != '\t')
			return false;
		if (s[i] == '\n' && i && (s[i - 1] == ' ' || s[i - 1] == '\t'))
			return false;
	}
	return true;
}

static void emit(yaml_emitter_t *emitter, yaml_event_t *event)
{
	/* It fails for lack of memory and for bad order only. */
	if (!yaml_emitter_emit(emitter, event))
		abort();
}

static void emit_scalar(yaml_emitter_t *emitter, const char *text, size_t size,
                        yaml_scalar_style_t style)
{
	yaml_event_t event;

	if (!yaml_scalar_event_initialize(&event, NULL, NULL, (const unsigned char *)text,
	                                  (int)size, 1, 1, style))
		abort();
	emit(emitter, &event);
}

/* libyaml takes UTF-8 only, and refuses what is not. */
static char *printable_copy(const char *s, size_t size)
{
	struct strbuf b = { 0 };

	for (size_t i = 0; i < size;) {
		size_t len = str_utf8_len(s + i, size - i);

		if (len)
			strbuf_add_n(&b, s + i, len);
		else
			strbuf_add(&b, "\xEF\xBF\xBD");
		i += len ? len : 1;
	}
	return strbuf_take(&b);
}

static void emit_string(yaml_emitter_t *emitter, const char *s, size_t size)
{
	scoped_free char *text = printable_copy(s, size);

	size = strlen(text);
	if (is_block(text, size))
		emit_scalar(emitter, text, size, YAML_LITERAL_SCALAR_STYLE);
	else if (is_retyped(text) || memchr(text, '\n', size))
		emit_scalar(emitter, text, size, YAML_DOUBLE_QUOTED_SCALAR_STYLE);
	else
		emit_scalar(emitter, text, size, YAML_PLAIN_SCALAR_STYLE); /* Quoted if need be. */
}

static void emit_value(yaml_emitter_t *emitter, struct json_object *o);

static void emit_object(yaml_emitter_t *emitter, struct json_object *o)
{
	yaml_event_t event;
	yaml_mapping_style_t style =
		json_object_object_length(o) ? YAML_BLOCK_MAPPING_STYLE : YAML_FLOW_MAPPING_STYLE;

	if (!yaml_mapping_start_event_initialize(&event, NULL, NULL, 1, style))
		abort();
	emit(emitter, &event);
	JV_FOREACH (o, key, value) {
		emit_string(emitter, key, strlen(key));
		emit_value(emitter, value);
	}
	yaml_mapping_end_event_initialize(&event);
	emit(emitter, &event);
}

static void emit_array(yaml_emitter_t *emitter, struct json_object *o)
{
	yaml_event_t event;
	yaml_sequence_style_t style =
		jv_len(o) ? YAML_BLOCK_SEQUENCE_STYLE : YAML_FLOW_SEQUENCE_STYLE;

	if (!yaml_sequence_start_event_initialize(&event, NULL, NULL, 1, style))
		abort();
	emit(emitter, &event);
	for (size_t i = 0; i < jv_len(o); i++)
		emit_value(emitter, jv_item(o, i));
	yaml_sequence_end_event_initialize(&event);
	emit(emitter, &event);
}

static void emit_value(yaml_emitter_t *emitter, struct json_object *o)
{
	scoped(strbuf_done) struct strbuf b = { 0 };

	switch (json_object_get_type(o)) {
	case json_type_object:
		emit_object(emitter, o);
		break;
	case json_type_array:
		emit_array(emitter, o);
		break;
	case json_type_string:
		emit_string(emitter, json_object_get_string(o),
		            (size_t)json_object_get_string_len(o));
		break;
	case json_type_null:
	case json_type_boolean:
	case json_type_int:
	case json_type_double:
		jv_print(o, &b);
		emit_scalar(emitter, b.text, b.size, YAML_PLAIN_SCALAR_STYLE);
		break;
	}
}

static int append(void *arg, unsigned char *data, size_t size)
{
	strbuf_add_n(arg, data, size);
	return 1;
}

void yaml_encode(struct json_object *o, struct strbuf *b)
{
	yaml_emitter_t emitter;
	yaml_event_t event;

	if (!yaml_emitter_initialize(&emitter))
		abort();

	yaml_emitter_set_output(&emitter, append, b);
	yaml_emitter_set_unicode(&emitter, 1);
	yaml_emitter_set_width(&emitter, -1);
	yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING);
	emit(&emitter, &event);
	yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1);
	emit(&emitter, &event);
	emit_value(&emitter, o);
	yaml_document_end_event_initialize(&event, 1);
	emit(&emitter, &event);
	yaml_stream_end_event_initialize(&event);
	emit(&emitter, &event);
	yaml_emitter_delete(&emitter);
}
