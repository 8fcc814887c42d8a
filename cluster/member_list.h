/*
 * What this member knows of all members, in memory.
 *
 * A list is immutable once published; readers hold a reference and never wait. The leader makes
 * lists from the members' rows and its own heartbeats; the others get them from the leader.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cluster/roles.h"
#include "lib/base/error.h"
#include "lib/base/macro.h"
#include "lib/base/scoped.h"

/* The members.state column. */
enum member_admin_state {
	MEMBER_CREATED,
	MEMBER_PENDING, /* Joining; hidden from lists. */
	MEMBER_EVACUATED,
};

struct member {
	int64_t id; /* Row id and raft id. */
	char *name;
	char *address; /* "10.0.0.1:8443" */
	enum member_admin_state state;
	enum role role; /* What it is in raft. */
	bool is_leader;
	bool is_online;         /* The leader's opinion, at most one heartbeat old. */
	bool is_suspect;        /* A connection to it was refused or reset since. */
	int64_t last_heartbeat; /* Unix milliseconds of its last answer; 0 if it never answered. */
	char *architecture;
	char *failure_domain;
	uint64_t schema;
	uint64_t n_api_extensions;
	uint64_t memory; /* Bytes of RAM; 0 until it has said so. */
	unsigned n_cpus; /* The same. */
};

struct member_list {
	size_t n_members;
	struct member *members; /* By id. */
};

struct member_list *member_list_new(size_t n_members) MUST_CHECK;
struct member_list *member_list_ref(struct member_list *list);
void member_list_unref(struct member_list *list);
DEFINE_SCOPED(struct member_list *, member_list_unref);

/* A deep copy that may be changed until it is published. */
struct member_list *member_list_copy(const struct member_list *from) MUST_CHECK;

/* Whether both tell the same but for the times of heartbeats. */
bool member_list_equals(const struct member_list *a, const struct member_list *b);

/* The member, borrowed from the list, or NULL. */
const struct member *member_list_by_id(const struct member_list *list, int64_t id);
const struct member *member_list_by_name(const struct member_list *list, const char *name);
const struct member *member_list_by_address(const struct member_list *list, const char *address);
