/* "snapshots.schedule": whatever is taken is due at minutes that exist, in the range asked for. */
#include <stdint.h>
#include <stdlib.h>

#include "lib/base/alloc.h"
#include "lib/base/date.h"
#include "lib/base/schedule.h"
#include "lib/base/scoped.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const int64_t from = INT64_C(1795514400) * DATE_SECOND, to = from + 3600 * DATE_SECOND;
	scoped_free char *text = xstrndup((const char *)data, size);
	struct schedule s;

	if (schedule_parse(text, size, &s) < 0)
		return 0;
	if (s.n_parts > SCHEDULE_MAX)
		abort();
	for (size_t i = 0; i < s.n_parts; i++)
		if (s.parts[i].minutes == 0 || s.parts[i].minutes >> 60 || s.parts[i].hours == 0 ||
		    s.parts[i].hours >> 24 || s.parts[i].months & 1 || s.parts[i].months >> 13 ||
		    s.parts[i].weekdays >> 7)
			abort();
	int64_t due = schedule_last_due(&s, from, to);
	if (due != DATE_NONE && (due <= from || due > to || due % (60 * DATE_SECOND) != 0))
		abort();
	return 0;
}
