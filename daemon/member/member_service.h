/* What struct member_service holds; for the files of this folder only. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

#include "lib/base/date.h"
#include "lib/base/thread.h"

#define MEMBER_MAX_STEPS 32
#define MEMBER_MAX_PHASES 64
#define MEMBER_MAX_LOOKS 4
#define MEMBER_RESERVED_FOR (24 * 3600 * DATE_SECOND)

struct loop_timer;
struct map;
struct member_slots;
struct state;
struct worker;

struct member_service {
	struct mutex mutex;
	struct cond idle;                /* A plan is no longer coordinated here. */
	struct map *coordinated GUARDED; /* UUIDs of plans that a thread of ours coordinates. */
	struct map *receipts GUARDED;    /* What is being received here; member_progress.c. */
	struct state *state;
	struct member_slots *slots; /* What the steps under way occupy. */
	struct worker *plans;       /* One thread per open plan. */
	struct worker *steps;       /* Steps of them. */
	struct worker *looks;       /* How far copies are. */
	struct worker *phases;      /* What other coordinators ask of this member. */
	struct loop_timer *timer;   /* To look for plans a little later; the loop's. */
	atomic_bool is_stopping;
};
