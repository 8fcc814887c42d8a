/*
 * What commands print: lists in the chosen format, documents as YAML, dates and sizes as LXD's
 * client writes them.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <json-c/json.h>

#include "client/cli.h"
#include "client/table.h"
#include "lib/base/error.h"

/* The option that every list has. */
#define OUTPUT_FORMAT_OPTION                                                                      \
	{                                                                                         \
		"format", 'f', OPTION_TEXT, "table", "Format: csv, json, table, yaml or compact", \
			WORD_FORMAT                                                               \
	}

/* A list in the format that --format asks for: the table, or 'raw' as JSON or YAML. */
int output_list(const struct cli *cli, const struct table *table, struct json_object *raw,
                struct error **err);

/* 400 if --format is none; before anything is asked of the server. */
int output_check_format(const struct cli *cli, struct error **err);

void output_yaml(struct json_object *o, FILE *out);
void output_json(struct json_object *o, FILE *out);

/* A copy of 'o' with the members that are named, in that order; a list that ends with NULL. */
struct json_object *output_pick(struct json_object *o, const char *const *names);

/* "2026/11/24 15:01 UTC" in local time; "" for never. Owned by the caller. */
char *output_date(const char *rfc3339);
/* "Nov 24, 2026 at 3:01pm (UTC)". */
char *output_long_date(const char *rfc3339);
/* True for the zero dates that stand for "never". */
bool output_is_never(const char *rfc3339);

/* "1.39MiB" and "0.99MB", with two digits. */
char *output_size_iec(int64_t bytes);
char *output_size_si(int64_t bytes);

/* Upper case copies, "YES" and "NO". */
char *output_upper(const char *s);
const char *output_yes(bool yes);
