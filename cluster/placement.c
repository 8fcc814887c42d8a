#include "cluster/placement.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"

struct placement_usage {
	const struct placement_snapshot *snapshot;
	size_t *n_instances;     /* By member. */
	uint64_t *memory;        /* By member: the sum of limits. */
	uint32_t **group_counts; /* By group, then member; NULL while the group is empty. */
};

static bool has_string(const char *const *list, const char *s)
{
	for (; list && *list; list++)
		if (strcmp(*list, s) == 0)
			return true;

	return false;
}

/* Whether each of 'needs' is in 'has'; a NULL 'has' has everything. */
static bool has_all(const char *const *has, const char *const *needs)
{
	if (!has || !needs)
		return true;
	for (; *needs; needs++)
		if (!has_string(has, *needs))
			return false;

	return true;
}

struct placement_usage *placement_usage_new(const struct placement_snapshot *snapshot)
{
	struct placement_usage *usage = xcalloc(1, sizeof(*usage));

	usage->snapshot = snapshot;
	usage->n_instances = xcalloc(snapshot->n_members + 1, sizeof(*usage->n_instances));
	usage->memory = xcalloc(snapshot->n_members + 1, sizeof(*usage->memory));
	usage->group_counts = xcalloc(snapshot->n_groups + 1, sizeof(*usage->group_counts));
	for (size_t i = 0; i < snapshot->n_instances; i++) {
		const struct placement_instance *instance = &snapshot->instances[i];

		if (instance->member != PLACEMENT_NONE)
			placement_usage_add(usage, instance, instance->member, 1);
	}

	return usage;
}

void placement_usage_free(struct placement_usage *usage)
{
	if (!usage)
		return;

	for (size_t i = 0; i < usage->snapshot->n_groups; i++)
		free(usage->group_counts[i]);
	free(usage->group_counts);
	free(usage->memory);
	free(usage->n_instances);
	free(usage);
}

void placement_usage_add(struct placement_usage *usage, const struct placement_instance *instance,
                         size_t member, int count)
{
	usage->n_instances[member] += (size_t)count;
	usage->memory[member] += instance->memory * (uint64_t)count;
	if (instance->group == PLACEMENT_NONE)
		return;

	uint32_t **counts = &usage->group_counts[instance->group];
	if (!*counts)
		*counts = xcalloc(usage->snapshot->n_members, sizeof(**counts));
	(*counts)[member] += (uint32_t)count;
}

size_t placement_usage_group_count(const struct placement_usage *usage, size_t group, size_t member)
{
	return usage->group_counts[group] ? usage->group_counts[group][member] : 0;
}

/* How many instances of the group are in the failure domain of 'member'. */
static size_t domain_count(const struct placement_usage *usage, size_t group, size_t member)
{
	const struct placement_member *members = usage->snapshot->members;
	const char *domain = members[member].failure_domain;
	size_t n = 0;

	if (!usage->group_counts[group] || !domain)
		return 0;
	for (size_t i = 0; i < usage->snapshot->n_members; i++)
		if (members[i].failure_domain && strcmp(members[i].failure_domain, domain) == 0)
			n += usage->group_counts[group][i];

	return n;
}

/*
 * The member that a compact group is bound to: the one with most of its instances, the first by
 * name among equals; PLACEMENT_NONE while it has none. The source of an evacuation does not count.
 */
static size_t compact_member(const struct placement_usage *usage, const struct placement_wish *wish)
{
	const struct placement_member *members = usage->snapshot->members;
	size_t best = PLACEMENT_NONE;
	size_t most = 0;

	for (size_t i = 0; i < usage->snapshot->n_members; i++) {
		size_t n = placement_usage_group_count(usage, wish->instance->group, i);

		if (i == wish->exclude || (wish->excluded && wish->excluded[i]) || n == 0)
			continue;
		if (n > most || (n == most && strcmp(members[i].name, members[best].name) < 0)) {
			best = i;
			most = n;
		}
	}

	return best;
}

static enum placement_reason check_schedule(const struct placement_usage *usage,
                                            const struct placement_wish *wish, size_t member)
{
	const struct placement_member *m = &usage->snapshot->members[member];

	if (member == wish->exclude || (wish->excluded && wish->excluded[member]))
		return PLACEMENT_SOURCE;
	if (!m->is_online)
		return PLACEMENT_OFFLINE;
	if (m->is_evacuated)
		return PLACEMENT_EVACUATED;
	if (wish->target != PLACEMENT_NONE)
		return member == wish->target ? PLACEMENT_CHOSEN : PLACEMENT_NOT_TARGET;
	if (m->schedule == PLACEMENT_MANUAL)
		return PLACEMENT_NOT_SCHEDULED;

	/* A member that takes its groups only still takes back what was placed by such a group. */
	const char *group = wish->target_group ? wish->target_group : wish->instance->cluster_group;
	if (m->schedule == PLACEMENT_GROUP && !(group && has_string(m->cluster_groups, group)))
		return PLACEMENT_ONLY_GROUP;
	if (wish->target_group && !has_string(m->cluster_groups, wish->target_group))
		return PLACEMENT_NOT_TARGET_GROUP;

	return PLACEMENT_CHOSEN;
}

static bool is_allowed(const struct placement_member *m, const struct placement_wish *wish)
{
	const char *const *allowed =
		wish->allowed_groups ? wish->allowed_groups : wish->instance->allowed_groups;

	if (!allowed)
		return true;
	for (const char *const *group = allowed; *group; group++)
		if (has_string(m->cluster_groups, *group))
			return true;

	return false;
}

static enum placement_reason check_fit(const struct placement_usage *usage,
                                       const struct placement_wish *wish, size_t member,
                                       struct placement_rejection *rejection)
{
	const struct placement_member *m = &usage->snapshot->members[member];
	const struct placement_instance *instance = wish->instance;

	if (!has_all(m->pools, instance->pools))
		return PLACEMENT_POOL;
	if (!has_all(m->networks, instance->networks))
		return PLACEMENT_NETWORK;

	/* Whoever names a member knows what they do. */
	if (wish->target != PLACEMENT_NONE)
		return PLACEMENT_CHOSEN;

	if (instance->memory > 0 && m->memory > 0) {
		uint64_t used = usage->memory[member];

		rejection->want = instance->memory;
		rejection->have = used < m->memory ? m->memory - used : 0;
		if (rejection->have < rejection->want)
			return PLACEMENT_MEMORY;
	}
	if (instance->n_cpus > 0 && m->n_cpus > 0 && instance->n_cpus > m->n_cpus) {
		rejection->want = instance->n_cpus;
		rejection->have = m->n_cpus;
		return PLACEMENT_CPUS;
	}

	return PLACEMENT_CHOSEN;
}

/* 'bound' is what compact_member() said, so that it is not asked for every member. */
static enum placement_reason check_group(const struct placement_usage *usage,
                                         const struct placement_wish *wish, size_t member,
                                         size_t bound, struct placement_rejection *rejection)
{
	size_t group = wish->instance->group;

	if (group == PLACEMENT_NONE || wish->target != PLACEMENT_NONE)
		return PLACEMENT_CHOSEN;

	const struct placement_group_row *row = &usage->snapshot->groups[group];
	rejection->have = placement_usage_group_count(usage, group, member);
	if (!row->is_strict)
		return PLACEMENT_CHOSEN;
	if (row->policy == PLACEMENT_SPREAD)
		return rejection->have > 0 ? PLACEMENT_GROUP_SPREAD : PLACEMENT_CHOSEN;

	return bound != PLACEMENT_NONE && bound != member ? PLACEMENT_GROUP_COMPACT
	                                                  : PLACEMENT_CHOSEN;
}

static enum placement_reason check_member(const struct placement_usage *usage,
                                          const struct placement_wish *wish, size_t member,
                                          size_t bound, struct placement_rejection *ret_rejection)
{
	const struct placement_member *m = &usage->snapshot->members[member];
	const struct placement_instance *instance = wish->instance;

	*ret_rejection = (struct placement_rejection){ .member = (uint32_t)member };
	enum placement_reason reason = check_schedule(usage, wish, member);
	if (reason == PLACEMENT_CHOSEN && !is_allowed(m, wish))
		reason = PLACEMENT_NOT_ALLOWED;
	if (reason == PLACEMENT_CHOSEN && instance->architecture && m->architectures &&
	    !has_string(m->architectures, instance->architecture))
		reason = PLACEMENT_ARCHITECTURE;
	if (reason == PLACEMENT_CHOSEN && wish->target == PLACEMENT_NONE && !wish->target_group &&
	    instance->cluster_group && !has_string(m->cluster_groups, instance->cluster_group))
		reason = PLACEMENT_CLUSTER_GROUP;
	if (reason == PLACEMENT_CHOSEN)
		reason = check_fit(usage, wish, member, ret_rejection);
	if (reason == PLACEMENT_CHOSEN)
		reason = check_group(usage, wish, member, bound, ret_rejection);

	ret_rejection->reason = reason;
	return reason;
}

static size_t bound_member(const struct placement_usage *usage, const struct placement_wish *wish)
{
	size_t group = wish->instance->group;

	if (group == PLACEMENT_NONE || usage->snapshot->groups[group].policy != PLACEMENT_COMPACT)
		return PLACEMENT_NONE;

	return compact_member(usage, wish);
}

enum placement_reason placement_check(const struct placement_usage *usage,
                                      const struct placement_wish *wish, size_t member,
                                      struct placement_rejection *ret_rejection)
{
	return check_member(usage, wish, member, bound_member(usage, wish), ret_rejection);
}

/* Free share of a member's memory in millionths. */
static uint64_t free_share(const struct placement_usage *usage, size_t member)
{
	uint64_t memory = usage->snapshot->members[member].memory;
	uint64_t used = usage->memory[member];

	if (memory == 0 || used >= memory)
		return memory == 0 ? 1000000 : 0;

	return (uint64_t)((double)(memory - used) / (double)memory * 1e6);
}

/* Why 'a' is worse than 'b', both eligible; PLACEMENT_CHOSEN if it is better. */
static enum placement_reason compare(const struct placement_usage *usage,
                                     const struct placement_wish *wish, size_t bound, size_t a,
                                     size_t b)
{
	size_t group = wish->instance->group;

	if (group != PLACEMENT_NONE) {
		if (usage->snapshot->groups[group].policy == PLACEMENT_SPREAD) {
			size_t n_a = placement_usage_group_count(usage, group, a);
			size_t n_b = placement_usage_group_count(usage, group, b);

			if (n_a != n_b)
				return n_a > n_b ? PLACEMENT_MORE_OF_GROUP : PLACEMENT_CHOSEN;
		} else if (bound != PLACEMENT_NONE && (a == bound || b == bound)) {
			return b == bound ? PLACEMENT_GROUP_COMPACT : PLACEMENT_CHOSEN;
		}
	}
	if (usage->n_instances[a] != usage->n_instances[b])
		return usage->n_instances[a] > usage->n_instances[b] ? PLACEMENT_MORE_INSTANCES
		                                                     : PLACEMENT_CHOSEN;

	uint64_t free_a = free_share(usage, a);
	uint64_t free_b = free_share(usage, b);
	if (free_a != free_b)
		return free_a < free_b ? PLACEMENT_LESS_MEMORY : PLACEMENT_CHOSEN;

	if (group != PLACEMENT_NONE) {
		size_t domain_a = domain_count(usage, group, a);
		size_t domain_b = domain_count(usage, group, b);

		if (domain_a != domain_b)
			return domain_a > domain_b ? PLACEMENT_DOMAIN : PLACEMENT_CHOSEN;
	}

	const struct placement_member *members = usage->snapshot->members;
	return strcmp(members[a].name, members[b].name) > 0 ? PLACEMENT_NAME : PLACEMENT_CHOSEN;
}

/* What the sentence of a rejection by comparison counts. */
static void count_worse(const struct placement_usage *usage, const struct placement_wish *wish,
                        size_t chosen, struct placement_rejection *rejection)
{
	size_t member = rejection->member;
	size_t group = wish->instance->group;

	if (rejection->reason == PLACEMENT_MORE_OF_GROUP) {
		rejection->have = placement_usage_group_count(usage, group, member);
		rejection->want = placement_usage_group_count(usage, group, chosen);
	} else if (rejection->reason == PLACEMENT_MORE_INSTANCES) {
		rejection->have = usage->n_instances[member];
		rejection->want = usage->n_instances[chosen];
	} else if (rejection->reason == PLACEMENT_LESS_MEMORY) {
		rejection->have = free_share(usage, member) / 10000;
		rejection->want = free_share(usage, chosen) / 10000;
	} else if (rejection->reason == PLACEMENT_DOMAIN) {
		rejection->have = domain_count(usage, group, member);
		rejection->want = domain_count(usage, group, chosen);
	}
}

void placement_choose(const struct placement_usage *usage, const struct placement_wish *wish,
                      struct placement_choice *ret_choice)
{
	size_t n_members = usage->snapshot->n_members;
	size_t bound = bound_member(usage, wish);
	struct placement_choice choice = { .member = PLACEMENT_NONE };
	struct placement_rejection rejection;

	if (wish->is_explained)
		choice.rejections = xcalloc(n_members + 1, sizeof(*choice.rejections));
	for (size_t i = 0; i < n_members; i++) {
		enum placement_reason reason = check_member(usage, wish, i, bound, &rejection);

		if (reason == PLACEMENT_GROUP_SPREAD || reason == PLACEMENT_GROUP_COMPACT)
			choice.is_group_full = true;
		if (reason == PLACEMENT_CHOSEN &&
		    (choice.member == PLACEMENT_NONE ||
		     compare(usage, wish, bound, i, choice.member) == PLACEMENT_CHOSEN))
			choice.member = i;
		if (wish->is_explained)
			choice.rejections[i] = rejection;
	}
	if (choice.member != PLACEMENT_NONE)
		choice.is_group_full = false;

	for (size_t i = 0; wish->is_explained && i < n_members; i++) {
		if (i == choice.member)
			continue;

		struct placement_rejection *r = &choice.rejections[choice.n_rejections];
		*r = choice.rejections[i];
		if (r->reason == PLACEMENT_CHOSEN) {
			r->reason = compare(usage, wish, bound, i, choice.member);
			count_worse(usage, wish, choice.member, r);
		}
		choice.n_rejections++;
	}

	*ret_choice = choice;
}

void placement_choice_done(struct placement_choice *choice)
{
	free(choice->rejections);
	*choice = (struct placement_choice){ .member = PLACEMENT_NONE };
}

int placement_error(const struct placement_snapshot *snapshot, const struct placement_wish *wish,
                    const struct placement_choice *choice, struct error **err)
{
	if (choice->is_group_full && wish->instance->group != PLACEMENT_NONE) {
		const struct placement_group_row *row = &snapshot->groups[wish->instance->group];

		return error_set(err, 409,
		                 "Failed filtering candidate cluster members using placement group "
		                 "\"%s\" in project \"%s\": %s",
		                 row->name, row->project,
		                 row->policy == PLACEMENT_SPREAD
		                         ? "No eligible cluster members available"
		                         : "Required cluster member is unavailable");
	}

	return error_set(err, 404, "No suitable cluster member could be found");
}

char *placement_rejection_text(const struct placement_snapshot *snapshot,
                               const struct placement_instance *instance,
                               const struct placement_rejection *rejection)
{
	const char *group =
		instance->group == PLACEMENT_NONE ? "" : snapshot->groups[instance->group].name;
	uint64_t have = rejection->have;
	uint64_t want = rejection->want;

	switch ((enum placement_reason)rejection->reason) {
	case PLACEMENT_CHOSEN:
		return xstrdup("it is eligible");
	case PLACEMENT_SOURCE:
		return xstrdup("the instance is to leave it");
	case PLACEMENT_OFFLINE:
		return xstrdup("it is offline");
	case PLACEMENT_EVACUATED:
		return xstrdup("it is evacuated");
	case PLACEMENT_NOT_SCHEDULED:
		return xstrdup("its scheduler.instance is \"manual\"");
	case PLACEMENT_ONLY_GROUP:
		return xstrdup(
			"its scheduler.instance is \"group\" and no group of it is asked for");
	case PLACEMENT_NOT_TARGET:
		return xstrdup("another member was asked for");
	case PLACEMENT_NOT_TARGET_GROUP:
		return xstrdup("it is not in the cluster group that was asked for");
	case PLACEMENT_NOT_ALLOWED:
		return xasprintf("project \"%s\" may not use its cluster groups",
		                 instance->project);
	case PLACEMENT_ARCHITECTURE:
		return xasprintf("it cannot run architecture \"%s\"", instance->architecture);
	case PLACEMENT_CLUSTER_GROUP:
		return xasprintf("it is not in cluster group \"%s\", where the instance was placed",
		                 instance->cluster_group);
	case PLACEMENT_POOL:
		return xstrdup("it lacks a storage pool that the instance uses");
	case PLACEMENT_NETWORK:
		return xstrdup("it lacks a network that the instance uses");
	case PLACEMENT_MEMORY:
		return xasprintf("it has %" PRIu64 " MiB of memory left and %" PRIu64
		                 " MiB are needed",
		                 have >> 20, want >> 20);
	case PLACEMENT_CPUS:
		return xasprintf("it has %" PRIu64 " CPUs and %" PRIu64 " are needed", have, want);
	case PLACEMENT_GROUP_SPREAD:
		return xasprintf("it already has %" PRIu64 " of strictly spread placement group "
		                 "\"%s\"",
		                 have, group);
	case PLACEMENT_GROUP_COMPACT:
		return xasprintf("placement group \"%s\" is kept together on another member",
		                 group);
	case PLACEMENT_MORE_OF_GROUP:
		return xasprintf("it has %" PRIu64
		                 " of placement group \"%s\", the chosen one %" PRIu64,
		                 have, group, want);
	case PLACEMENT_MORE_INSTANCES:
		return xasprintf("it has %" PRIu64 " instances, the chosen one %" PRIu64, have,
		                 want);
	case PLACEMENT_LESS_MEMORY:
		return xasprintf("%" PRIu64 "%% of its memory are free, %" PRIu64
		                 "%% of the chosen one's",
		                 have, want);
	case PLACEMENT_DOMAIN:
		return xasprintf("its failure domain has %" PRIu64
		                 " of placement group \"%s\", the chosen one's %" PRIu64,
		                 have, group, want);
	case PLACEMENT_NAME:
		return xstrdup("it is as good, and the first by name was chosen");
	case N_PLACEMENT_REASONS:
		break;
	}

	return xstrdup("unknown");
}

char *placement_chosen_text(const struct placement_usage *usage, const struct placement_wish *wish,
                            const struct placement_choice *choice)
{
	size_t group = wish->instance->group;
	size_t member = choice->member;

	if (member == PLACEMENT_NONE)
		return xstrdup("no member is eligible");
	if (wish->target != PLACEMENT_NONE)
		return xstrdup("it was asked for");
	if (group != PLACEMENT_NONE) {
		const struct placement_group_row *row = &usage->snapshot->groups[group];

		return xasprintf("%zu of placement group \"%s\" (%s, %s) and %zu instances",
		                 placement_usage_group_count(usage, group, member), row->name,
		                 row->policy == PLACEMENT_SPREAD ? "spread" : "compact",
		                 row->is_strict ? "strict" : "permissive",
		                 usage->n_instances[member]);
	}

	return xasprintf("fewest instances: %zu", usage->n_instances[member]);
}
