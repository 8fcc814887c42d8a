/* Attaching to an instance's console. */
#pragma once

#include "client/client.h"
#include "lib/base/error.h"

/* Attaches until the user leaves with ^A q or the console ends. */
int console_attach(struct client *client, struct server *server, const char *name,
                   struct error **err);

/* The same for "[remote:]instance". */
int console_attach_word(struct client *client, const char *word, struct error **err);
