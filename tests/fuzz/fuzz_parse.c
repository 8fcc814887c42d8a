/* Any text as each kind of number, date and path: no crash, and the inverses are inverse. */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/base64.h"
#include "lib/base/date.h"
#include "lib/base/parse.h"
#include "lib/base/path.h"
#include "lib/base/scoped.h"
#include "lib/base/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_numbers(const char *text)
{
	int64_t v, again = 0;
	bool b, set[64];
	unsigned u;
	char buf[32];

	if (parse_int64(text, &v) == 0) {
		snprintf(buf, sizeof(buf), "%" PRId64, v);
		if (parse_int64(buf, &again) < 0 || again != v)
			abort();
	}
	parse_bool(text, &b);
	parse_size(text, &v);
	parse_bits(text, &v);
	parse_duration(text, &v);
	parse_expiry(text, date_now(), &v);
	parse_cpu_set(text, set, COUNT_OF(set));
	if (parse_percent(text, &u) == 0 && u > 100)
		abort();
	if (parse_mode(text, &u) == 0 && u > 07777)
		abort();
}

static void check_date(const char *text)
{
	int64_t date, again;
	char buf[DATE_SIZE];

	if (date_parse(text, &date) < 0)
		return;
	if (date_parse(date_format(date, buf), &again) < 0 || date != again)
		abort();
}

static void check_path(const char *text)
{
	scoped_free char *clean = path_clean(text);
	scoped_free char *again = path_clean(clean);
	scoped_free char *dir = path_dir(text);

	if (strcmp(clean, again) != 0 || strstr(clean, "//") || !path_is_beneath(clean, clean))
		abort();
	if (path_is_absolute(text) != path_is_absolute(dir) ||
	    (path_is_absolute(text) && path_has_dotdot(clean)))
		abort();
}

static void check_base64(const uint8_t *data, size_t size)
{
	uint8_t *again = NULL;
	size_t again_size = 0;
	scoped_free char *text = base64_encode_url(data, size);

	if (base64_decode(text, strlen(text), &again, &again_size) < 0 || again_size != size ||
	    memcmp(again, data, size) != 0)
		abort();
	free(again);
	if (base64_decode((const char *)data, size, &again, &again_size) == 0)
		free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	scoped_free char *text = xstrndup((const char *)data, size);

	check_numbers(text);
	check_date(text);
	check_path(text);
	if (size)
		check_base64(data, size);
	return 0;
}
