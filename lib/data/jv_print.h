/*
 * Writing JSON text, fast, without touching the values (json-c's own printer keeps its text in the
 * object, twice the memory).
 *
 * Fragments are texts that were printed before: a list whose items are cached as text is printed by
 * copying them.
 */
#pragma once

#include <stddef.h>

#include <json-c/json.h>

#include "lib/base/refs.h"
#include "lib/base/scoped.h"
#include "lib/base/strbuf.h"

/* Appends 'o' without white space. */
void jv_print(struct json_object *o, struct strbuf *b);

/* The text of 'o', owned by the caller; 'ret_size' may be NULL. */
char *jv_print_text(struct json_object *o, size_t *ret_size) MUST_CHECK;

/* With line breaks and two spaces for each level. */
void jv_print_pretty(struct json_object *o, struct strbuf *b);

/* Appends a string in quotes, escaped. */
void jv_print_string(const char *s, size_t size, struct strbuf *b);

/* JSON text that may be shared by several threads. */
struct jv_text {
	struct refs refs;
	size_t size;
	char text[]; /* With a NUL behind it. */
};

struct jv_text *jv_print_shared(struct json_object *o) MUST_CHECK;
struct jv_text *jv_print_ref(struct jv_text *t);
void jv_print_unref(struct jv_text *t);
DEFINE_SCOPED(struct jv_text *, jv_print_unref);

/* A value that prints as 't' (of which it keeps a reference). It can only be printed and copied. */
struct json_object *jv_print_fragment(struct jv_text *t) MUST_CHECK;

/* The text of a fragment, borrowed, or NULL if 'o' is none. */
struct jv_text *jv_print_fragment_text(struct json_object *o);
