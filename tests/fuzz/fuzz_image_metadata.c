/* Any bytes as metadata.yaml: no crash, and what was read is written and read again the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/image/image_metadata.h"
#include "lib/base/alloc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	scoped(error_freep) struct error *err = NULL;
	scoped(image_metadata_done) struct image_metadata m = { 0 };
	scoped(image_metadata_done) struct image_metadata again = { 0 };

	if (image_metadata_parse((const char *)data, size, &m, &err) < 0)
		return 0;

	scoped_free char *text = image_metadata_format(&m);
	if (image_metadata_parse(text, strlen(text), &again, &err) < 0)
		abort();
	if (m.n_templates != again.n_templates || m.creation_date != again.creation_date ||
	    !smap_equals(&m.properties, &again.properties))
		abort();
	return 0;
}
