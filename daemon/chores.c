#include "daemon/chores.h"

#include <malloc.h>

#include "daemon/api/listen.h"
#include "daemon/auth/auth.h"
#include "daemon/core/operation.h"
#include "daemon/core/state.h"
#include "daemon/image/image_expire.h"
#include "daemon/instance/instance_schedule.h"
#include "db/db.h"
#include "db/tokens.h"
#include "lib/base/alloc.h"
#include "lib/base/date.h"
#include "lib/base/log.h"
#include "lib/base/task.h"

/* Changes of trust are announced; this is for the member that an announcement did not reach. */
static int refresh_trust(void *arg)
{
	scoped(error_freep) struct error *err = NULL;

	int r = auth_refresh(arg, &err);
	if (r < 0)
		log_debug("Failed reading trusted certificates: %s", err->msg);

	return r;
}

static int prune(struct db_tx *tx, void *arg, struct error **err)
{
	(void)arg;
	return db_token_prune(tx, date_now(), err);
}

/* A token that is too old is refused anyway; this only keeps the table small. */
static int prune_tokens(void *arg)
{
	struct state *state = arg;
	scoped(error_freep) struct error *err = NULL;

	int r = db_write(state->db, prune, NULL, &err);
	if (r < 0)
		log_debug("Failed removing old tokens: %s", err->msg);

	return r;
}

/*
 * What a burst of requests needed is given back once it is over: connections to the database, and
 * what the allocator would keep. Most of a daemon's life is spent idle.
 */
static int trim_memory(void *arg)
{
	struct state *state = arg;

	db_close_stale(state->db);
	if (operation_count(state) == 0)
		malloc_trim(0);

	return 0;
}

static int retry_listeners(void *arg)
{
	listen_retry(arg);
	return 0;
}

/* Who moves the clock says when somebody looks at it. */
static bool may_look(const struct state *state)
{
	return state->is_ready && !state->is_shutting_down && !date_is_shifted();
}

/* Those that a schedule asks for, and those that have expired. */
static int look_after_snapshots(void *arg)
{
	struct state *state = arg;
	scoped(error_freep) struct error *err = NULL;

	if (!may_look(state))
		return 0;
	int r = instance_schedule_run(state, NULL, &err);
	if (r < 0)
		log_debug("Failed looking after snapshots: %s", err->msg);

	return r;
}

static int look_after_images(void *arg)
{
	struct state *state = arg;
	scoped(error_freep) struct error *err = NULL;

	if (!may_look(state))
		return 0;
	int r = image_expire_run(state, &err);
	if (r < 0)
		log_debug("Failed looking after images: %s", err->msg);

	return r;
}

static const struct task_spec specs[] = {
	{
		.name = "memory",
		.interval_ms = 30000,
		.run = trim_memory,
	},
	{
		.name = "listeners",
		.interval_ms = 10000,
		.run = retry_listeners,
	},
	{
		.name = "trust",
		.interval_ms = 30000,
		.jitter_ms = 10000,
		.run = refresh_trust,
	},
	{
		.name = "tokens",
		.interval_ms = 3600000,
		.jitter_ms = 600000,
		.run = prune_tokens,
	},
	{
		.name = "images",
		.interval_ms = 3600000,
		.jitter_ms = 600000,
		.run = look_after_images,
	},
	{
		.name = "snapshots",
		.interval_ms = 60000,
		.run = look_after_snapshots,
	},
};

struct chores {
	struct task *tasks[COUNT_OF(specs)];
};

void chores_start(struct state *state)
{
	struct chores *chores = xcalloc(1, sizeof(*chores));

	for (size_t i = 0; i < COUNT_OF(specs); i++) {
		struct task_spec spec = specs[i];

		spec.arg = state;
		chores->tasks[i] = task_new(state->loop, state->jobs, &spec);
	}
	state->chores = chores;
}

void chores_stop(struct state *state)
{
	if (!state->chores)
		return;

	for (size_t i = 0; i < COUNT_OF(specs); i++)
		task_free(state->chores->tasks[i]);
	free(state->chores);
	state->chores = NULL;
}
