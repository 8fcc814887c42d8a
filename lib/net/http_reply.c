#include "lib/net/http_reply.h"

#include <assert.h>
#include <stdlib.h>

#include "lib/base/alloc.h"
#include "lib/net/http_head.h"

void http_reply_add_field(struct http_reply *reply, const char *name, const char *value)
{
	assert(http_head_is_field(name, value));

	struct http_reply_field *fields =
		realloc(reply->fields, (reply->n_fields + 1) * sizeof(*fields));
	if (!fields)
		abort();
	fields[reply->n_fields++] =
		(struct http_reply_field){ .name = xstrdup(name), .value = xstrdup(value) };
	reply->fields = fields;
}

void http_reply_done(struct http_reply *reply)
{
	for (size_t i = 0; i < reply->n_fields; i++) {
		free(reply->fields[i].name);
		free(reply->fields[i].value);
	}
	free(reply->fields);
	free(reply->body);
	http_source_free(reply->source);
	*reply = (struct http_reply){ 0 };
}
