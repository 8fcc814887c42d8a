#include "client/instance_create.h"

#include "client/edit.h"
#include "client/image_source.h"
#include "lib/data/jv.h"

int instance_create_body(struct client *client, const struct cli *cli, struct server *server,
                         const char *image, struct json_object **ret_body, struct error **err)
{
	scoped(jv_unrefp) struct json_object *body = NULL;
	struct json_object *source = NULL;
	int r = edit_from_stdin(&body, err);

	if (r < 0)
		return r;
	if (!json_object_is_type(body, json_type_object)) {
		jv_unref(body);
		body = jv_object();
	}
	jv_coerce_strings(body, "config");
	instance_wish_profiles(cli, body);
	r = instance_wish_config(cli, body, err);
	if (r == 0)
		r = instance_wish_devices(cli, server, body, err);
	if (r < 0)
		return r;
	instance_wish_map(body, "devices");
	if (cli_given(cli, "ephemeral"))
		jv_set_bool(body, "ephemeral", cli_flag(cli, "ephemeral"));
	if (cli_option(cli, "type"))
		jv_set_string(body, "instance_type", cli_option(cli, "type"));
	jv_set_string(body, "type", cli_flag(cli, "vm") ? "virtual-machine" : "container");
	if (image) {
		r = image_source_make(client, image, server, cli_flag(cli, "vm"), &source, err);
		if (r < 0)
			return r;
	} else {
		source = jv_object();
		jv_set_string(source, "type", "none");
	}
	jv_set_take(body, "source", source);
	*ret_body = TAKE_PTR(body);
	return 0;
}
