/*
 * Voter, stand-by, spare: what each member should be.
 *
 * Pure: state in, one change out. The leader asks, carries the change out, and asks again until
 * there is nothing to change. A replacement is always promoted before the lost member is demoted,
 * since the other order is what loses a quorum.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* As the engine numbers them on the wire. */
enum role {
	ROLE_VOTER,
	ROLE_STANDBY,
	ROLE_SPARE,
	ROLE_COUNT,
};

/* "database-voter", "database-standby" and "": the API's names of all but the leader's. */
const char *roles_name(enum role role);

struct roles_member {
	uint64_t id;
	enum role role;
	bool is_leader;
	bool is_online;   /* Answered the last heartbeat and a connection to it was made. */
	bool is_suspect;  /* Online by the last round, but a connection to it has failed since. */
	bool may_promote; /* Not evacuated, not pending. */
	uint64_t domain;  /* Failure domain; 0 is "unset". */
	uint64_t weight;  /* Lower is preferred. */
};

struct roles_targets {
	size_t max_voters;   /* Odd, at least 3. */
	size_t max_standbys; /* 0 to 5. */
};

struct roles_change {
	uint64_t id;
	enum role role;
};

/* True and '*ret_change' if something should change; the result does not depend on the order. */
bool roles_next_change(const struct roles_member *members, size_t n_members,
                       const struct roles_targets *targets, struct roles_change *ret_change);

/*
 * Who takes the role of 'leaving_id', which is about to shut down: '*ret_change' promotes the best
 * candidate. False if none is needed or none is there.
 */
bool roles_replacement(const struct roles_member *members, size_t n_members,
                       const struct roles_targets *targets, uint64_t leaving_id,
                       struct roles_change *ret_change);

/*
 * True if the cluster keeps a quorum of online voters when 'id' goes away, or can promote another
 * before: the check of an evacuation.
 */
bool roles_quorum_survives(const struct roles_member *members, size_t n_members, uint64_t id);
