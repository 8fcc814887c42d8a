#include "lib/base/filter.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/array.h"
#include "lib/base/pattern.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"

#define MAX_CLAUSES 64

struct clause {
	bool is_or; /* How it is joined to what is before it. */
	bool is_not;
	bool is_ne;
	char *field;
	char *value;
	struct pattern *pattern; /* NULL: the value is no regular expression. */
};

struct filter {
	ARRAY_OF(struct clause) clauses;
};

static void clause_done(struct clause *c)
{
	free(c->field);
	free(c->value);
	pattern_free(c->pattern);
}

/* The next word of '*text', or NULL at its end. */
static char *take_word(const char **text)
{
	const char *at = *text;

	while (isspace((unsigned char)*at))
		at++;

	size_t len = 0;
	while (at[len] && !isspace((unsigned char)at[len]))
		len++;

	*text = at + len;
	return len ? xstrndup(at, len) : NULL;
}

/* A value: a word, or text in quotes, of either kind, that may hold spaces. */
static int take_value(const char **text, char **ret, struct error **err)
{
	while (isspace((unsigned char)**text))
		(*text)++;

	char quote = **text;
	if (quote != '"' && quote != '\'') {
		*ret = take_word(text);
		return *ret ? 0 : error_set(err, 400, "Invalid filter: clause has no value");
	}

	const char *start = *text + 1, *end = strchr(start, quote);
	if (!end)
		return error_set(err, 400, "Invalid filter: unterminated quote");
	if (end[1] && !isspace((unsigned char)end[1]))
		return error_set(err, 400, "Invalid filter: no space after a quoted value");

	*ret = xstrndup(start, (size_t)(end - start));
	*text = end + 1;
	return 0;
}

/* As LXD: all of the text must match, unless the value says itself where it begins or ends. */
static struct pattern *compile_value(const char *value)
{
	struct pattern *pattern = NULL;
	bool is_anchored = strpbrk(value, "^$") != NULL;
	scoped_free char *whole = is_anchored ? xstrdup(value) : xasprintf("^(?:%s)$", value);

	return pattern_compile(whole, true, &pattern) < 0 ? NULL : pattern;
}

static int take_clause(const char **text, struct clause *c, struct error **err)
{
	c->field = take_word(text);
	if (str_equals_nocase(c->field, "not")) {
		c->is_not = true;
		free(c->field);
		c->field = take_word(text);
		if (!c->field)
			return error_set(err, 400, "Invalid filter: incomplete not clause");
	}
	if (!c->field)
		return error_set(err, 400, "Invalid filter: unterminated compound clause");

	scoped_free char *verb = take_word(text);
	if (!verb)
		return error_set(err, 400, "Invalid filter: clause has no operator");
	if (!str_equals_nocase(verb, "eq") && !str_equals_nocase(verb, "ne"))
		return error_set(err, 400, "Invalid filter: unknown operator \"%s\"", verb);

	c->is_ne = str_equals_nocase(verb, "ne");
	int r = take_value(text, &c->value, err);
	if (r < 0)
		return r;

	c->pattern = compile_value(c->value);
	return 0;
}

/* What joins the next clause. Returns 1, 0 at the end of the text, or a 400. */
static int take_join(const char **text, bool *ret_is_or, struct error **err)
{
	scoped_free char *word = take_word(text);

	if (!word)
		return 0;
	if (!str_equals_nocase(word, "and") && !str_equals_nocase(word, "or"))
		return error_set(err, 400, "Invalid filter: \"%s\" where \"and\" or \"or\" belongs",
		                 word);

	*ret_is_or = str_equals_nocase(word, "or");
	return 1;
}

int filter_parse(const char *text, struct filter **ret, struct error **err)
{
	scoped(filter_freep) struct filter *f = xcalloc(1, sizeof(*f));
	bool is_or = false;
	int r = text[strspn(text, " \t\r\n\f\v")] ? 1 : 0;

	while (r > 0) {
		if (f->clauses.n_items == MAX_CLAUSES)
			return error_set(err, 400, "Invalid filter: more than %d clauses",
			                 MAX_CLAUSES);

		struct clause *c = ARRAY_ADD(&f->clauses, (struct clause){ .is_or = is_or });
		r = take_clause(&text, c, err);
		if (r == 0)
			r = take_join(&text, &is_or, err);
	}
	if (r < 0)
		return r;

	*ret = TAKE_PTR(f);
	return 0;
}

static bool clause_matches(const struct clause *c, filter_lookup *lookup, void *arg)
{
	scoped(strbuf_done) struct strbuf b = { 0 };
	const char *text = lookup(c->field, &b, arg) ? strbuf_text(&b) : "";
	bool is_equal = c->pattern ? pattern_matches(c->pattern, text) : str_equals(c->value, text);

	return is_equal != (c->is_ne != c->is_not);
}

bool filter_matches(const struct filter *f, filter_lookup *lookup, void *arg)
{
	bool matches = true;

	for (size_t i = 0; f && i < f->clauses.n_items; i++) {
		const struct clause *c = &f->clauses.items[i];

		/* Whatever the clause says, the result is known. */
		if (i && c->is_or == matches)
			continue;
		matches = clause_matches(c, lookup, arg);
	}
	return matches;
}

bool filter_uses_only(const struct filter *f, const char *const *fields)
{
	for (size_t i = 0; f && i < f->clauses.n_items; i++)
		if (!strv_contains((char *const *)fields, f->clauses.items[i].field))
			return false;

	return true;
}

void filter_free(struct filter *f)
{
	if (!f)
		return;

	for (size_t i = 0; i < f->clauses.n_items; i++)
		clause_done(&f->clauses.items[i]);
	ARRAY_DONE(&f->clauses);
	free(f);
}
