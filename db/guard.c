#include "db/guard.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "lib/base/macro.h"

enum { MAX_WORD = 32 };

/* What may be asked with PRAGMA; nothing may be set. */
static const char *const pragmas[] = {
	"collation_list", "compile_options", "foreign_key_check", "foreign_key_list",
	"foreign_keys",   "freelist_count",  "index_info",        "index_list",
	"index_xinfo",    "integrity_check", "page_count",        "page_size",
	"quick_check",    "table_info",      "table_list",        "table_xinfo",
};

static const char *const readers[] = { "select", "values", "with", "explain", "pragma" };
static const char *const writers[] = { "insert", "update", "delete",  "replace", "create",
	                               "drop",   "alter",  "reindex", "analyze" };
static const char *const types[] = { "boolean", "date", "datetime", "timestamp" };

static bool is_among(const char *word, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcasecmp(word, words[i]) == 0)
			return true;

	return false;
}

#define IS_AMONG(word, words) is_among(word, words, COUNT_OF(words))

/* Skips a quoted text or name that begins at 's'; its end may be missing. */
static const char *skip_quoted(const char *s)
{
	char end = *s == '[' ? ']' : *s;

	for (s++; *s && *s != end; s++)
		;
	return *s ? s + 1 : s;
}

/* Skips white space and comments. */
static const char *skip_space(const char *s)
{
	for (;;) {
		s += strspn(s, " \t\r\n\f");
		if (s[0] == '-' && s[1] == '-') {
			s += strcspn(s, "\n");
		} else if (s[0] == '/' && s[1] == '*') {
			const char *end = strstr(s + 2, "*/");
			s = end ? end + 2 : s + strlen(s);
		} else {
			return s;
		}
	}
}

static bool is_in_word(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

/* The next word outside quotes into 'word' ("" for anything else than a word); returns what
 * follows. */
static const char *next_token(const char *s, char word[MAX_WORD])
{
	size_t len = 0;

	word[0] = '\0';
	s = skip_space(s);
	if (!*s)
		return s;
	if (strchr("'\"`[", *s))
		return skip_quoted(s);
	if (!is_in_word(*s)) {
		word[0] = *s;
		word[1] = '\0';
		return s + 1;
	}

	for (; is_in_word(*s); s++)
		if (len < MAX_WORD - 1)
			word[len++] = *s;
	word[len] = '\0';
	return s;
}

static int check_pragma(const char *sql, struct error **err)
{
	char word[MAX_WORD];

	sql = next_token(sql, word);
	if (!IS_AMONG(word, pragmas) || *skip_space(sql) == '=')
		return error_set(err, 400, "Only facts may be asked of the database in this way");
	return 0;
}

static bool is_definition(const char *first)
{
	return strcasecmp(first, "create") == 0 || strcasecmp(first, "alter") == 0;
}

int db_guard_check(const char *sql, bool *ret_only_reads, struct error **err)
{
	char first[MAX_WORD];
	char word[MAX_WORD];
	bool only_reads;

	const char *s = next_token(sql, first);
	only_reads = IS_AMONG(first, readers);
	if (!only_reads && !IS_AMONG(first, writers))
		return error_set(err, 400, "Statements that begin with \"%s\" are not allowed",
		                 first);
	if (strcasecmp(first, "pragma") == 0) {
		int r = check_pragma(s, err);
		if (r < 0)
			return r;
	}

	while (*skip_space(s)) {
		s = next_token(s, word);
		if (strcasecmp(word, "returning") == 0 ||
		    (is_definition(first) && IS_AMONG(word, types)))
			return error_set(err, 400, "\"%s\" is not allowed in statements", word);
		if (IS_AMONG(word, writers) && strcasecmp(first, "with") == 0)
			only_reads = false;
		/* A trigger holds statements of its own; it must not come by this way. */
		if (word[0] == ';' && *skip_space(s))
			return error_set(err, 400, "Only one statement at a time is allowed");
	}

	*ret_only_reads = only_reads;
	return 0;
}
