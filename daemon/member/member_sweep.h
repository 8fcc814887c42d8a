/*
 * Files that a move has left behind, removed when the daemon starts.
 *
 * A member that was down when an instance left it, or when a move to it was given up, still has
 * the files. They are known by an instance that lives elsewhere now, and are not part of a step
 * under way, or by a step that has left them when its instance was deleted since; anything else is
 * left alone.
 */
#pragma once

#include "lib/base/error.h"

struct state;

int member_sweep(struct state *state, struct error **err);
