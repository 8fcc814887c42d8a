/*
 * One look at what is due by now: snapshots to take, and those that expired.
 *
 * Each object is handled by the one member that has it, each in an operation of its own, so that
 * one that waits for something holds up nobody. An operation that still runs when the next pass
 * comes is left alone.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/error.h"

struct operation;
struct state;

struct schedule_pass {
	struct state *state;
	int64_t after, now; /* What was due since the last pass. */
	char **operations;  /* URLs of those that were started. */
};

void schedule_pass_done(struct schedule_pass *pass);

/*
 * When an object with the schedule 'text' and the id 'id' was due last in this pass, or DATE_NONE.
 * What was due before it existed does not count.
 */
int64_t schedule_pass_due(const struct schedule_pass *pass, const char *text, int64_t id,
                          int64_t created);

/* What has snapshots. Borrowed. */
struct schedule_object {
	const char *project, *pool, *name; /* 'pool' is a volume's. */
	const char *id, *url;              /* 'id' is unique among all objects. */
};

/* How they are taken and removed, by operations of which the words are LXD's. */
struct schedule_kind {
	const char *take_text, *expire_text;
	int (*take)(struct state *state, const struct schedule_object *object, struct operation *op,
	            struct error **err);
	int (*expire)(struct state *state, const struct schedule_object *object,
	              const char *snapshot, struct operation *op, struct error **err);
};

/*
 * Starts an operation of the daemon itself that removes the snapshots 'expired_take', or takes one
 * if that is NULL. Failures are logged.
 */
void schedule_pass_start(struct schedule_pass *pass, const struct schedule_kind *kind,
                         const struct schedule_object *object, char **expired_take);
