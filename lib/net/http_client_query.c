/* Requests in LXD's envelope. */
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "lib/base/alloc.h"
#include "lib/data/jv.h"
#include "lib/data/jv_parse.h"
#include "lib/net/http_client_impl.h"

int http_client_error_of(const struct http_response *res, struct error **err)
{
	scoped(jv_unrefp) struct json_object *envelope = NULL;
	scoped(error_freep) struct error *ignored = NULL;
	struct json_object *value;

	if (res->status < 400)
		return 0;

	const char *text = NULL;
	int status = res->status;
	if (jv_parse(res->body ? res->body : "", res->size, &envelope, &ignored) == 0 &&
	    json_object_is_type(envelope, json_type_object)) {
		if (json_object_object_get_ex(envelope, "error", &value))
			text = json_object_get_string(value);
		if (json_object_object_get_ex(envelope, "error_code", &value) &&
		    json_object_get_int(value) >= 400 && json_object_get_int(value) < 600)
			status = json_object_get_int(value);
	}
	return error_set(err, status, "%s", text && *text ? text : "Request failed");
}

int http_client_query(struct http_client *client, const char *method, const char *path,
                      struct json_object *body, unsigned timeout_ms,
                      struct json_object **ret_envelope, struct error **err)
{
	const char *text =
		body ? json_object_to_json_string_ext(body, JSON_C_TO_STRING_PLAIN) : NULL;
	const struct http_request req = {
		.method = method,
		.path = path,
		.headers = (const char *[]){ body ? "Content-Type: application/json" : NULL, NULL },
		.body = text,
		.body_size = text ? strlen(text) : 0,
		.timeout_ms = timeout_ms,
	};
	scoped(http_response_done) struct http_response res = { 0 };

	int r = http_client_do(client, &req, &res, err);
	if (r == 0)
		r = http_client_error_of(&res, err);
	if (r < 0)
		return r;

	scoped(jv_unrefp) struct json_object *envelope = NULL;
	r = jv_parse_object(res.body, res.size, &envelope, err);
	if (r < 0)
		return error_wrap(err, "Answer of \"%s\"", client->base);
	if (ret_envelope)
		*ret_envelope = TAKE_PTR(envelope);
	return 0;
}
