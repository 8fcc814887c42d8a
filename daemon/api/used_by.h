/* What a caller may know of who uses an object: the users in projects that it may enter. */
#pragma once

struct json_object;
struct request;

/* Takes out of the "used_by" of 'object' what lies in projects that are closed to the caller. */
void used_by_filter(const struct request *req, struct json_object *object);
