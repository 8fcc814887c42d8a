/*
 * Regular expressions that anybody may send.
 *
 * Matching takes time in proportion to pattern times text, whatever the pattern: the states of an
 * automaton are followed side by side, there is no backtracking. The syntax is the common part of
 * RE2's: . * + ? {n,m} | ( ) (?: ) [ ] ^ $ \d \w \s \D \W \S \b and escaped characters.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/macro.h"
#include "lib/base/scoped.h"

struct pattern;

/* -EINVAL for bad syntax, -E2BIG for one that is too large. 'ignore_case' is for ASCII. */
int pattern_compile(const char *text, bool ignore_case, struct pattern **ret) NONNULL;

/* Whether some part of 's' matches (use ^ and $ for all of it). */
bool pattern_matches(const struct pattern *p, const char *s);

void pattern_free(struct pattern *p);
DEFINE_SCOPED(struct pattern *, pattern_free);
