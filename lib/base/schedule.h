/*
 * Schedules as LXD writes them: "snapshots.schedule".
 *
 * One or several parts with ", " between. A part is five fields of cron, "minute hour day month
 * weekday", or an alias: "@hourly", "@daily", "@midnight", "@weekly", "@monthly", "@annually",
 * "@yearly", "@startup", "@never". A field is "*" or "?", a number, a range "1-5", with a step
 * "0-30/5", or several of them with commas between; months and weekdays have their three letters
 * too. As cron does it, a day fits if either of day and weekday does when both are given.
 *
 * Times are those of the server's time zone. Strict: what has a doubtful meaning is refused.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/macro.h"

#define SCHEDULE_MAX 16 /* Parts of one schedule. */

/* When one part is due; sets of bits. */
struct schedule_part {
	uint64_t minutes;
	uint32_t hours, days;
	uint16_t months;
	uint8_t weekdays; /* Bit 0 is Sunday. */
	bool has_days, has_weekdays;
};

struct schedule {
	struct schedule_part parts[SCHEDULE_MAX];
	size_t n_parts;  /* 0: never by itself. */
	bool is_startup; /* When the instance starts, too. */
};

/*
 * Reads a schedule; "" is never. Aliases name no minute, and some no hour: 'spread', of the object
 * whose schedule it is, decides that, so that not everything is due at the same time. -EINVAL.
 */
int schedule_parse(const char *text, uint64_t spread, struct schedule *ret) NONNULL;

/*
 * The last minute after 'after' and not after 'until' at which it was due, as a date
 * (lib/base/date.h), or DATE_NONE. Looks at each minute between the two, and at a day's worth at
 * most.
 */
int64_t schedule_last_due(const struct schedule *s, int64_t after, int64_t until) NONNULL;
