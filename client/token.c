#include "client/token.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "client/output.h"
#include "lib/base/base64.h"
#include "lib/base/str.h"
#include "lib/data/jv.h"
#include "lib/data/jv_parse.h"
#include "lib/data/jv_print.h"

const char *token_name(struct json_object *operation, bool is_join)
{
	struct json_object *m = jv_member(operation, "metadata");

	return is_join ? jv_text(m, "serverName") : jv_text(jv_member(m, "request"), "name");
}

char *token_encode(struct json_object *operation, bool is_join)
{
	struct json_object *m = jv_member(operation, "metadata");
	const char *name = token_name(operation, is_join), *expiry = jv_text(m, "expiresAt");
	scoped(jv_unrefp) struct json_object *token = jv_object();
	size_t size;

	if (!name || !jv_text(m, "secret"))
		return NULL;
	jv_set_string(token, is_join ? "server_name" : "client_name", name);
	jv_set_string(token, "fingerprint", jv_text(m, "fingerprint"));
	jv_set_take(token, "addresses", jv_ref(jv_member(m, "addresses")));
	jv_set_string(token, "secret", jv_text(m, "secret"));
	jv_set_string(token, "expires_at", expiry ? expiry : "0001-01-01T00:00:00Z");
	scoped_free char *text = jv_print_text(token, &size);
	return base64_encode(text, size);
}

int token_decode(const char *text, struct json_object **ret_token, struct error **err)
{
	scoped(jv_unrefp) struct json_object *token = NULL;
	scoped(error_freep) struct error *unread = NULL;
	scoped_free uint8_t *data = NULL;
	size_t size;

	if (base64_decode(text, strlen(text), &data, &size) < 0 ||
	    jv_parse_object((const char *)data, size, &token, &unread) < 0 ||
	    !jv_text(token, "secret") || !jv_len(jv_member(token, "addresses")))
		return error_set(err, 400, "Invalid token");
	*ret_token = TAKE_PTR(token);
	return 0;
}

int token_list(struct server *server, bool is_join, struct json_object **ret_operations,
               struct error **err)
{
	scoped(jv_unrefp) struct json_object *by_status = NULL, *all = jv_array();
	int r = server_get(server, &by_status, err, "/1.0/operations?recursion=1&project=default");

	if (r < 0)
		return r;
	JV_FOREACH (by_status, status, list) {
		(void)status;
		for (size_t i = 0; i < jv_len(list); i++) {
			struct json_object *op = jv_item(list, i);

			if (str_equals(jv_text(op, "class"), "token") &&
			    jv_number(op, "status_code") == 103 && token_name(op, is_join))
				jv_add_take(all, jv_ref(op));
		}
	}
	*ret_operations = TAKE_PTR(all);
	return 0;
}

int token_print_list(const struct cli *cli, struct json_object *operations, bool is_join,
                     struct error **err)
{
	static const char *const headers[] = { "NAME", "TOKEN", "EXPIRES AT", NULL };
	scoped(table_freep) struct table *table = table_new(headers);
	scoped(jv_unrefp) struct json_object *raw = jv_array();

	for (size_t i = 0; i < jv_len(operations); i++) {
		struct json_object *op = jv_item(operations, i), *row = jv_object();
		const char *expiry = jv_text(jv_member(op, "metadata"), "expiresAt");
		scoped_free char *token = token_encode(op, is_join);

		jv_set_string(row, is_join ? "server_name" : "client_name",
		              token_name(op, is_join));
		jv_set_string(row, "token", token);
		jv_set_string(row, "expires_at", expiry);
		jv_add_take(raw, row);
		table_add(table, token_name(op, is_join));
		table_add(table, token);
		table_add_take(table, output_date(expiry));
	}
	table_sort(table);
	return output_list(cli, table, raw, err);
}
