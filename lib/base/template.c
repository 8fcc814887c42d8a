/* Text is rendered while it is read; what is in a branch not taken is parsed all the same. */
#include "lib/base/template.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/base/alloc.h"
#include "lib/base/date.h"
#include "lib/base/str.h"

#define MAX_NESTING 32

/* An {% if %} that is open. */
struct branch {
	bool is_taken;   /* What is now read counts. */
	bool was_taken;  /* A branch before it did. */
	bool is_outside; /* What is around it counts. */
};

struct renderer {
	const char *text, *at;
	const struct template_scope *scope;
	struct branch branches[MAX_NESTING];
	int n_branches;
	int depth; /* Of brackets in an expression. */
	struct strbuf *out;
	struct error **err;
};

static int fail(struct renderer *r, const char *problem)
{
	size_t line = 1;

	for (const char *at = r->text; at < r->at; at++)
		line += *at == '\n';
	return error_set(r->err, 400, "Invalid template: %s in line %zu", problem, line);
}

static void skip_space(struct renderer *r)
{
	while (isspace((unsigned char)*r->at))
		r->at++;
}

static bool is_word_char(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

/* Takes an operator or word if it is next. */
static bool take(struct renderer *r, const char *token)
{
	skip_space(r);

	const char *rest = str_after(r->at, token);
	if (!rest || (is_word_char(token[0]) && is_word_char(*rest)))
		return false;

	r->at = rest;
	return true;
}

static bool is_next(struct renderer *r, const char *token)
{
	skip_space(r);
	return str_starts(r->at, token);
}

static bool is_active(const struct renderer *r)
{
	return !r->n_branches || r->branches[r->n_branches - 1].is_taken;
}

/* Each of these yields a text owned by the caller. */
static int parse_or(struct renderer *r, char **ret);

static int parse_string(struct renderer *r, char **ret)
{
	struct strbuf b = { 0 };
	char quote = *r->at++;

	for (; *r->at && *r->at != quote; r->at++) {
		if (*r->at == '\\' && (r->at[1] == quote || r->at[1] == '\\'))
			r->at++;
		strbuf_add_char(&b, *r->at);
	}
	if (!*r->at) {
		strbuf_done(&b);
		return fail(r, "unterminated string");
	}
	r->at++;
	*ret = strbuf_take(&b);
	return 0;
}

/* config_get(KEY, FALLBACK), behind its name. */
static int parse_config_get(struct renderer *r, char **ret)
{
	scoped_free char *key = NULL;
	scoped_free char *fallback = NULL;

	if (!take(r, "("))
		return fail(r, "no arguments of config_get");

	int code = parse_or(r, &key);
	if (code == 0 && take(r, ","))
		code = parse_or(r, &fallback);
	if (code < 0)
		return code;
	if (!take(r, ")"))
		return fail(r, "no end of the arguments");

	const char *value = r->scope->config ? r->scope->config(key, r->scope->arg) : NULL;
	*ret = xstrdup(value ? value : str_or_empty(fallback));
	return 0;
}

static int parse_name(struct renderer *r, char **ret)
{
	size_t len = 0;

	while (is_word_char(r->at[len]) ||
	       (len && r->at[len] == '.' && is_word_char(r->at[len + 1])))
		len++;
	if (!len)
		return fail(r, "no value");

	scoped_free char *name = xstrndup(r->at, len);
	r->at += len;
	if (str_equals(name, "config_get"))
		return parse_config_get(r, ret);
	if (isdigit((unsigned char)*name) || str_equals(name, "true"))
		*ret = xstrdup(str_equals(name, "true") ? "True" : name);
	else if (str_equals(name, "false"))
		*ret = xstrdup("");
	else
		*ret = xstrdup(str_or_empty(r->scope->value ? r->scope->value(name, r->scope->arg)
		                                            : NULL));
	return 0;
}

static const char *const months[] = {
	"January", "February", "March",     "April",   "May",      "June",
	"July",    "August",   "September", "October", "November", "December",
};
static const char *const days[] = {
	"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday",
};

/* Appends the element of a Go layout that 'layout' begins with; returns its length, or 0. */
static size_t format_element(const char *layout, const struct tm *tm, struct strbuf *b)
{
	const struct {
		const char *go;
		int number; /* With the digits of 'go', if there is no text. */
		const char *text;
		size_t len; /* Of the text; 0: all. */
	} elements[] = {
		/* Longer ones before those that they begin with. */
		{ "January", 0, months[tm->tm_mon], 0 },
		{ "Jan", 0, months[tm->tm_mon], 3 },
		{ "Monday", 0, days[tm->tm_wday], 0 },
		{ "Mon", 0, days[tm->tm_wday], 3 },
		{ "2006", tm->tm_year + 1900, NULL, 0 },
		{ "01", tm->tm_mon + 1, NULL, 0 },
		{ "02", tm->tm_mday, NULL, 0 },
		{ "03", (tm->tm_hour + 11) % 12 + 1, NULL, 0 },
		{ "04", tm->tm_min, NULL, 0 },
		{ "05", tm->tm_sec, NULL, 0 },
		{ "06", tm->tm_year % 100, NULL, 0 },
		{ "15", tm->tm_hour, NULL, 0 },
		{ "PM", 0, tm->tm_hour < 12 ? "AM" : "PM", 0 },
		{ "MST", 0, "UTC", 0 },
		{ "Z07:00", 0, "Z", 0 },
		{ "-0700", 0, "+0000", 0 },
	};

	for (size_t i = 0; i < COUNT_OF(elements); i++) {
		const char *text = elements[i].text;

		if (!str_starts(layout, elements[i].go))
			continue;
		if (text)
			strbuf_add_n(b, text, elements[i].len ? elements[i].len : strlen(text));
		else
			strbuf_addf(b, "%0*d", (int)strlen(elements[i].go), elements[i].number);
		return strlen(elements[i].go);
	}
	return 0;
}

/* A filter yields a text owned by the caller, or NULL if the value is none that it can take. */
typedef char *filter(const char *value, const char *argument);

static char *filter_date(const char *value, const char *layout)
{
	struct strbuf b = { 0 };
	struct tm tm;
	int64_t date;

	if (date_parse(value, &date) < 0 || date == DATE_NONE)
		return NULL;

	time_t seconds = (time_t)(date / DATE_SECOND);
	gmtime_r(&seconds, &tm);
	while (*layout) {
		size_t len = format_element(layout, &tm, &b);

		if (!len)
			strbuf_add_char(&b, *layout);
		layout += len ? len : 1;
	}
	return strbuf_take(&b);
}

static char *filter_default(const char *value, const char *argument)
{
	return xstrdup(*value ? value : argument);
}

static char *filter_lower(const char *value, const char *argument)
{
	return str_lower(value);
}

static char *filter_safe(const char *value, const char *argument)
{
	return xstrdup(value);
}

static char *filter_trim(const char *value, const char *argument)
{
	return str_trim(value);
}

static char *filter_upper(const char *value, const char *argument)
{
	char *upper = xstrdup(value);

	for (char *at = upper; *at; at++)
		*at = (char)toupper((unsigned char)*at);
	return upper;
}

static int apply_filter(struct renderer *r, const char *name, const char *value,
                        const char *argument, char **ret)
{
	static const struct {
		const char *name;
		filter *fn;
	} filters[] = {
		{ "date", filter_date }, { "default", filter_default }, { "lower", filter_lower },
		{ "safe", filter_safe }, { "trim", filter_trim },       { "upper", filter_upper },
	};

	for (size_t i = 0; i < COUNT_OF(filters); i++) {
		if (!str_equals(filters[i].name, name))
			continue;

		/* In a branch that is not taken, values need not be there. */
		*ret = is_active(r) ? filters[i].fn(value, str_or_empty(argument)) : xstrdup("");
		return *ret ? 0 : fail(r, "value that a filter cannot take");
	}
	return fail(r, "unknown filter");
}

static int parse_primary(struct renderer *r, char **ret)
{
	skip_space(r);
	if (*r->at == '"' || *r->at == '\'')
		return parse_string(r, ret);
	if (*r->at != '(')
		return parse_name(r, ret);
	if (++r->depth > MAX_NESTING)
		return fail(r, "too many brackets");

	r->at++;
	int code = parse_or(r, ret);
	r->depth--;
	if (code < 0)
		return code;
	if (take(r, ")"))
		return 0;

	free(TAKE_PTR(*ret));
	return fail(r, "no closing bracket");
}

static int parse_filtered(struct renderer *r, char **ret)
{
	scoped_free char *value = NULL;

	int code = parse_primary(r, &value);
	while (code == 0 && !is_next(r, "||") && take(r, "|")) {
		scoped_free char *argument = NULL;
		size_t len = 0;

		skip_space(r);
		while (is_word_char(r->at[len]))
			len++;

		scoped_free char *name = xstrndup(r->at, len);
		r->at += len;
		if (take(r, ":"))
			code = parse_primary(r, &argument);
		if (code < 0)
			return code;

		char *filtered = NULL;
		code = apply_filter(r, name, value, argument, &filtered);
		free(value);
		value = filtered;
	}
	if (code == 0)
		*ret = TAKE_PTR(value);
	return code;
}

static char *text_of_bool(bool b)
{
	return xstrdup(b ? "True" : "");
}

static int parse_comparison(struct renderer *r, char **ret)
{
	scoped_free char *left = NULL;
	scoped_free char *right = NULL;

	int code = parse_filtered(r, &left);
	if (code < 0)
		return code;

	bool is_equal = take(r, "==");
	if (!is_equal && !take(r, "!=")) {
		*ret = TAKE_PTR(left);
		return 0;
	}

	code = parse_filtered(r, &right);
	if (code == 0)
		*ret = text_of_bool(str_equals(left, right) == is_equal);
	return code;
}

static int parse_not(struct renderer *r, char **ret)
{
	bool is_not = false;

	skip_space(r);
	while (take(r, "not") || (r->at[0] == '!' && r->at[1] != '=' && take(r, "!")))
		is_not = !is_not;
	if (!is_not)
		return parse_comparison(r, ret);

	scoped_free char *value = NULL;
	int code = parse_comparison(r, &value);
	if (code == 0)
		*ret = text_of_bool(!*value);
	return code;
}

static int parse_and(struct renderer *r, char **ret)
{
	scoped_free char *value = NULL;

	int code = parse_not(r, &value);
	while (code == 0 && (take(r, "and") || take(r, "&&"))) {
		scoped_free char *right = NULL;

		code = parse_not(r, &right);
		if (code == 0 && *value) {
			free(value);
			value = TAKE_PTR(right);
		}
	}
	if (code == 0)
		*ret = TAKE_PTR(value);
	return code;
}

static int parse_or(struct renderer *r, char **ret)
{
	scoped_free char *value = NULL;

	int code = parse_and(r, &value);
	while (code == 0 && (take(r, "or") || take(r, "||"))) {
		scoped_free char *right = NULL;

		code = parse_and(r, &right);
		if (code == 0 && !*value) {
			free(value);
			value = TAKE_PTR(right);
		}
	}
	if (code == 0)
		*ret = TAKE_PTR(value);
	return code;
}

static int parse_condition(struct renderer *r, bool *ret)
{
	scoped_free char *value = NULL;
	int code = parse_or(r, &value);

	if (code == 0)
		*ret = *value != '\0';
	return code;
}

static int open_branch(struct renderer *r)
{
	bool is_true = false;

	int code = parse_condition(r, &is_true);
	if (code < 0)
		return code;
	if (r->n_branches == MAX_NESTING)
		return fail(r, "too many nested conditions");

	bool is_outside = is_active(r);
	r->branches[r->n_branches++] = (struct branch){
		.is_taken = is_outside && is_true,
		.was_taken = is_true,
		.is_outside = is_outside,
	};
	return 0;
}

/* {% elif %} and {% else %}. */
static int next_branch(struct renderer *r, bool has_condition)
{
	bool is_true = true;

	if (!r->n_branches)
		return fail(r, "branch without a condition");

	struct branch *b = &r->branches[r->n_branches - 1];
	int code = has_condition ? parse_condition(r, &is_true) : 0;
	b->is_taken = b->is_outside && !b->was_taken && is_true;
	b->was_taken |= is_true;
	return code;
}

static int render_statement(struct renderer *r)
{
	if (take(r, "if"))
		return open_branch(r);
	if (take(r, "elif"))
		return next_branch(r, true);
	if (take(r, "else"))
		return next_branch(r, false);
	if (take(r, "autoescape"))
		return take(r, "off") || take(r, "on") ? 0 : fail(r, "bad tag");
	if (take(r, "endautoescape"))
		return 0;
	if (!take(r, "endif"))
		return fail(r, "unknown tag");
	if (!r->n_branches)
		return fail(r, "end without a condition");

	r->n_branches--;
	return 0;
}

static int render_value(struct renderer *r)
{
	scoped_free char *value = NULL;
	int code = parse_or(r, &value);

	if (code == 0 && is_active(r))
		strbuf_add(r->out, value);
	return code;
}

/* What follows "{{", "{%" or "{#". */
static int render_tag(struct renderer *r, char kind)
{
	if (kind == '#') {
		const char *end = strstr(r->at, "#}");

		r->at = end ? end + 2 : r->at;
		return end ? 0 : fail(r, "unterminated comment");
	}

	/* "{%-" and "-%}" trim in other engines; here they only have to be understood. */
	r->at += *r->at == '-';
	int code = kind == '{' ? render_value(r) : render_statement(r);
	if (code < 0)
		return code;

	take(r, "-");
	return take(r, kind == '{' ? "}}" : "%}") ? 0 : fail(r, "unterminated tag");
}

static int render_all(struct renderer *r)
{
	while (*r->at) {
		size_t len = strcspn(r->at, "{");
		char kind = r->at[len] ? r->at[len + 1] : '\0';
		bool is_tag = kind == '{' || kind == '%' || kind == '#';

		len += !is_tag && r->at[len];
		if (is_active(r))
			strbuf_add_n(r->out, r->at, len);
		r->at += len;
		if (!is_tag)
			continue;

		r->at += 2;
		int code = render_tag(r, kind);
		if (code < 0)
			return code;
	}
	return r->n_branches ? fail(r, "condition without an end") : 0;
}

int template_render(const char *text, const struct template_scope *scope, struct strbuf *ret,
                    struct error **err)
{
	struct renderer r = { .text = text, .at = text, .scope = scope, .out = ret, .err = err };

	return render_all(&r);
}
