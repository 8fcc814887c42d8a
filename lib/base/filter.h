/*
 * The filter language of list requests: "name eq c1 and status ne Running or not config.x eq y".
 *
 * A clause is [not] FIELD eq|ne VALUE; clauses are joined by "and" and "or" and evaluated from left
 * to right without precedence, as LXD does. A value in quotes may hold spaces. For text, the value
 * is a regular expression that must match all of it (unless it holds ^ or $), ignoring case; one
 * that is no regular expression is compared as it is.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/error.h"
#include "lib/base/strbuf.h"

struct filter;

/*
 * Looks up 'field' ("config.user.x") in the object that 'arg' stands for and appends its value as
 * text to 'ret'; returns false if there is none, which counts as an empty text.
 */
typedef bool filter_lookup(const char *field, struct strbuf *ret, void *arg);

/* 400 for bad syntax. An empty text matches everything. */
int filter_parse(const char *text, struct filter **ret, struct error **err);

bool filter_matches(const struct filter *f, filter_lookup *lookup, void *arg);

/* Whether all clauses are about these fields only, so that a list need not be built in full. */
bool filter_uses_only(const struct filter *f, const char *const *fields);

void filter_free(struct filter *f);
DEFINE_SCOPED(struct filter *, filter_free);
