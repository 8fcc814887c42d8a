/*
 * What the steps that this member coordinates occupy, of all its plans, so that the caps hold for
 * all of them together.
 */
#pragma once

#include <stdbool.h>

#include "cluster/plan_schedule.h"
#include "lib/base/macro.h"

struct cond;
struct member_slots;

struct member_slots *member_slots_new(void) MUST_CHECK;
void member_slots_free(struct member_slots *slots);

/* Takes a place if the caps allow one more. The slot's names are borrowed until it is given back.
 */
bool member_slots_take(struct member_slots *slots, const struct plan_caps *caps,
                       const struct plan_slot *slot);

/* Gives it back, and wakes who may wait for one. */
void member_slots_give(struct member_slots *slots, const struct plan_slot *slot);

/* Whom to wake when a place is free; without its mutex, so who waits looks by itself now and then.
 */
void member_slots_watch(struct member_slots *slots, struct cond *cond);
void member_slots_unwatch(struct member_slots *slots, struct cond *cond);
