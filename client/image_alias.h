/* The aliases that --alias gives to a new image. */
#pragma once

#include "client/cli.h"
#include "client/server.h"
#include "lib/base/error.h"

/* 409 if one of the --alias names is taken. */
int image_alias_check_free(struct server *server, const struct cli *cli, struct error **err);

/* Points each --alias at the image, away from another one if need be. */
int image_alias_assign(struct server *server, const struct cli *cli, const char *fingerprint,
                       struct error **err);
