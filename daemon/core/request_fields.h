/*
 * The types of fields that mean the same in every body of the API.
 *
 * Handlers read the fields that they act upon. What a client says beside them must have the right
 * type all the same: "live": "yes" is a mistake wherever it stands, and is told before anything
 * changes.
 */
#pragma once

#include "lib/base/error.h"

struct json_object;

/* 400 when a known field of 'body', or of its "source", has a wrong type. null is no value. */
int request_fields_check(struct json_object *body, struct error **err);
