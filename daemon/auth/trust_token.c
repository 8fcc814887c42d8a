#include "daemon/auth/trust_token.h"

#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/base64.h"
#include "lib/data/jv.h"
#include "lib/data/jv_parse.h"

char *trust_token_secret(const char *text)
{
	scoped_free uint8_t *data = NULL;
	scoped(jv_unrefp) struct json_object *token = NULL;
	scoped(error_freep) struct error *err = NULL;
	size_t size;

	if (base64_decode(text, strlen(text), &data, &size) < 0 ||
	    jv_parse_object((const char *)data, size, &token, &err) < 0 ||
	    !jv_text(token, "secret"))
		return xstrdup(text);

	return xstrdup(jv_text(token, "secret"));
}
