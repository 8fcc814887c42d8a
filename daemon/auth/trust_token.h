/* Tokens of clients: base64 of what a client needs to trust the server and to be trusted by it. */
#pragma once

#include "lib/base/error.h"

/*
 * The secret in a token, or the text itself when it is no token (a bare secret); owned by the
 * caller.
 */
char *trust_token_secret(const char *text) MUST_CHECK;
