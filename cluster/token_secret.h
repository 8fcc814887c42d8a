/*
 * How the secret of a token is shown again though the database keeps no more than its digest:
 * sealed beside it, with the private key of the listeners' certificate, which every member has and
 * no row. A new certificate makes it unreadable; the token names the old one and is of no use then.
 */
#pragma once

#include "lib/base/macro.h"

struct cluster;
struct json_object;

/* Keeps 'secret' in a token's data. */
void token_secret_keep(struct cluster *cluster, struct json_object *data, const char *secret);

/* The secret that was kept, taken out of 'data'; "" if it cannot be read. Owned by the caller. */
char *token_secret_take(struct cluster *cluster, struct json_object *data) MUST_CHECK;
