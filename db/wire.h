/*
 * The messages between an SQL client and a node: encoding of requests, decoding of answers.
 *
 * A message is a header of a word (8 bytes: u32 count of words that follow, u8 type, u8 schema, u16
 * 0) and a body of whole words, all little-endian. Texts end with a NUL and are padded to whole
 * words. Both libraries and all their versions since 1.0 speak it.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "db/db.h"
#include "lib/base/bytes.h"
#include "lib/base/strbuf.h"

enum wire_request {
	WIRE_LEADER = 0,
	WIRE_CLIENT = 1,
	WIRE_HEARTBEAT = 2,
	WIRE_OPEN = 3,
	WIRE_PREPARE = 4,
	WIRE_EXEC = 5,
	WIRE_QUERY = 6,
	WIRE_FINALIZE = 7,
	WIRE_EXEC_SQL = 8,
	WIRE_QUERY_SQL = 9,
	WIRE_INTERRUPT = 10,
	WIRE_ADD = 12,
	WIRE_ASSIGN = 13,
	WIRE_REMOVE = 14,
	WIRE_DUMP = 15,
	WIRE_CLUSTER = 16,
	WIRE_TRANSFER = 17,
	WIRE_DESCRIBE = 18,
	WIRE_WEIGHT = 19,
};

enum wire_answer {
	WIRE_FAILURE = 0,
	WIRE_SERVER = 1,
	WIRE_WELCOME = 2,
	WIRE_SERVERS = 3,
	WIRE_DB = 4,
	WIRE_STMT = 5,
	WIRE_RESULT = 6,
	WIRE_ROWS = 7,
	WIRE_EMPTY = 8,
	WIRE_FILES = 9,
	WIRE_METADATA = 10,
};

#define WIRE_HANDSHAKE UINT64_C(1) /* Sent once, as a word, before the first request. */
#define WIRE_WORD 8
#define WIRE_MAX_BODY (16U << 20) /* Answers with longer bodies are refused. */
#define WIRE_MAX_ARGS 255         /* A count of 256 would be taken for 0. */

/* Appends a header with an open end; returns where the message begins. */
size_t wire_begin(struct strbuf *b, enum wire_request type) MUST_CHECK;

/* Pads the message that began at 'start' and sets its length. A body is never empty: it crashes the
 * server. */
void wire_end(struct strbuf *b, size_t start);

void wire_put_text(struct strbuf *b, const char *s);

/* The arguments of a statement; none at all for none. -E2BIG for more than WIRE_MAX_ARGS. */
int wire_put_args(struct strbuf *b, struct db_args args) MUST_CHECK;

struct wire_header {
	uint8_t type;
	size_t size; /* Of the body, in bytes. */
};

/* -EBADMSG if the body would be empty or longer than WIRE_MAX_BODY. */
int wire_get_header(const uint8_t data[WIRE_WORD], struct wire_header *ret_header) MUST_CHECK;

/* A padded text, borrowed from the message; NULL and 'is_bad' if it does not end. */
const char *wire_get_text(struct bytes *body);

/* A message of rows while it is read. All zero at first; the arrays are kept for the next one. */
struct wire_rows {
	struct bytes body;
	size_t n_columns;
	const char **names; /* Borrowed from the message. */
	struct db_value *values;
	size_t capacity;
};

void wire_rows_done(struct wire_rows *rows);

/* Begins with the body of a message of type WIRE_ROWS. -EBADMSG if it is no such thing. */
int wire_rows_begin(struct wire_rows *rows, const void *body, size_t size) MUST_CHECK;

/* Whether a message of rows says at its end that another follows. */
bool wire_rows_has_more(const struct bytes *body) MUST_CHECK;

enum wire_row {
	WIRE_ROW,       /* rows->values holds a row. */
	WIRE_ROWS_MORE, /* Another message of rows follows. */
	WIRE_ROWS_END,
};

/* An enum wire_row, or -EBADMSG. */
int wire_rows_next(struct wire_rows *rows) MUST_CHECK;
