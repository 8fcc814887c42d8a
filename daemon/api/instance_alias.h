/*
 * /1.0/containers and /1.0/virtual-machines: the API's first names of /1.0/instances, each for one
 * type. Routes and "instance-type" follow from the path by themselves; this is the rest.
 */
#pragma once

#include "lib/base/error.h"

struct request;

/* 404 for an instance that is of another type than the path says. */
int instance_alias_check(struct request *req, struct error **err);

/* An instance's URL as a list shows it that was asked for by this name; owned by the caller. */
char *instance_alias_url(const struct request *req, const char *url);
