/*
 * The plan that undoes another one: each step that was done, the other way, the last one first.
 *
 * What has moved on since, or is gone, is left alone.
 */
#pragma once

#include "db/plans.h"
#include "lib/base/error.h"

/*
 * Writes the reverse of an evacuation or a restore under 'uuid', and the state that the member has
 * while it is carried out.
 */
int member_undo_create(struct db_tx *tx, const struct db_plan *plan,
                       const struct db_plan_steps *steps, const char *uuid, struct error **err);
