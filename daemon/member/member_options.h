/* What a plan was told: caps, budgets, and what to do after a failure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "cluster/plan_schedule.h"
#include "lib/base/error.h"

struct json_object;

struct member_options {
	struct plan_caps caps;
	int64_t bandwidth;    /* Bytes a second for all copies together; 0: no limit. */
	int64_t downtime_ms;  /* That an instance may be down while it is moved; 0: no limit. */
	bool stops_on_error;  /* on_error: "stop". */
	bool undoes_on_error; /* on_error: "rollback". */
};

/* Reads them from a request, or from a plan's row; 400 for what is wrong. */
int member_options_read(struct json_object *body, struct member_options *ret_options,
                        struct error **err);

/*
 * As a plan's row has them, owned by the caller; 'estimate_ms' is how long the plan takes if all
 * goes well.
 */
char *member_options_text(const struct member_options *options, uint64_t estimate_ms);
