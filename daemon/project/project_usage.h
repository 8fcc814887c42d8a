/* What is in a project and how much of its limits that takes. */
#pragma once

struct db_project;
struct db_view;
struct json_object;

/* URLs of everything that is in the project; owned by the caller. */
struct json_object *project_usage_urls(const struct db_view *view, const char *project);

/* {"instances": {"Limit": -1, "Usage": 0}, ...}; owned by the caller. */
struct json_object *project_usage_json(const struct db_view *view,
                                       const struct db_project *project);
