#include "daemon/api/used_by.h"

#include <string.h>

#include "daemon/core/access.h"
#include "daemon/core/request.h"
#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/data/jv.h"
#include "lib/net/url.h"

/* The project of a URL of the API, decoded; owned by the caller. */
static char *project_of(const char *url)
{
	const char *found = strstr(url, "project=");

	if (!found)
		return xstrdup("default");

	const char *text = found + strlen("project=");
	scoped_free char *encoded = xstrndup(text, strcspn(text, "&"));
	char *name = NULL;

	return url_decode(encoded, strlen(encoded), true, &name) < 0 ? xstrdup("") : name;
}

void used_by_filter(const struct request *req, struct json_object *object)
{
	struct json_object *urls = jv_member(object, "used_by");

	if (!urls || access_is_admin(req->requestor))
		return;

	struct json_object *kept = jv_array();
	for (size_t i = 0; i < jv_len(urls); i++) {
		const char *url = str_or_empty(jv_string(jv_item(urls, i)));
		scoped_free char *project = project_of(url);

		if (access_may_enter(req->requestor, project))
			jv_add_string(kept, url);
	}
	jv_set_take(object, "used_by", kept);
}
