/* Any bytes as an upload's body: no crash, and every part lies within the body. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/image/image_multipart.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	scoped(error_freep) struct error *err = NULL;
	scoped(image_multipart_done) struct image_multipart m = { 0 };

	if (image_multipart_parse((const char *)data, size, "multipart/form-data; boundary=xyz", &m,
	                          &err) < 0)
		return 0;
	for (size_t i = 0; i < m.n_parts; i++)
		if (m.parts[i].offset > size || m.parts[i].size > size - m.parts[i].offset)
			abort();
	return 0;
}
