/* Taking a project down whole: DELETE /1.0/projects/NAME?force=1. */
#pragma once

#include "lib/base/error.h"

struct state;

/*
 * Deletes the project's instances, images and custom volumes on whatever members they are; rows
 * that stand for nothing else are left to project_delete(). Ends with the first failure.
 */
int projects_purge_run(struct state *state, const char *project, struct error **err);
