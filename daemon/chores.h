/* What the daemon does now and then without being asked. */
#pragma once

struct state;

void chores_start(struct state *state);
void chores_stop(struct state *state);
