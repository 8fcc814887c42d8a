/*
 * Editing a document of the server: YAML in the user's editor, or from stdin if that is no
 * terminal, sent back; what the server refuses can be corrected.
 */
#pragma once

#include <json-c/json.h>

#include "lib/base/error.h"

/* Sends the edited document; called again after each correction. */
typedef int edit_apply(void *arg, struct json_object *document, struct error **err);

/*
 * Lets the user edit 'document' under a comment of 'help' (may be NULL; without the '#'). Nothing
 * is sent if nothing was changed.
 */
int edit_document(struct json_object *document, const char *help, edit_apply *apply, void *arg,
                  struct error **err);

/* A document from stdin; NULL if it is a terminal or empty. */
int edit_from_stdin(struct json_object **ret_document, struct error **err);

/* Opens a file in $VISUAL, $EDITOR or the first editor there is, and waits. */
int edit_file(const char *path, struct error **err);

/* The same for text that is not YAML: '*ret_text' is owned by the caller. */
int edit_text(const char *text, const char *suffix, char **ret_text, size_t *ret_size,
              struct error **err);
