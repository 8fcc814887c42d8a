/*
 * Files of an instance that has no row any more: it was deleted or renamed while a member that had
 * files of it from a move was away. No row says in which pool they are.
 */
#pragma once

#include "lib/base/error.h"

struct state;

/*
 * Removes them from all pools of this member. The caller holds the instance's lock and knows that
 * no instance has the name.
 */
int member_files_remove(struct state *state, const char *project, const char *instance,
                        struct error **err);
