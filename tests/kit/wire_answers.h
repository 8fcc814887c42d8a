/* Answers of a database node, made by hand: what the client of db/wire.h has to read. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "db/db.h"
#include "lib/base/strbuf.h"

/* The body of a message of rows; columns are called "c0" and so on. */
void wire_answers_put_rows(struct strbuf *b, const struct db_value *values, size_t n_columns,
                           size_t n_rows, bool has_more);

/* A whole message: a header of 'type' and the body. */
void wire_answers_put(struct strbuf *b, uint8_t type, const void *body, size_t size);

/* A whole message of type FAILURE. */
void wire_answers_put_failure(struct strbuf *b, uint64_t code, const char *text);
