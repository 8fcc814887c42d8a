/* Join and trust tokens: what the API gives in pieces, as one word to hand on. */
#pragma once

#include <stdbool.h>

#include <json-c/json.h>

#include "client/cli.h"
#include "client/server.h"
#include "lib/base/error.h"

/*
 * The token of an operation of class "token": base64 of JSON, for a member that joins or for a
 * client. NULL if the operation is about something else. Owned by the caller.
 */
char *token_encode(struct json_object *operation, bool is_join);

/* The JSON of a token; 400 if it is none. */
int token_decode(const char *text, struct json_object **ret_token, struct error **err);

/* The running token operations for joins or for clients; an array, owned by the caller. */
int token_list(struct server *server, bool is_join, struct json_object **ret_operations,
               struct error **err);

/* The name that a token operation is for; borrowed. */
const char *token_name(struct json_object *operation, bool is_join);

/* Prints a table of them. */
int token_print_list(const struct cli *cli, struct json_object *operations, bool is_join,
                     struct error **err);
