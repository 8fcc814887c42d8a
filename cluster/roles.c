/*
 * The rules, first match wins:
 *
 *  1. one member: nothing; two members: the leader is the only voter, the other a stand-by, so that
 *     its copy is there when the leader's is lost;
 *  2. a member that may not hold a role (evacuated) has one: promote a replacement, then demote it;
 *     a voter without a replacement goes only if that makes the quorum no easier to lose;
 *  3. a failure domain with online members has no voter while another has several: promote there;
 *  4. too few online voters: promote a stand-by, else a spare;
 *  5. too many online voters: demote one, never the leader, from the fullest domain;
 *  6. an offline voter that makes the quorum harder to reach: demote it;
 *  7. the same as 4 to 6 for stand-bys.
 *
 * Rule 4 stands before rule 6: a replacement comes before the demotion. The mending of domains by
 * rule 3 makes one voter too many for a moment, which rule 5 takes from the fullest domain. Rule 6
 * leaves the one offline voter of three alone: without it two of two would be needed instead of two
 * of three, which is no better, and it mostly comes back. For the same reason rule 2 leaves the one
 * evacuated voter of three: as long as it runs, one of the others may be lost. When it shuts down
 * it hands its role over (handover.h); when it is switched off, the others are enough.
 */
#include "cluster/roles.h"

#include "lib/base/macro.h"

static const char *const names[] = {
	[ROLE_VOTER] = "database-voter",
	[ROLE_STANDBY] = "database-standby",
	[ROLE_SPARE] = "",
};
static_assert(COUNT_OF(names) == ROLE_COUNT, "A name for each role");

const char *roles_name(enum role role)
{
	return role < ROLE_COUNT ? names[role] : "";
}

struct view {
	const struct roles_member *members;
	size_t n_members;
};

static size_t count(const struct view *view, enum role role, bool is_online)
{
	size_t n = 0;

	for (size_t i = 0; i < view->n_members; i++)
		n += view->members[i].role == role && view->members[i].is_online == is_online;

	return n;
}

/* How many online members of 'domain' have 'role'. */
static size_t count_in_domain(const struct view *view, enum role role, uint64_t domain)
{
	size_t n = 0;

	for (size_t i = 0; i < view->n_members; i++) {
		const struct roles_member *m = &view->members[i];

		n += m->role == role && m->is_online && m->domain == domain;
	}

	return n;
}

static bool may_be_promoted(const struct roles_member *m)
{
	return m->is_online && m->may_promote;
}

/*
 * The better one to get 'role': from a domain that has fewer of it, then of lower weight, then of
 * lower id, so that equal input gives an equal answer whatever its order.
 */
static bool is_better_candidate(const struct view *view, enum role role,
                                const struct roles_member *a, const struct roles_member *b)
{
	bool is_new_a = count_in_domain(view, role, a->domain) == 0;
	bool is_new_b = count_in_domain(view, role, b->domain) == 0;

	if (is_new_a != is_new_b)
		return is_new_a;
	if (a->weight != b->weight)
		return a->weight < b->weight;

	return a->id < b->id;
}

/* The best member that now has 'from' to become 'to', or NULL; 'domain' restricts if not NULL. */
static const struct roles_member *best_candidate(const struct view *view, enum role from,
                                                 enum role to, const uint64_t *domain)
{
	const struct roles_member *best = NULL;

	for (size_t i = 0; i < view->n_members; i++) {
		const struct roles_member *m = &view->members[i];

		if (m->role != from || !may_be_promoted(m) || (domain && m->domain != *domain))
			continue;
		if (!best || is_better_candidate(view, to, m, best))
			best = m;
	}

	return best;
}

/* Stand-bys have the log already, so they become voters faster than spares. */
static const struct roles_member *best_new_voter(const struct view *view, const uint64_t *domain)
{
	const struct roles_member *best = best_candidate(view, ROLE_STANDBY, ROLE_VOTER, domain);

	return best ? best : best_candidate(view, ROLE_SPARE, ROLE_VOTER, domain);
}

/* The first to lose 'role': from the fullest domain, heaviest, then of the highest id. */
static const struct roles_member *best_demotion(const struct view *view, enum role role)
{
	const struct roles_member *best = NULL;
	size_t best_count = 0;

	for (size_t i = 0; i < view->n_members; i++) {
		const struct roles_member *m = &view->members[i];

		if (m->role != role || !m->is_online || m->is_leader)
			continue;

		size_t n = count_in_domain(view, role, m->domain);
		bool is_better = !best || n > best_count;
		if (!is_better && n == best_count) {
			is_better = m->weight != best->weight ? m->weight > best->weight
			                                      : m->id > best->id;
		}
		if (is_better) {
			best = m;
			best_count = n;
		}
	}

	return best;
}

static const struct roles_member *first_offline(const struct view *view, enum role role)
{
	const struct roles_member *first = NULL;

	for (size_t i = 0; i < view->n_members; i++) {
		const struct roles_member *m = &view->members[i];

		if (m->role == role && !m->is_online && !m->is_leader &&
		    (!first || m->id < first->id))
			first = m;
	}

	return first;
}

/* Members that may not hold a role (evacuated) but do. */
static const struct roles_member *first_unfit(const struct view *view, enum role role)
{
	const struct roles_member *first = NULL;

	for (size_t i = 0; i < view->n_members; i++) {
		const struct roles_member *m = &view->members[i];

		if (m->role == role && !m->may_promote && !m->is_leader &&
		    (!first || m->id < first->id))
			first = m;
	}

	return first;
}

static bool change(const struct roles_member *member, enum role role, struct roles_change *ret)
{
	if (!member)
		return false;

	*ret = (struct roles_change){ .id = member->id, .role = role };
	return true;
}

static bool change_of_small_cluster(const struct view *view, const struct roles_targets *targets,
                                    struct roles_change *ret_change)
{
	const struct roles_member *other = NULL;
	bool has_leader = false;

	for (size_t i = 0; i < view->n_members; i++) {
		if (view->members[i].is_leader)
			has_leader = true;
		else
			other = &view->members[i];
	}
	if (view->n_members != 2 || !has_leader || !other)
		return false;

	enum role wanted = other->role;
	if (other->role == ROLE_VOTER || !may_be_promoted(other) || targets->max_standbys == 0)
		wanted = ROLE_SPARE;
	else if (other->role == ROLE_SPARE)
		wanted = ROLE_STANDBY;

	return wanted != other->role && change(other, wanted, ret_change);
}

static bool change_of_domains(const struct view *view, const struct roles_targets *targets,
                              struct roles_change *ret_change)
{
	bool has_crowded_domain = false;
	const struct roles_member *best = NULL;

	for (size_t i = 0; i < view->n_members && !has_crowded_domain; i++) {
		uint64_t domain = view->members[i].domain;

		has_crowded_domain = count_in_domain(view, ROLE_VOTER, domain) > 1;
	}
	if (!has_crowded_domain || count(view, ROLE_VOTER, true) > targets->max_voters)
		return false;

	for (size_t i = 0; i < view->n_members; i++) {
		uint64_t domain = view->members[i].domain;

		if (count_in_domain(view, ROLE_VOTER, domain) > 0)
			continue;

		const struct roles_member *m = best_new_voter(view, &domain);
		if (m &&
		    (!best || m->role < best->role ||
		     (m->role == best->role && is_better_candidate(view, ROLE_VOTER, m, best))))
			best = m;
	}

	return change(best, ROLE_VOTER, ret_change);
}

/* True if the online voters other than 'id' are a majority of the voters other than 'id'. */
static bool has_quorum_without(const struct view *view, uint64_t id)
{
	size_t n_voters = 0, n_online = 0;

	for (size_t i = 0; i < view->n_members; i++) {
		const struct roles_member *m = &view->members[i];

		if (m->role != ROLE_VOTER || m->id == id)
			continue;
		n_voters++;
		n_online += m->is_online && !m->is_suspect;
	}

	return n_online > 0 && n_online >= n_voters / 2 + 1;
}

static bool change_of_voters(const struct view *view, const struct roles_targets *targets,
                             struct roles_change *ret_change)
{
	size_t n_online = count(view, ROLE_VOTER, true);

	if (n_online < targets->max_voters &&
	    change(best_new_voter(view, NULL), ROLE_VOTER, ret_change))
		return true;

	/* Among many that are lost, those go first. */
	const struct roles_member *extra =
		n_online > targets->max_voters ? best_demotion(view, ROLE_VOTER) : NULL;
	if (extra && has_quorum_without(view, extra->id))
		return change(extra, ROLE_STANDBY, ret_change);

	/* With an even number of voters, or two that are lost, the quorum falls when one goes. */
	size_t n_offline = count(view, ROLE_VOTER, false);
	if (n_online < targets->max_voters && n_offline == 1 && (n_online + n_offline) % 2 == 1)
		return false;

	return change(first_offline(view, ROLE_VOTER), ROLE_SPARE, ret_change);
}

static bool change_of_standbys(const struct view *view, const struct roles_targets *targets,
                               struct roles_change *ret_change)
{
	size_t n_online = count(view, ROLE_STANDBY, true);

	if (n_online < targets->max_standbys &&
	    change(best_candidate(view, ROLE_SPARE, ROLE_STANDBY, NULL), ROLE_STANDBY, ret_change))
		return true;
	if (n_online > targets->max_standbys &&
	    change(best_demotion(view, ROLE_STANDBY), ROLE_SPARE, ret_change))
		return true;

	return change(first_offline(view, ROLE_STANDBY), ROLE_SPARE, ret_change);
}

/* Voters that will stay so. */
static size_t count_fit_voters(const struct view *view)
{
	size_t n = 0;

	for (size_t i = 0; i < view->n_members; i++) {
		const struct roles_member *m = &view->members[i];

		n += m->role == ROLE_VOTER && m->is_online && (m->may_promote || m->is_leader);
	}

	return n;
}

/*
 * Whether an evacuated voter is better kept than demoted: those that stay are a majority even when
 * all evacuated ones are switched off, and one less would be an even number, of which as many are
 * needed.
 */
static bool is_better_kept(const struct view *view)
{
	size_t n_voters = count(view, ROLE_VOTER, true) + count(view, ROLE_VOTER, false);

	return n_voters % 2 == 1 && count_fit_voters(view) >= n_voters / 2 + 1;
}

static bool change_of_unfit(const struct view *view, const struct roles_targets *targets,
                            struct roles_change *ret_change)
{
	const struct roles_member *m = first_unfit(view, ROLE_VOTER);

	if (m) {
		if (count_fit_voters(view) < targets->max_voters &&
		    change(best_new_voter(view, NULL), ROLE_VOTER, ret_change))
			return true;
		if (!is_better_kept(view) && has_quorum_without(view, m->id))
			return change(m, ROLE_SPARE, ret_change);
	}

	return change(first_unfit(view, ROLE_STANDBY), ROLE_SPARE, ret_change);
}

bool roles_next_change(const struct roles_member *members, size_t n_members,
                       const struct roles_targets *targets, struct roles_change *ret_change)
{
	const struct view view = { .members = members, .n_members = n_members };

	if (n_members < 3)
		return change_of_small_cluster(&view, targets, ret_change);

	return change_of_unfit(&view, targets, ret_change) ||
	       change_of_domains(&view, targets, ret_change) ||
	       change_of_voters(&view, targets, ret_change) ||
	       change_of_standbys(&view, targets, ret_change);
}

bool roles_replacement(const struct roles_member *members, size_t n_members,
                       const struct roles_targets *targets, uint64_t leaving_id,
                       struct roles_change *ret_change)
{
	const struct view view = { .members = members, .n_members = n_members };
	const struct roles_member *leaving = NULL;

	for (size_t i = 0; i < n_members; i++) {
		if (members[i].id == leaving_id)
			leaving = &members[i];
	}
	if (!leaving)
		return false;

	/* Its place is free already when there are more than enough without it. */
	size_t n_others = count(&view, leaving->role, true) - (leaving->is_online ? 1 : 0);

	if (leaving->role == ROLE_VOTER) {
		return n_others < targets->max_voters &&
		       change(best_new_voter(&view, NULL), ROLE_VOTER, ret_change);
	}
	if (leaving->role == ROLE_STANDBY) {
		return n_others < targets->max_standbys &&
		       change(best_candidate(&view, ROLE_SPARE, ROLE_STANDBY, NULL), ROLE_STANDBY,
		              ret_change);
	}

	return false;
}

bool roles_quorum_survives(const struct roles_member *members, size_t n_members, uint64_t id)
{
	const struct view view = { .members = members, .n_members = n_members };
	bool is_voter = false, has_candidate = false;

	for (size_t i = 0; i < n_members; i++) {
		const struct roles_member *m = &members[i];

		if (m->id == id)
			is_voter = m->role == ROLE_VOTER && m->is_online && m->may_promote;
		else
			has_candidate |= m->role != ROLE_VOTER && may_be_promoted(m);
	}
	if (!is_voter || has_quorum_without(&view, id))
		return true;

	size_t n_online = count(&view, ROLE_VOTER, true);
	size_t n_voters = n_online + count(&view, ROLE_VOTER, false);

	return has_candidate && n_online >= n_voters / 2 + 1;
}
