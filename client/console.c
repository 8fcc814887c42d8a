#include "client/console.h"

#include <stdio.h>
#include <unistd.h>

#include "client/session.h"
#include "client/terminal.h"
#include "lib/base/str.h"
#include "lib/data/jv.h"

int console_attach(struct client *client, struct server *server, const char *name,
                   struct error **err)
{
	scoped(jv_unrefp) struct json_object *body = jv_object(), *op = NULL;
	unsigned columns = 80, rows = 24;
	bool left = false;

	terminal_size(STDOUT_FILENO, &columns, &rows);
	jv_set_string(body, "type", "console");
	jv_set_int(body, "width", columns);
	jv_set_int(body, "height", rows);
	int r = server_start(server, "POST", body, &op, err, "/1.0/instances/%s/console", name);
	if (r < 0)
		return r;
	if (isatty(STDIN_FILENO) == 1)
		client_say(client, "To detach from the console, press: <ctrl>+a q");
	struct session session = { .server = server,
		                   .operation = op,
		                   .interactive = true,
		                   .is_console = true,
		                   .stdin_fd = STDIN_FILENO };
	r = session_run(&session, &left, err);
	if (isatty(STDIN_FILENO) == 1)
		putchar('\n');
	return r;
}

int console_attach_word(struct client *client, const char *word, struct error **err)
{
	struct server *server;
	const char *name;
	int r = client_named(client, word, "instance", &server, &name, err);

	return r < 0 ? r : console_attach(client, server, name, err);
}
