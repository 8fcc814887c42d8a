#include "lib/data/jv.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/date.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/data/jv_print.h"

struct json_object *jv_member(struct json_object *obj, const char *key)
{
	struct json_object *value = NULL;

	if (json_object_is_type(obj, json_type_object))
		json_object_object_get_ex(obj, key, &value);
	return value;
}

static int bad_type(struct error **err, const char *key, const char *wanted)
{
	return error_set(err, 400, "Invalid value for field \"%s\": must be %s", key, wanted);
}

int jv_get_string(struct json_object *obj, const char *key, const char **ret, struct error **err)
{
	struct json_object *value = jv_member(obj, key);

	if (!value)
		return 0;
	if (!json_object_is_type(value, json_type_string))
		return bad_type(err, key, "a string");

	*ret = json_object_get_string(value);
	return 1;
}

int jv_get_bool(struct json_object *obj, const char *key, bool *ret, struct error **err)
{
	struct json_object *value = jv_member(obj, key);

	if (!value)
		return 0;
	if (!json_object_is_type(value, json_type_boolean))
		return bad_type(err, key, "true or false");

	*ret = json_object_get_boolean(value);
	return 1;
}

int jv_get_int(struct json_object *obj, const char *key, int64_t *ret, struct error **err)
{
	struct json_object *value = jv_member(obj, key);

	if (!value)
		return 0;

	/* Numbers beyond its range json-c turns into the nearest one that it can give. */
	if (!json_object_is_type(value, json_type_int) ||
	    (json_object_get_int64(value) == INT64_MAX &&
	     json_object_get_uint64(value) != (uint64_t)INT64_MAX))
		return bad_type(err, key, "an integer");

	*ret = json_object_get_int64(value);
	return 1;
}

int jv_get_uint(struct json_object *obj, const char *key, uint64_t *ret, struct error **err)
{
	struct json_object *value = jv_member(obj, key);

	if (!value)
		return 0;
	if (!json_object_is_type(value, json_type_int) || json_object_get_int64(value) < 0)
		return bad_type(err, key, "a non-negative integer");

	*ret = json_object_get_uint64(value);
	return 1;
}

int jv_get_object(struct json_object *obj, const char *key, struct json_object **ret,
                  struct error **err)
{
	struct json_object *value = jv_member(obj, key);

	if (!value)
		return 0;
	if (!json_object_is_type(value, json_type_object))
		return bad_type(err, key, "an object");

	*ret = value;
	return 1;
}

int jv_get_array(struct json_object *obj, const char *key, struct json_object **ret,
                 struct error **err)
{
	struct json_object *value = jv_member(obj, key);

	if (!value)
		return 0;
	if (!json_object_is_type(value, json_type_array))
		return bad_type(err, key, "an array");

	*ret = value;
	return 1;
}

int jv_get_date(struct json_object *obj, const char *key, int64_t *ret, struct error **err)
{
	const char *text = NULL;

	int r = jv_get_string(obj, key, &text, err);
	if (r <= 0 || !text)
		return r;

	return date_parse(text, ret) < 0 ? bad_type(err, key, "a date as of RFC 3339") : 1;
}

int jv_to_smap(struct json_object *o, const char *what, struct smap *ret, struct error **err)
{
	int r = jv_check_object(o, what, err);
	if (r < 0)
		return r;

	JV_FOREACH (o, key, value)
		if (!json_object_is_type(value, json_type_string))
			return error_set(err, 400,
			                 "Invalid value for \"%s\" in %s: must be a string", key,
			                 what);

	smap_clear(ret);
	JV_FOREACH (o, key, value)
		smap_set(ret, key, json_object_get_string(value));
	return 0;
}

int jv_get_smap(struct json_object *obj, const char *key, struct smap *ret, struct error **err)
{
	struct json_object *value = NULL;

	int r = jv_get_object(obj, key, &value, err);
	if (r <= 0)
		return r;

	scoped_free char *what = xasprintf("field \"%s\"", key);
	r = jv_to_smap(value, what, ret, err);
	return r < 0 ? r : 1;
}

int jv_get_strv(struct json_object *obj, const char *key, char ***ret, struct error **err)
{
	struct json_object *value = NULL;

	int r = jv_get_array(obj, key, &value, err);
	if (r <= 0)
		return r;

	scoped(strv_freep) char **v = NULL;
	for (size_t i = 0; i < jv_len(value); i++) {
		const char *s = jv_string(jv_item(value, i));

		if (!s)
			return bad_type(err, key, "an array of strings");
		strv_add(&v, s);
	}
	strv_free(*ret);
	*ret = TAKE_PTR(v);
	return 1;
}

static int is_missing(struct error **err, const char *key)
{
	return error_set(err, 400, "Field \"%s\" is required", key);
}

int jv_need_string(struct json_object *obj, const char *key, const char **ret, struct error **err)
{
	const char *text = NULL;

	int r = jv_get_string(obj, key, &text, err);
	if (r < 0)
		return r;
	if (str_is_empty(text))
		return is_missing(err, key);

	*ret = text;
	return 0;
}

int jv_need_object(struct json_object *obj, const char *key, struct json_object **ret,
                   struct error **err)
{
	int r = jv_get_object(obj, key, ret, err);

	return r < 0 ? r : r == 0 ? is_missing(err, key) : 0;
}

int jv_need_array(struct json_object *obj, const char *key, struct json_object **ret,
                  struct error **err)
{
	int r = jv_get_array(obj, key, ret, err);

	return r < 0 ? r : r == 0 ? is_missing(err, key) : 0;
}

int jv_check_object(struct json_object *o, const char *what, struct error **err)
{
	if (json_object_is_type(o, json_type_object))
		return 0;

	return error_set(err, 400, "Invalid %s: must be an object", what);
}

void jv_coerce_strings(struct json_object *obj, const char *key)
{
	JV_FOREACH (jv_member(obj, key), name, value) {
		scoped(strbuf_done) struct strbuf b = { 0 };

		if (json_object_is_type(value, json_type_string) ||
		    json_object_is_type(value, json_type_object) ||
		    json_object_is_type(value, json_type_array))
			continue;
		if (value)
			jv_print(value, &b);

		/* The key stays where it is; only its value changes. */
		name_at.entry->v = jv_of_string(strbuf_text(&b));
		jv_unref(value);
	}
}

const char *jv_string(struct json_object *o)
{
	return json_object_is_type(o, json_type_string) ? json_object_get_string(o) : NULL;
}

const char *jv_text(struct json_object *obj, const char *key)
{
	return jv_string(jv_member(obj, key));
}

bool jv_flag(struct json_object *obj, const char *key)
{
	struct json_object *value = jv_member(obj, key);

	return json_object_is_type(value, json_type_boolean) && json_object_get_boolean(value);
}

int64_t jv_number(struct json_object *obj, const char *key)
{
	struct json_object *value = jv_member(obj, key);

	return json_object_is_type(value, json_type_int) ? json_object_get_int64(value) : 0;
}

size_t jv_len(struct json_object *array)
{
	return json_object_is_type(array, json_type_array) ? json_object_array_length(array) : 0;
}

struct json_object *jv_item(struct json_object *array, size_t i)
{
	return i < jv_len(array) ? json_object_array_get_idx(array, i) : NULL;
}

/* Allocation does not fail in this tree; json-c says so with NULL. */
static struct json_object *check(struct json_object *o)
{
	if (!o)
		abort();
	return o;
}

struct json_object *jv_object(void)
{
	return check(json_object_new_object());
}

struct json_object *jv_array(void)
{
	return check(json_object_new_array());
}

struct json_object *jv_of_string(const char *s)
{
	return check(json_object_new_string(str_or_empty(s)));
}

struct json_object *jv_of_stringf(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	scoped_free char *s = xvasprintf(fmt, args);
	va_end(args);
	return jv_of_string(s);
}

struct json_object *jv_of_int(int64_t v)
{
	return check(json_object_new_int64(v));
}

struct json_object *jv_of_smap(const struct smap *m)
{
	struct json_object *o = jv_object();

	SMAP_FOREACH (e, m)
		json_object_object_add_ex(o, e->key, jv_of_string(e->value),
		                          JSON_C_OBJECT_ADD_KEY_IS_NEW);
	return o;
}

struct json_object *jv_of_strv(char *const *v)
{
	struct json_object *array = jv_array();

	STRV_FOREACH (s, v)
		jv_add_string(array, s);
	return array;
}

void jv_set_take(struct json_object *obj, const char *key, struct json_object *value)
{
	json_object_object_add(obj, key, value);
}

void jv_set_string(struct json_object *obj, const char *key, const char *value)
{
	jv_set_take(obj, key, jv_of_string(value));
}

void jv_set_stringf(struct json_object *obj, const char *key, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	scoped_free char *s = xvasprintf(fmt, args);
	va_end(args);
	jv_set_string(obj, key, s);
}

void jv_set_bool(struct json_object *obj, const char *key, bool value)
{
	jv_set_take(obj, key, check(json_object_new_boolean(value)));
}

void jv_set_int(struct json_object *obj, const char *key, int64_t value)
{
	jv_set_take(obj, key, jv_of_int(value));
}

void jv_set_uint(struct json_object *obj, const char *key, uint64_t value)
{
	jv_set_take(obj, key, check(json_object_new_uint64(value)));
}

void jv_set_double(struct json_object *obj, const char *key, double value)
{
	jv_set_take(obj, key, check(json_object_new_double(value)));
}

void jv_set_date(struct json_object *obj, const char *key, int64_t date)
{
	char buf[DATE_SIZE];

	jv_set_string(obj, key, date_format(date, buf));
}

void jv_set_smap(struct json_object *obj, const char *key, const struct smap *m)
{
	jv_set_take(obj, key, jv_of_smap(m));
}

void jv_set_strv(struct json_object *obj, const char *key, char *const *v)
{
	jv_set_take(obj, key, jv_of_strv(v));
}

void jv_set_null(struct json_object *obj, const char *key)
{
	jv_set_take(obj, key, NULL);
}

void jv_unset(struct json_object *obj, const char *key)
{
	json_object_object_del(obj, key);
}

void jv_add_take(struct json_object *array, struct json_object *value)
{
	json_object_array_add(array, value);
}

void jv_add_string(struct json_object *array, const char *s)
{
	jv_add_take(array, jv_of_string(s));
}

void jv_add_int(struct json_object *array, int64_t v)
{
	jv_add_take(array, jv_of_int(v));
}

static struct json_object *copy_array(struct json_object *array)
{
	struct json_object *copy = jv_array();

	for (size_t i = 0; i < jv_len(array); i++)
		jv_add_take(copy, jv_copy(jv_item(array, i)));
	return copy;
}

static struct json_object *copy_object(struct json_object *obj)
{
	struct json_object *copy = jv_object();

	JV_FOREACH (obj, key, value)
		json_object_object_add_ex(copy, key, jv_copy(value), JSON_C_OBJECT_ADD_KEY_IS_NEW);
	return copy;
}

static struct json_object *copy_int(struct json_object *o)
{
	struct jv_text *fragment = jv_print_fragment_text(o);

	if (fragment)
		return jv_print_fragment(fragment);
	if (json_object_get_int64(o) < 0)
		return jv_of_int(json_object_get_int64(o));

	return check(json_object_new_uint64(json_object_get_uint64(o)));
}

struct json_object *jv_copy(struct json_object *o)
{
	switch (json_object_get_type(o)) {
	case json_type_null:
		return NULL;
	case json_type_boolean:
		return check(json_object_new_boolean(json_object_get_boolean(o)));
	case json_type_double:
		if (json_object_get_userdata(o))
			return check(json_object_new_double_s(json_object_get_double(o),
			                                      json_object_get_userdata(o)));
		return check(json_object_new_double(json_object_get_double(o)));
	case json_type_int:
		return copy_int(o);
	case json_type_object:
		return copy_object(o);
	case json_type_array:
		return copy_array(o);
	case json_type_string:
		return check(json_object_new_string_len(json_object_get_string(o),
		                                        json_object_get_string_len(o)));
	}
	abort();
}

bool jv_equals(struct json_object *a, struct json_object *b)
{
	return json_object_equal(a, b);
}

void jv_merge(struct json_object *obj, struct json_object *patch)
{
	JV_FOREACH (patch, key, value) {
		struct json_object *old = jv_member(obj, key);

		if (json_object_is_type(old, json_type_object) &&
		    json_object_is_type(value, json_type_object))
			jv_merge(old, value);
		else
			jv_set_take(obj, key, jv_copy(value));
	}
}

/* Follows 'field' along its dots; the longest key that fits is taken first. */
static struct json_object *find_field(struct json_object *obj, const char *field)
{
	struct json_object *value = jv_member(obj, field);

	for (size_t len = strlen(field); !value && len--;) {
		if (field[len] != '.')
			continue;

		scoped_free char *key = xstrndup(field, len);
		struct json_object *inner = jv_member(obj, key);
		if (json_object_is_type(inner, json_type_object))
			value = find_field(inner, field + len + 1);
	}
	return value;
}

static bool look_up(const char *field, struct strbuf *ret, void *arg)
{
	struct json_object *value = find_field(arg, field);

	if (!value)
		return false;
	if (json_object_is_type(value, json_type_string))
		strbuf_add(ret, json_object_get_string(value));
	else if (json_object_is_type(value, json_type_array))
		for (size_t i = 0; i < jv_len(value); i++)
			strbuf_addf(ret, "%s%s", i ? "," : "",
			            str_or_empty(jv_string(jv_item(value, i))));
	else
		jv_print(value, ret);
	return true;
}

bool jv_matches(struct json_object *obj, const struct filter *f)
{
	return filter_matches(f, look_up, obj);
}
