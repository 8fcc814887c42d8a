/* A filter in the first line, a document in the others: no crash, and not "a and not a". */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/data/jv.h"
#include "lib/data/jv_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	scoped(error_freep) struct error *err = NULL;
	scoped(error_freep) struct error *ignored = NULL;
	scoped(filter_freep) struct filter *f = NULL;
	scoped(filter_freep) struct filter *opposite = NULL;
	scoped(jv_unrefp) struct json_object *o = NULL;
	scoped_free char *text = xstrndup((const char *)data, size);
	scoped_free char *line = xstrndup(text, strcspn(text, "\n"));
	const char *rest = text + strlen(line);

	if (filter_parse(line, &f, &err) < 0)
		return 0;

	if (jv_parse(rest, strlen(rest), &o, &err) < 0)
		error_clear(&err);

	bool matches = jv_matches(o, f);
	scoped_free char *negated = xasprintf("not %s", line);
	if (strstr(line, " and ") || strstr(line, " or ") ||
	    filter_parse(negated, &opposite, &ignored) < 0)
		return 0;
	if (line[strspn(line, " \t\r\f\v")] && strncmp(line, "not", 3) != 0 &&
	    !strpbrk(line, "\t\r\f\v") && strcasestr(line, " and ") == NULL &&
	    strcasestr(line, " or ") == NULL && strcasestr(line, "not ") == NULL &&
	    jv_matches(o, opposite) == matches)
		abort();

	return 0;
}
