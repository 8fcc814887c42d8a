/* The log as events: what is logged goes to those who listen for "logging". */
#pragma once

struct state;

void log_events_start(struct state *state);
void log_events_stop(void);
