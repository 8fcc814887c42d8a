#include "client/output.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/base/alloc.h"
#include "lib/base/date.h"
#include "lib/base/macro.h"
#include "lib/base/str.h"
#include "lib/base/strbuf.h"
#include "lib/data/jv.h"
#include "lib/data/jv_print.h"
#include "lib/data/yaml.h"

static const char *const formats[] = { "table", "csv", "compact", "json", "yaml" };

/* Go's JSON printer escapes these for browsers, and scripts compare the text. */
void output_json(struct json_object *o, FILE *out)
{
	scoped(strbuf_done) struct strbuf b = { 0 };

	jv_print(o, &b);
	fprintf(out, "%s\n", strbuf_text(&b));
}

/* Members that are empty, and not null, when there is nothing in them. */
static const char *const empty_maps[] = { "config",          "devices",          "disk",
	                                  "expanded_config", "expanded_devices", "network",
	                                  "properties",      "templates" };
static const char *const empty_lists[] = { "addresses", "aliases",   "backups",  "groups",
	                                   "locations", "members",   "profiles", "projects",
	                                   "roles",     "snapshots", "used_by" };

static bool is_one_of(const char *const *names, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(names[i], name) == 0)
			return true;
	}
	return false;
}

/* A copy without the nulls that Go's servers send for empty maps and lists. */
static struct json_object *without_nulls(struct json_object *o)
{
	struct json_object *copy;

	if (json_object_is_type(o, json_type_array)) {
		copy = jv_array();
		for (size_t i = 0; i < jv_len(o); i++)
			jv_add_take(copy, without_nulls(jv_item(o, i)));
		return copy;
	}
	if (!json_object_is_type(o, json_type_object))
		return jv_ref(o);
	copy = jv_object();
	JV_FOREACH (o, key, value) {
		if (value)
			jv_set_take(copy, key, without_nulls(value));
		else if (is_one_of(empty_maps, COUNT_OF(empty_maps), key))
			jv_set_take(copy, key, jv_object());
		else if (is_one_of(empty_lists, COUNT_OF(empty_lists), key))
			jv_set_take(copy, key, jv_array());
		else
			jv_set_null(copy, key);
	}
	return copy;
}

/*
 * Prints a line of YAML; a date in a member that ends in "_at" is written without quotes, as lxc
 * does. (All else that looks like a date is a user's string and stays one.)
 */
static void print_yaml_line(const char *line, size_t len, FILE *out)
{
	const char *mark = memmem(line, len, "_at: \"", 6);
	bool date = mark && len > 2 && line[len - 1] == '"' && mark + 6 < line + len - 1;
	int64_t unused;

	if (date) {
		const char *text = mark + 6;
		scoped_free char *copy = xasprintf("%.*s", (int)(line + len - 1 - text), text);

		date = date_parse(copy, &unused) == 0;
		if (date)
			fprintf(out, "%.*s%s\n", (int)(mark + 5 - line), line, copy);
	}
	if (!date)
		fprintf(out, "%.*s\n", (int)len, line);
}

void output_yaml(struct json_object *o, FILE *out)
{
	scoped(strbuf_done) struct strbuf b = { 0 };
	scoped(jv_unrefp) struct json_object *copy = without_nulls(o);

	yaml_encode(copy, &b);
	for (const char *p = strbuf_text(&b); *p;) {
		size_t len = strcspn(p, "\n");

		print_yaml_line(p, len, out);
		p += len + (p[len] == '\n');
	}
}

int output_check_format(const struct cli *cli, struct error **err)
{
	const char *format = cli_option(cli, "format");

	for (size_t i = 0; i < COUNT_OF(formats); i++) {
		if (str_equals(format, formats[i]))
			return 0;
	}
	return error_set(err, 400, "Invalid format \"%s\"", str_or_empty(format));
}

int output_list(const struct cli *cli, const struct table *table, struct json_object *raw,
                struct error **err)
{
	const char *format = cli_option(cli, "format");
	scoped(jv_unrefp) struct json_object *empty = NULL;
	int r = output_check_format(cli, err);

	if (r < 0)
		return r;
	if (!raw) {
		empty = jv_array();
		raw = empty;
	}
	if (str_equals(format, "json"))
		output_json(raw, stdout);
	else if (str_equals(format, "yaml"))
		output_yaml(raw, stdout);
	else if (str_equals(format, "csv"))
		table_print(table, TABLE_CSV, stdout);
	else
		table_print(table, str_equals(format, "compact") ? TABLE_COMPACT : TABLE_GRID,
		            stdout);
	return 0;
}

struct json_object *output_pick(struct json_object *o, const char *const *names)
{
	struct json_object *picked = jv_object();
	struct json_object *value;

	for (; *names; names++) {
		if (json_object_object_get_ex(o, *names, &value))
			jv_set_take(picked, *names, jv_ref(value));
	}
	return picked;
}

bool output_is_never(const char *rfc3339)
{
	int64_t date;

	return str_is_empty(rfc3339) || date_parse(rfc3339, &date) < 0 || date == DATE_NONE ||
	       date <= 0;
}

static char *format_date(const char *rfc3339, const char *fmt)
{
	char text[80];
	int64_t date;
	struct tm tm;

	if (output_is_never(rfc3339) || date_parse(rfc3339, &date) < 0)
		return xstrdup("");
	time_t seconds = (time_t)(date / DATE_SECOND);
	localtime_r(&seconds, &tm);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	strftime(text, sizeof(text), fmt, &tm);
#pragma GCC diagnostic pop
	return xstrdup(text);
}

char *output_date(const char *rfc3339)
{
	return format_date(rfc3339, "%Y/%m/%d %H:%M %Z");
}

/* The hour without a zero in front, and am or pm in small letters. */
char *output_long_date(const char *rfc3339)
{
	scoped_free char *day = format_date(rfc3339, "%b");
	scoped_free char *rest = format_date(rfc3339, "%Y at");
	scoped_free char *number = format_date(rfc3339, "%d");
	scoped_free char *hour = format_date(rfc3339, "%I");
	scoped_free char *half = format_date(rfc3339, "%p");
	scoped_free char *minute = format_date(rfc3339, "%M");
	scoped_free char *zone = format_date(rfc3339, "%Z");
	scoped_free char *lower = str_lower(half);

	if (!*day)
		return xstrdup("");
	return xasprintf("%s %s, %s %s:%s%s (%s)", day, number[0] == '0' ? number + 1 : number,
	                 rest, hour[0] == '0' ? hour + 1 : hour, minute, lower, zone);
}

static char *format_size(int64_t bytes, double unit, const char *const *names, size_t n_names)
{
	double value = (double)bytes;
	size_t i = 0;

	if (bytes < (int64_t)unit)
		return xasprintf("%lldB", (long long)bytes);
	for (value /= unit; value >= unit && i + 1 < n_names; i++)
		value /= unit;
	return xasprintf("%.2f%s", value, names[i]);
}

char *output_size_iec(int64_t bytes)
{
	static const char *const names[] = { "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };

	return format_size(bytes, 1024, names, COUNT_OF(names));
}

char *output_size_si(int64_t bytes)
{
	static const char *const names[] = { "kB", "MB", "GB", "TB", "PB", "EB" };

	return format_size(bytes, 1000, names, COUNT_OF(names));
}

char *output_upper(const char *s)
{
	char *copy = xstrdup(str_or_empty(s));

	for (char *p = copy; *p; p++)
		*p = (char)toupper((unsigned char)*p);
	return copy;
}

const char *output_yes(bool yes)
{
	return yes ? "YES" : "NO";
}
