/*
 * The member service: what carries out plans on this member.
 *
 * It has two pools of threads beside the daemon's own: one for the steps that this member
 * coordinates while it leads, one for the phases that it carries out for whoever coordinates. A
 * step waits for phases of other members, and a phase for a stream from another, so neither may
 * share a pool with what it waits for.
 */
#pragma once

#include "lib/base/error.h"

struct state;

/* Makes the service; sets state->members. Open plans are taken over if this member leads. */
int member_service_new(struct state *state, struct error **err);

/*
 * Coordinates no plan any more: those that are open go on where the next leader is, they are not
 * cancelled. Phases that others ask for are carried out all the same. Does not block.
 */
void member_service_stop(struct state *state);

/* Ends the coordination of plans (they stay open) and waits for phases that are under way. */
void member_service_free(struct state *state);

/* Leadership came or went, or a member came back: looks for plans to coordinate. Does not block. */
void member_service_wake(struct state *state);

/* The same after a second: for what went wrong and may be better then. */
void member_service_wake_later(struct state *state);
