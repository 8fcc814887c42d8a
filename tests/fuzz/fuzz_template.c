/* Any text as a template: no crash, and text without tags comes out as it went in. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *value(const char *name, void *arg)
{
	return name[0] == 'd' ? "2024-03-05T14:07:09Z" : name[0] == 'x' ? NULL : "text";
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct template_scope scope = { .value = value, .config = value };
	scoped(error_freep) struct error *err = NULL;
	scoped(strbuf_done) struct strbuf b = { 0 };
	scoped_free char *text = xstrndup((const char *)data, size);

	int r = template_render(text, &scope, &b, &err);
	if (!strchr(text, '{') && (r < 0 || strcmp(text, strbuf_text(&b)) != 0))
		abort();

	return 0;
}
