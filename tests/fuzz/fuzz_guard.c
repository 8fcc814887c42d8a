/* Statements that somebody typed: whatever they are, they are refused or they are one statement. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "db/guard.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	scoped(error_freep) struct error *err = NULL;
	bool only_reads;
	char *sql = malloc(size + 1);

	if (!sql)
		return 0;
	memcpy(sql, data, size);
	sql[size] = '\0';
	if (db_guard_check(sql, &only_reads, &err) == 0 && strncasecmp(sql, "COMMIT", 6) == 0)
		abort();
	free(sql);
	return 0;
}
