/* Columns that are chosen by letters or by config keys, for "muster list" and its like. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <json-c/json.h>

#include "client/table.h"
#include "lib/base/error.h"

struct list_column {
	char letter;
	const char *header;
	char *(*text)(struct json_object *item); /* Owned by the caller. */
	bool needs_state;                        /* Something that costs the server work. */
};

/* What is shown, in order: a predefined column or a key of the config or devices. */
struct list_shown {
	const struct list_column *column; /* NULL: a key. */
	char *key;
	char *header;
	bool is_device;
	int max_width; /* Negative: unlimited. */
};

struct list_columns {
	struct list_shown *shown;
	size_t n_shown;
};

/*
 * Reads "ns46" or "n,user.comment:COMMENT:20". 'known' ends with a letter of 0; 'may_have_keys'
 * allows config keys. 400 for an unknown letter.
 */
int list_columns_parse(const char *text, const struct list_column *known, bool may_have_keys,
                       struct list_columns *ret_columns, struct error **err);
void list_columns_done(struct list_columns *columns);

bool list_columns_need_state(const struct list_columns *columns);

/* A table of all items of an array, in their order. */
struct table *list_columns_table(const struct list_columns *columns, struct json_object *items);
