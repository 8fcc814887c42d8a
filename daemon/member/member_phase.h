/*
 * What a member does for a step of a plan, when the coordinator asks.
 *
 * Each verb is idempotent: asking twice is harmless, since it looks first at what is there. Each
 * names plan, term, step and epoch; what comes from a coordinator that was replaced, or about an
 * instance that has moved since, is refused with a 409 before anything is touched.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/error.h"

struct json_object;
struct state;

enum member_verb {
	MEMBER_RECEIVE, /* Target: fetch the volume from the source; one pass. */
	MEMBER_PAUSE,   /* Source: stop the instance, remember that it ran. */
	MEMBER_RESUME,  /* Source: start it again if it ran. */
	MEMBER_START,   /* Owner: start it if it ran. */
	MEMBER_STOP,    /* Owner: stop it for good, as evacuation in place does. */
	MEMBER_CLEAN,   /* Former owner: remove its files. */
	MEMBER_ABORT,   /* Target that was to be: remove what was received. */
	N_MEMBER_VERBS
};

struct member_phase {
	enum member_verb verb;
	const char *plan; /* UUID */
	int64_t plan_id;
	int64_t term;
	int64_t ordinal;
	int64_t instance_id; /* 0: it is gone. */
	const char *project;
	const char *instance;
	int64_t epoch;      /* That the instance has now, as the coordinator knows it. */
	const char *source; /* Member names. */
	const char *target;
	bool must_run;
	int64_t pass; /* Of MEMBER_RECEIVE. */
	bool is_last;
	bool is_refresh;   /* There may be an older copy. */
	int64_t bandwidth; /* Bytes a second, 0: no limit. */
};

struct json_object *member_phase_json(const struct member_phase *phase);

/* 400 when it is none. Strings are borrowed from 'body'. */
int member_phase_parse(struct json_object *body, struct member_phase *ret_phase,
                       struct error **err);

/* Carries it out here. '*ret_answer' is {"bytes", "ms"} or so, owned by the caller. */
int member_phase_run(struct state *state, const struct member_phase *phase,
                     struct json_object **ret_answer, struct error **err);
