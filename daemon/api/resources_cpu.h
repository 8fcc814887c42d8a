/* Processors and memory, for GET /1.0/resources. */
#pragma once

struct json_object;

/* Both owned by the caller. */
struct json_object *resources_cpu_json(const char *architecture);
struct json_object *resources_cpu_memory(void);
