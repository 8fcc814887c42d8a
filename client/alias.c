#include "client/alias.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/scoped.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/data/jv.h"

/* How many words of an alias the command line begins with; 0 unless it is all of them. */
static size_t n_matching(const char *name, const char *const *words)
{
	scoped(strv_freep) char **parts = strv_split_trimmed(name, ' ');
	size_t n = 0;

	STRV_FOREACH (part, parts) {
		if (!words[n] || strcmp(words[n], part) != 0)
			return 0;
		n++;
	}
	return n;
}

/* "@ARG3@" is 3, anything else 0. */
static size_t argument_number(const char *part)
{
	const char *digits = str_after(part, "@ARG");
	char *end;

	if (!digits || *digits < '1' || *digits > '9')
		return 0;
	unsigned long n = strtoul(digits, &end, 10);
	return strcmp(end, "@") == 0 ? n : 0;
}

static char **substitute(const char *text, const char *const *rest)
{
	scoped(strv_freep) char **parts = strv_split_trimmed(text, ' ');
	size_t n_rest = strv_len((char *const *)rest);
	scoped_free bool *used = xcalloc(n_rest + 1, sizeof(*used));
	char **result = NULL;
	bool all = false;

	STRV_FOREACH (p, parts) {
		size_t n = argument_number(p);

		if (n && n <= n_rest)
			used[n - 1] = true;
		all |= strcmp(p, "@ARGS@") == 0;
	}
	STRV_FOREACH (part, parts) {
		size_t n = argument_number(part);

		if (n && n <= n_rest) {
			strv_add(&result, rest[n - 1]);
		} else if (strcmp(part, "@ARGS@") == 0) {
			for (size_t i = 0; i < n_rest; i++) {
				if (!used[i])
					strv_add(&result, rest[i]);
			}
		} else {
			strv_add(&result, part);
		}
	}
	for (size_t i = 0; i < n_rest && !all; i++) {
		if (!used[i])
			strv_add(&result, rest[i]);
	}
	return result;
}

char **alias_expand(struct json_object *aliases, const char *const *words)
{
	const char *text = NULL;
	size_t most = 0;

	JV_FOREACH (aliases, name, value) {
		size_t n = n_matching(name, words);

		if (n > most && jv_string(value)) {
			most = n;
			text = jv_string(value);
		}
	}
	char **result = text ? substitute(text, words + most) : strv_copy((char *const *)words);
	return result ? result : xcalloc(1, sizeof(*result));
}
