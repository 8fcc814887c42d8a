/*
 * Points in time.
 *
 * A date is a count of nanoseconds since 1970, UTC. DATE_NONE is Go's zero time, which LXD's API
 * uses for "never". Deadlines are milliseconds of the monotonic clock. Tests can put their own
 * clock in place of both.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/macro.h"

#define DATE_NONE INT64_MIN
#define DATE_SECOND INT64_C(1000000000)
#define DATE_SIZE 36 /* Room for any date as text. */

#define DEADLINE_NEVER INT64_MAX

/* Wall clock, in nanoseconds since 1970. */
int64_t date_now(void);

/* Wall clock, in seconds. */
int64_t date_now_seconds(void);

/* Monotonic clock, in milliseconds. */
int64_t date_monotonic(void);

/* Monotonic clock, in nanoseconds, for measuring. */
int64_t date_monotonic_ns(void);

/* The deadline 'ms' from now; DEADLINE_NEVER for a negative one. */
int64_t date_deadline(int64_t ms);

/* Milliseconds until 'deadline' for poll(): 0 if it is over, -1 for DEADLINE_NEVER. */
int date_left(int64_t deadline);

/* RFC 3339 in UTC with as many digits of a second as needed, as Go prints it; returns 'buf'. */
char *date_format(int64_t date, char buf[DATE_SIZE]) NONNULL;

/* Reads RFC 3339 with any zone. -EINVAL if it is none; -ERANGE before 1678 or after 2261. */
int date_parse(const char *s, int64_t *ret_date) NONNULL;

/* 'date' plus calendar months (the day is carried over as Go's AddDate does). */
int64_t date_add_months(int64_t date, int months);

/* Moves the wall clock of this process by 'ns' from where it really is; from any thread. */
void date_shift_clock(int64_t ns);
bool date_is_shifted(void);

/* From now on time is what 'now_ns' and 'monotonic_ms' say; NULL for both: the real clocks. */
void date_set_clock(int64_t (*now_ns)(void), int64_t (*monotonic_ms)(void));
