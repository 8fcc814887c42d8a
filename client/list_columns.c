#include "client/list_columns.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/array.h"
#include "lib/base/parse.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/data/jv.h"

typedef ARRAY_OF(struct list_shown) shown_array;

/* "[config:|devices:]key[:name][:width]" */
static int parse_key(const char *text, struct list_shown *ret_shown, struct error **err)
{
	const char *rest = str_after(text, "config:");
	bool is_device = false;
	int width = -1;

	if (!rest && (rest = str_after(text, "devices:")))
		is_device = true;
	scoped(strv_freep) char **parts = strv_split(rest ? rest : text, ':');
	size_t n = strv_len(parts);
	if (n < 1 || n > 3 || !*parts[0])
		return error_set(err, 400, "Invalid column \"%s\"", text);
	if (n == 3 && (parse_int(parts[2], &width) < 0 || width < -1))
		return error_set(err, 400, "Invalid width in column \"%s\"", text);
	const char *header = n > 1 && *parts[1] ? parts[1] : parts[0];
	*ret_shown = (struct list_shown){ .key = xstrdup(parts[0]),
		                          .header = xstrdup(header),
		                          .is_device = is_device,
		                          .max_width = width ? width : (int)strlen(header) };
	return 0;
}

static const struct list_column *find(const struct list_column *known, char letter)
{
	for (; known->letter; known++) {
		if (known->letter == letter)
			return known;
	}
	return NULL;
}

static int parse_one(const char *entry, const struct list_column *known, bool may_have_keys,
                     shown_array *shown, struct error **err)
{
	if (!*entry)
		return error_set(err, 400, "Empty column entry");
	if (may_have_keys && strpbrk(entry, ".:")) {
		struct list_shown s;
		int r = parse_key(entry, &s, err);

		if (r == 0)
			ARRAY_ADD(shown, s);
		return r;
	}
	for (const char *p = entry; *p; p++) {
		const struct list_column *c = find(known, *p);

		if (!c)
			return error_set(err, 400, "Unknown column shorthand char '%c' in '%s'", *p,
			                 entry);
		ARRAY_ADD(shown, (struct list_shown){ .column = c, .max_width = -1 });
	}
	return 0;
}

int list_columns_parse(const char *text, const struct list_column *known, bool may_have_keys,
                       struct list_columns *ret_columns, struct error **err)
{
	scoped(strv_freep) char **entries = strv_split(text, ',');
	shown_array shown = { 0 };
	int r = entries ? 0 : error_set(err, 400, "Empty column entry");

	STRV_FOREACH (entry, entries) {
		if (r == 0)
			r = parse_one(entry, known, may_have_keys, &shown, err);
	}
	*ret_columns = (struct list_columns){ shown.items, shown.n_items };
	if (r < 0)
		list_columns_done(ret_columns);
	return r;
}

void list_columns_done(struct list_columns *columns)
{
	for (size_t i = 0; i < columns->n_shown; i++) {
		free(columns->shown[i].key);
		free(columns->shown[i].header);
	}
	free(columns->shown);
	*columns = (struct list_columns){ 0 };
}

bool list_columns_need_state(const struct list_columns *columns)
{
	for (size_t i = 0; i < columns->n_shown; i++) {
		if (columns->shown[i].column && columns->shown[i].column->needs_state)
			return true;
	}
	return false;
}

/* "eth0.parent" is a device and its key; dots in front of the last one belong to the device. */
static const char *device_value(struct json_object *item, const char *key)
{
	const char *dot = strrchr(key, '.');

	if (!dot)
		return NULL;
	scoped_free char *device = xasprintf("%.*s", (int)(dot - key), key);
	return jv_text(jv_member(jv_member(item, "expanded_devices"), device), dot + 1);
}

static char *key_text(const struct list_shown *s, struct json_object *item)
{
	const char *value = s->is_device ? device_value(item, s->key)
	                                 : jv_text(jv_member(item, "expanded_config"), s->key);

	value = str_or_empty(value);
	if (s->max_width >= 0 && strlen(value) > (size_t)s->max_width)
		return xasprintf("%.*s", s->max_width, value);
	return xstrdup(value);
}

struct table *list_columns_table(const struct list_columns *columns, struct json_object *items)
{
	scoped(strv_freep) char **headers = NULL;

	for (size_t i = 0; i < columns->n_shown; i++)
		strv_add(&headers, columns->shown[i].column ? columns->shown[i].column->header
		                                            : columns->shown[i].header);
	struct table *table = table_new((const char *const *)headers);
	for (size_t row = 0; row < jv_len(items); row++) {
		struct json_object *item = jv_item(items, row);

		for (size_t i = 0; i < columns->n_shown; i++) {
			const struct list_shown *s = &columns->shown[i];

			table_add_take(table,
			               s->column ? s->column->text(item) : key_text(s, item));
		}
	}
	return table;
}
