/* Any bytes as JSON: no crash, and what was read is written and read again the same. */
#include <stdint.h>
#include <stdlib.h>

#include "lib/data/jv.h"
#include "lib/data/jv_parse.h"
#include "lib/data/jv_print.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	scoped(error_freep) struct error *err = NULL;
	scoped(jv_unrefp) struct json_object *o = NULL;
	scoped(jv_unrefp) struct json_object *again = NULL;
	scoped(strbuf_done) struct strbuf pretty = { 0 };

	if (jv_parse((const char *)data, size, &o, &err) < 0)
		return 0;

	size_t text_size = 0;
	scoped_free char *text = jv_print_text(o, &text_size);
	if (jv_parse(text, text_size, &again, &err) < 0 || !jv_equals(o, again))
		abort();

	scoped(jv_unrefp) struct json_object *copy = jv_copy(o);
	jv_merge(copy, o);
	if (!jv_equals(copy, o))
		abort();

	jv_print_pretty(o, &pretty);
	jv_unref(TAKE_PTR(again));
	if (jv_parse(pretty.text, pretty.size, &again, &err) < 0 || !jv_equals(o, again))
		abort();

	return 0;
}
