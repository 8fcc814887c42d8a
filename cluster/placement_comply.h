/*
 * Whether the instances of a placement group are where its rule wants them.
 *
 * Explicit targets, moves by hand and members that were lost may leave a group otherwise than it
 * would be placed now. Pure, over the same snapshot that placement uses.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "cluster/placement.h"
#include "lib/base/macro.h"

struct placement_comply {
	size_t n_instances;
	size_t *counts; /* By member. */
	bool *is_wrong; /* By member: it has some that should be elsewhere. */
	bool complies;
};

/*
 * 'group' is an index of the snapshot. Strictly spread: no member has two. Permissively spread:
 * none has two more than another that could take one. Compact: one member has all.
 */
void placement_comply_check(const struct placement_snapshot *snapshot, size_t group,
                            struct placement_comply *ret);
void placement_comply_done(struct placement_comply *comply);

/* Why a member is wrong, as a sentence without a period; owned by the caller. */
char *placement_comply_text(const struct placement_snapshot *snapshot, size_t group,
                            const struct placement_comply *comply, size_t member) MUST_CHECK;
