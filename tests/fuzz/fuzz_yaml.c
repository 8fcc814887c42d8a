/* Any bytes as YAML: no crash, and what was read is written and read again the same. */
#include <stdint.h>
#include <stdlib.h>

#include "lib/data/jv.h"
#include "lib/data/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	scoped(error_freep) struct error *err = NULL;
	scoped(jv_unrefp) struct json_object *o = NULL;
	scoped(jv_unrefp) struct json_object *again = NULL;
	scoped(strbuf_done) struct strbuf b = { 0 };

	if (yaml_decode((const char *)data, size, &o, &err) < 0)
		return 0;

	yaml_encode(o, &b);
	if (yaml_decode(b.text, b.size, &again, &err) < 0 || !jv_equals(o, again))
		abort();

	return 0;
}
