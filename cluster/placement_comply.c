#include "cluster/placement_comply.h"

#include <stdlib.h>

#include "lib/base/alloc.h"

/* Whether it could take one more of a group. */
static bool is_open(const struct placement_member *member)
{
	return member->is_online && !member->is_evacuated && member->schedule == PLACEMENT_ALL;
}

/* The most that a member may have of a spread group. */
static size_t limit_of(const struct placement_snapshot *snapshot, size_t group,
                       const size_t *counts)
{
	size_t least = SIZE_MAX;

	if (snapshot->groups[group].is_strict)
		return 1;
	for (size_t m = 0; m < snapshot->n_members; m++)
		if (is_open(&snapshot->members[m]) && counts[m] < least)
			least = counts[m];

	return least == SIZE_MAX ? SIZE_MAX : least + 1;
}

/* Where a compact group is: where most of it are. */
static size_t home_of(const struct placement_snapshot *snapshot, const size_t *counts)
{
	size_t best = 0;

	for (size_t m = 1; m < snapshot->n_members; m++)
		if (counts[m] > counts[best])
			best = m;

	return best;
}

void placement_comply_check(const struct placement_snapshot *snapshot, size_t group,
                            struct placement_comply *ret)
{
	bool is_compact = snapshot->groups[group].policy == PLACEMENT_COMPACT;
	struct placement_comply comply = {
		.counts = xcalloc(snapshot->n_members + 1, sizeof(size_t)),
		.is_wrong = xcalloc(snapshot->n_members + 1, sizeof(bool)),
		.complies = true,
	};

	for (size_t i = 0; i < snapshot->n_instances; i++) {
		const struct placement_instance *inst = &snapshot->instances[i];

		if (inst->id == 0 || inst->group != group || inst->member == PLACEMENT_NONE)
			continue;
		comply.counts[inst->member]++;
		comply.n_instances++;
	}

	size_t home = home_of(snapshot, comply.counts);
	size_t limit = is_compact ? 0 : limit_of(snapshot, group, comply.counts);
	for (size_t m = 0; m < snapshot->n_members; m++) {
		comply.is_wrong[m] = comply.counts[m] > limit && !(is_compact && m == home);
		comply.complies &= !comply.is_wrong[m];
	}
	*ret = comply;
}

void placement_comply_done(struct placement_comply *comply)
{
	free(comply->counts);
	free(comply->is_wrong);
	*comply = (struct placement_comply){ 0 };
}

char *placement_comply_text(const struct placement_snapshot *snapshot, size_t group,
                            const struct placement_comply *comply, size_t member)
{
	const struct placement_group_row *row = &snapshot->groups[group];

	if (row->policy == PLACEMENT_COMPACT) {
		size_t home = home_of(snapshot, comply->counts);

		return xasprintf("most of the group are on \"%s\"", snapshot->members[home].name);
	}
	if (row->is_strict)
		return xasprintf("it has %zu of a strictly spread group", comply->counts[member]);

	return xasprintf("it has %zu, another member that could take one has at most %zu",
	                 comply->counts[member], limit_of(snapshot, group, comply->counts) - 1);
}
