/* Lists: URLs, or with ?recursion= the objects themselves, and of both only what ?filter= lets by.
 */
#pragma once

#include <stdbool.h>

struct json_object;
struct request;

/* Whether the list needs the objects: because it shows them, or because it filters. */
bool recursion_needs_items(const struct request *req);

/* Adds 'item_take' (NULL unless recursion_needs_items()) or 'url' to 'array', if the filter agrees.
 */
void recursion_add(const struct request *req, struct json_object *array, const char *url,
                   struct json_object *item_take);
