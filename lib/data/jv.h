/*
 * JSON values: typed access to json-c's objects.
 *
 * What clients send is read with the functions that take an error: a field that is absent or null
 * leaves the result as it is, a field of the wrong type is a 400 that names it. Documents of our
 * own are read with the lenient ones (jv_text, jv_flag, jv_number, jv_member).
 *
 * json-c counts references without atomics: an object belongs to one thread at a time. Texts that
 * several threads share are struct jv_text.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <json-c/json.h>

#include "lib/base/error.h"
#include "lib/base/filter.h"
#include "lib/base/scoped.h"
#include "lib/base/smap.h"
#include "lib/base/strbuf.h"

/* "scoped(jv_unrefp) struct json_object *o = NULL;" */
static inline void jv_unref(struct json_object *o)
{
	json_object_put(o);
}
DEFINE_SCOPED(struct json_object *, jv_unref);

/* Another reference to 'o', owned by the caller. */
static inline struct json_object *jv_ref(struct json_object *o)
{
	return json_object_get(o);
}

/*
 * "JV_FOREACH (obj, key, value) {...}": the members of an object (or NULL), in their order. The
 * current one may be removed meanwhile.
 */
#define JV_FOREACH(obj, key, value)                                                       \
	for (struct jv_at key##_at = jv_begin(obj); key##_at.entry; jv_next(&key##_at))   \
		for (const char *key = lh_entry_k(key##_at.entry); key; key = NULL)       \
			for (struct json_object *value = lh_entry_v(key##_at.entry); key; \
			     (void)value, key##_at.has_run = true, key = NULL)

/* Where JV_FOREACH is. */
struct jv_at {
	struct lh_entry *entry, *next;
	bool has_run; /* The body came to its end; it does not with "break". */
};

static inline struct jv_at jv_begin(struct json_object *obj)
{
	struct lh_entry *first = json_object_is_type(obj, json_type_object)
	                                 ? json_object_get_object(obj)->head
	                                 : NULL;

	return (struct jv_at){ first, first ? first->next : NULL, false };
}

static inline void jv_next(struct jv_at *at)
{
	at->entry = at->has_run ? at->next : NULL;
	at->next = at->entry ? at->entry->next : NULL;
	at->has_run = false;
}

/* Reading what clients send. Each returns 1 if it is there, 0 if not, or a 400. */
int jv_get_string(struct json_object *obj, const char *key, const char **ret, struct error **err);
int jv_get_bool(struct json_object *obj, const char *key, bool *ret, struct error **err);
int jv_get_int(struct json_object *obj, const char *key, int64_t *ret, struct error **err);
int jv_get_uint(struct json_object *obj, const char *key, uint64_t *ret, struct error **err);
int jv_get_object(struct json_object *obj, const char *key, struct json_object **ret,
                  struct error **err);
int jv_get_array(struct json_object *obj, const char *key, struct json_object **ret,
                 struct error **err);

/* RFC 3339; a date as date_now(). */
int jv_get_date(struct json_object *obj, const char *key, int64_t *ret, struct error **err);

/* An object whose values are all strings, as config is; replaces the content of 'ret'. */
int jv_get_smap(struct json_object *obj, const char *key, struct smap *ret, struct error **err);

/* An array of strings; '*ret' is freed and replaced. */
int jv_get_strv(struct json_object *obj, const char *key, char ***ret, struct error **err);

/* The same for a field that must be there (a string also not be empty). Returns 0 or a 400. */
int jv_need_string(struct json_object *obj, const char *key, const char **ret, struct error **err);
int jv_need_object(struct json_object *obj, const char *key, struct json_object **ret,
                   struct error **err);
int jv_need_array(struct json_object *obj, const char *key, struct json_object **ret,
                  struct error **err);

/* Fills 'ret' from an object of strings; 'what' names it in the 400. */
int jv_to_smap(struct json_object *o, const char *what, struct smap *ret, struct error **err);

/* 400 unless 'o' is an object; 'what' begins the sentence. */
int jv_check_object(struct json_object *o, const char *what, struct error **err);

/* Turns numbers and booleans in the object 'key' into strings, for documents written by hand. */
void jv_coerce_strings(struct json_object *obj, const char *key);

/* Reading our own documents: what is absent or of another type yields NULL, false or 0. */
struct json_object *jv_member(struct json_object *obj, const char *key);
const char *jv_text(struct json_object *obj, const char *key);
bool jv_flag(struct json_object *obj, const char *key);
int64_t jv_number(struct json_object *obj, const char *key);

/* The text of a string object, or NULL. */
const char *jv_string(struct json_object *o);
size_t jv_len(struct json_object *array);
struct json_object *jv_item(struct json_object *array, size_t i);

/* Building. Setting takes over nothing but what ends in _take. NULL strings become "". */
struct json_object *jv_object(void) MUST_CHECK;
struct json_object *jv_array(void) MUST_CHECK;
struct json_object *jv_of_string(const char *s) MUST_CHECK;
struct json_object *jv_of_stringf(const char *fmt, ...) PRINTF(1, 2) MUST_CHECK;
struct json_object *jv_of_int(int64_t v) MUST_CHECK;
struct json_object *jv_of_smap(const struct smap *m) MUST_CHECK;
struct json_object *jv_of_strv(char *const *v) MUST_CHECK;

void jv_set_string(struct json_object *obj, const char *key, const char *value);
void jv_set_stringf(struct json_object *obj, const char *key, const char *fmt, ...) PRINTF(3, 4);
void jv_set_bool(struct json_object *obj, const char *key, bool value);
void jv_set_int(struct json_object *obj, const char *key, int64_t value);
void jv_set_uint(struct json_object *obj, const char *key, uint64_t value);
void jv_set_double(struct json_object *obj, const char *key, double value);
void jv_set_date(struct json_object *obj, const char *key, int64_t date);
void jv_set_smap(struct json_object *obj, const char *key, const struct smap *m);
void jv_set_strv(struct json_object *obj, const char *key, char *const *v);
void jv_set_take(struct json_object *obj, const char *key, struct json_object *value);
void jv_set_null(struct json_object *obj, const char *key);
void jv_unset(struct json_object *obj, const char *key);

void jv_add_string(struct json_object *array, const char *s);
void jv_add_int(struct json_object *array, int64_t v);
void jv_add_take(struct json_object *array, struct json_object *value);

/* A deep copy; fragments share their text. */
struct json_object *jv_copy(struct json_object *o) MUST_CHECK;

/* Same types and values; members in any order; 1 and 1.0 differ. */
bool jv_equals(struct json_object *a, struct json_object *b);

/* Puts all members of 'patch' into 'obj': objects are merged, everything else is replaced. */
void jv_merge(struct json_object *obj, struct json_object *patch);

/*
 * Whether 'obj' matches a filter. A field is looked up along its dots; where a key itself holds
 * dots, as in config, the longest key that fits is taken.
 */
bool jv_matches(struct json_object *obj, const struct filter *f);
