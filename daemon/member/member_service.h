/* What struct member_service holds; for the files of this folder only. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

#include "lib/base/thread.h"

#define MEMBER_MAX_STEPS 32
#define MEMBER_MAX_PHASES 64

struct map;
struct state;
struct worker;

struct member_service {
	struct mutex mutex;
	struct map *coordinated GUARDED; /* UUIDs of plans that a thread of ours coordinates. */
	struct state *state;
	struct worker *plans;  /* One thread per open plan. */
	struct worker *steps;  /* Steps of them. */
	struct worker *phases; /* What other coordinators ask of this member. */
	atomic_bool is_stopping;
};
