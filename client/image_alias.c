#include "client/image_alias.h"

#include "lib/base/str.h"
#include "lib/data/jv.h"

/* 1 if it is there, 0 if not. */
static int has(struct server *server, const char *alias, struct error **err)
{
	scoped(jv_unrefp) struct json_object *o = NULL;
	scoped(error_freep) struct error *missing = NULL;
	int r = server_get(server, &o, &missing, "/1.0/images/aliases/%s", alias);

	if (r == 0)
		return 1;
	if (missing->status == 404)
		return 0;
	*err = TAKE_PTR(missing);
	return r;
}

int image_alias_check_free(struct server *server, const struct cli *cli, struct error **err)
{
	const char *alias;

	for (size_t i = 0; (alias = cli_list(cli, "alias", i)); i++) {
		int r = has(server, alias, err);

		if (r)
			return r < 0 ? r : error_set(err, 409, "Alias already exists: %s", alias);
	}
	return 0;
}

int image_alias_assign(struct server *server, const struct cli *cli, const char *fingerprint,
                       struct error **err)
{
	const char *alias;

	for (size_t i = 0; (alias = cli_list(cli, "alias", i)); i++) {
		scoped(jv_unrefp) struct json_object *body = jv_object();
		int r = has(server, alias, err);

		if (r == 1)
			r = server_send(server, "DELETE", NULL, err, "/1.0/images/aliases/%s",
			                alias);
		jv_set_string(body, "name", alias);
		jv_set_string(body, "target", fingerprint);
		jv_set_string(body, "description", "");
		if (r >= 0)
			r = server_send(server, "POST", body, err, "/1.0/images/aliases");
		if (r < 0)
			return error_wrap(err, "Failed creating alias \"%s\"", alias);
	}
	return 0;
}
