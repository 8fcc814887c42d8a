/* Vectors of strings that end with NULL. NULL itself is an empty one. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/macro.h"
#include "lib/base/scoped.h"

/* "STRV_FOREACH(s, v)": 's' is declared here and borrowed from 'v'. */
#define STRV_FOREACH(s, v)                                                              \
	for (char *const *s##_at = (char *const *)(v), *s = s##_at ? *s##_at : NULL; s; \
	     s = *++s##_at)

void strv_free(char **v);
DEFINE_SCOPED(char **, strv_free);

/* A vector of copies; the arguments end with NULL. */
char **strv_new(const char *first, ...) SENTINEL MUST_CHECK;
char **strv_copy(char *const *v) MUST_CHECK;
size_t strv_len(char *const *v);
bool strv_contains(char *const *v, const char *s);
bool strv_equals(char *const *a, char *const *b);

void strv_add(char ***v, const char *s);
void strv_add_take(char ***v, char *s);
void strv_addf(char ***v, const char *fmt, ...) PRINTF(2, 3);
void strv_add_all(char ***v, char *const *more);

/* Adds 's' unless it is there. */
void strv_add_once(char ***v, const char *s);

/* Removes every 's'; returns whether there was one. */
bool strv_remove(char **v, const char *s);

void strv_sort(char **v);

/* The parts of 's' between 'separator's, empty ones included; NULL for an empty 's'. */
char **strv_split(const char *s, char separator) MUST_CHECK;

/* The same with white space trimmed off each part and empty parts left out. */
char **strv_split_trimmed(const char *s, char separator) MUST_CHECK;

char *strv_join(char *const *v, const char *separator) MUST_CHECK;
