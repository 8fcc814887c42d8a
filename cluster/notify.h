/* The same request to all other members, in parallel. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "cluster/connect.h"
#include "lib/base/error.h"

enum notify_policy {
	NOTIFY_ALL, /* Fails (503) before any call if a member is offline; every call must succeed.
	             */
	NOTIFY_ALIVE, /* Members that are offline are left out, also those that turn out to be. */
	NOTIFY_TRY,   /* Everybody is asked; nothing fails. */
};

/* What one member answered. */
struct notify_answer {
	int64_t member_id;
	char *member_name;
	char *address;
	struct json_object *metadata; /* NULL on failure. */
	struct error *error;          /* NULL on success. */
};

struct notify_answers {
	size_t n_answers;
	struct notify_answer *answers; /* By member id. */
};

void notify_answers_done(struct notify_answers *answers);

/*
 * Makes the call to every member but this one. Fails with the first error that the policy does not
 * allow, after all calls have ended; 'ret_answers' may be NULL and is filled in any case, to be
 * released with notify_answers_done(). Does nothing when not clustered. With 'call' of a GET this
 * is also how lists are gathered.
 */
int notify_members(struct cluster *cluster, enum notify_policy policy,
                   const struct connect_call *call, struct notify_answers *ret_answers,
                   struct error **err);

/* The same of members with these names only ('names' ends with NULL). */
int notify_named(struct cluster *cluster, char *const *names, enum notify_policy policy,
                 const struct connect_call *call, struct notify_answers *ret_answers,
                 struct error **err);
