/*
 * Answers of a database node that a wrong or hostile one may send.
 *
 * The input is a message: its header, then a body that is read as whatever the type says.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "db/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_rows(const void *body, size_t size)
{
	struct wire_rows rows = { 0 };
	size_t sum = 0;

	if (wire_rows_begin(&rows, body, size) == 0) {
		while (wire_rows_next(&rows) == WIRE_ROW) {
			/* Every value must be readable to its end. */
			for (size_t i = 0; i < rows.n_columns; i++) {
				const struct db_value *value = &rows.values[i];

				if (value->type == DB_TYPE_TEXT)
					sum += strlen(value->s);
				else if (value->type == DB_TYPE_BLOB && value->size > 0)
					sum += ((const uint8_t *)value->blob)[value->size - 1];
			}
		}
	}
	if (sum == SIZE_MAX)
		abort();
	wire_rows_done(&rows);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wire_header header;

	if (size < WIRE_WORD || wire_get_header(data, &header) < 0)
		return 0;

	/* A copy of its own, so that a sanitizer sees the first byte beyond it. */
	size_t body_size = size - WIRE_WORD < header.size ? size - WIRE_WORD : header.size;
	uint8_t *body = malloc(body_size ? body_size : 1);
	if (!body)
		return 0;
	memcpy(body, data + WIRE_WORD, body_size);

	if (header.type == WIRE_ROWS) {
		read_rows(body, body_size);
	} else {
		struct bytes b = { .data = body, .size = body_size };

		while (!b.is_bad && b.size > 0) {
			bytes_le64(&b);
			wire_get_text(&b);
		}
	}

	free(body);
	return 0;
}
