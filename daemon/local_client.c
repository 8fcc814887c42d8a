#include "daemon/local_client.h"

#include "daemon/core/dirs.h"
#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/data/jv.h"
#include "lib/net/http_client.h"

struct http_client *local_client_new(void)
{
	scoped(dirs_freep) struct dirs *dirs = dirs_new();
	const struct http_client_config config = { .unix_path = dirs->unix_socket };

	return http_client_new(&config);
}

static int wait_for(struct http_client *client, const char *operation,
                    struct json_object **ret_metadata, struct error **err)
{
	scoped_free char *path = xasprintf("%s/wait", operation);
	scoped(jv_unrefp) struct json_object *envelope = NULL;
	struct json_object *op;

	int r = http_client_query(client, "GET", path, NULL, 0, &envelope, err);
	if (r < 0)
		return r;

	op = jv_member(envelope, "metadata");
	if (jv_number(op, "status_code") != 200)
		return error_set(err,
		                 (int)(jv_number(op, "err_code") ? jv_number(op, "err_code") : 500),
		                 "%s", str_or_empty(jv_text(op, "err")));

	if (ret_metadata)
		*ret_metadata = jv_ref(jv_member(op, "metadata"));
	return 0;
}

int local_client_call(struct http_client *client, const char *method, const char *path,
                      struct json_object *body, struct json_object **ret_metadata,
                      struct error **err)
{
	scoped(jv_unrefp) struct json_object *envelope = NULL;

	int r = http_client_query(client, method, path, body, 0, &envelope, err);
	if (r < 0)
		return r;

	if (str_equals(jv_text(envelope, "type"), "async"))
		return wait_for(client, jv_text(envelope, "operation"), ret_metadata, err);

	if (ret_metadata)
		*ret_metadata = jv_ref(jv_member(envelope, "metadata"));
	return 0;
}
