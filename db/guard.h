/*
 * Statements that an operator typed: those that would end or wedge the engine are refused.
 *
 * The engine's libraries abort on RETURNING and on some declared column types, and lose their way
 * on statements that change the mode of the database; BEGIN and COMMIT belong to db/db.h.
 */
#pragma once

#include <stdbool.h>

#include "lib/base/error.h"
#include "lib/base/macro.h"

/* Fails with a 400 unless 'sql' is a single statement that may be run; says whether it only reads.
 */
int db_guard_check(const char *sql, bool *ret_only_reads, struct error **err) MUST_CHECK;
