/*
 * The environment of a command inside an instance: what LXD gives it by default.
 *
 * In this order, later ones win: PATH, LANG, and HOME and USER of the user; "environment.*" of the
 * config; what the request says.
 */
#pragma once

#include <sys/types.h>

struct smap;

/* Adds to 'environment' what it does not have yet. */
void instance_environment_complete(const struct smap *config, uid_t uid, struct smap *environment);
