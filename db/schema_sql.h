/* The SQL files of db/schema as arrays of statements that end with NULL; made by db/embed.py. */
#pragma once

#include <stddef.h>

extern const char *const *const schema_sql_fresh;          /* cluster.sql */
extern const char *const *const schema_sql_local;          /* local.sql */
extern const char *const *const *const schema_sql_updates; /* By number, from 1 at index 0. */
extern const size_t schema_sql_n_updates;
