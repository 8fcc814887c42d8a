/* The hardware of a server, as text for people. */
#pragma once

#include <stdio.h>

#include <json-c/json.h>

/* Prints the answer of GET /1.0/resources. */
void resources_view_print(struct json_object *resources, FILE *out);
