/* What is done to a plan as a whole: it is paused, resumed, cancelled, retried, undone. */
#pragma once

#include "lib/base/error.h"

struct state;

/*
 * {action}: "pause", "resume", "cancel", "retry" or "undo". 400 where it does not apply. Whoever
 * carries it out sees it soon; one that has ended must be adopted.
 */
int member_plan_act(struct state *state, const char *uuid, const char *action, struct error **err);
