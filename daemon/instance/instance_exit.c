#include "daemon/instance/instance_exit.h"

#include <stdint.h>
#include <stdlib.h>

#include "daemon/core/locks.h"
#include "daemon/core/state.h"
#include "daemon/instance/instance.h"
#include "daemon/instance/instance_power.h"
#include "daemon/instance/instance_service.h"
#include "lib/base/alloc.h"
#include "lib/base/log.h"
#include "lib/base/map.h"
#include "lib/base/thread.h"
#include "lib/base/worker.h"

struct instance_exits {
	struct mutex mutex;
	struct map *expected GUARDED; /* Id to how many expect its end. */
	struct state *state;
};

struct ended {
	struct state *state;
	char *id;
};

struct instance_exits *instance_exit_new(struct state *state) NO_LOCK_CHECK
{
	struct instance_exits *exits = xcalloc(1, sizeof(*exits));

	mutex_init(&exits->mutex);
	exits->expected = map_new(NULL);
	exits->state = state;
	return exits;
}

void instance_exit_free(struct instance_exits *exits) NO_LOCK_CHECK
{
	if (!exits)
		return;

	map_free(exits->expected);
	mutex_done(&exits->mutex);
	free(exits);
}

static void count(struct state *state, const char *id, intptr_t by)
{
	struct instance_exits *exits = state->instances->exits;

	mutex_lock(&exits->mutex);
	intptr_t n = (intptr_t)map_get(exits->expected, id) + by;
	if (n > 0)
		map_set(exits->expected, id, (void *)n);
	else
		map_remove(exits->expected, id);
	mutex_unlock(&exits->mutex);
}

void instance_exit_expect(struct state *state, const char *id)
{
	count(state, id, 1);
}

void instance_exit_forget(struct state *state, const char *id)
{
	count(state, id, -1);
}

/* On a job worker: whoever expects the end holds the lock until all is done. */
static void clean_up(void *arg)
{
	struct ended *ended = arg;
	scoped(error_freep) struct error *err = NULL;
	scoped(locks_releasep) struct lock *lock = NULL;
	scoped(instance_freep) struct instance *inst = NULL;
	scoped_free char *project = NULL;
	scoped_free char *name = NULL;

	if (instance_id_parse(ended->id, &project, &name) < 0)
		log_warn("Something called \"%s\" ended that is no instance", ended->id);
	else if (instance_lock(ended->state, project, name, NULL, &lock, &inst, &err) < 0)
		log_warn("Failed following up the end of instance \"%s\": %s", name, err->msg);
	else if (!instance_is_running(inst))
		instance_power_ended(inst);
	free(ended->id);
	free(ended);
}

void instance_exit_seen(void *arg, const char *id, enum instance_exit what)
{
	struct instance_exits *exits = arg;

	mutex_lock(&exits->mutex);
	bool is_expected = map_has(exits->expected, id);
	mutex_unlock(&exits->mutex);
	if (is_expected || what == INSTANCE_EXIT_REBOOTED)
		return;

	struct ended *ended = xcalloc(1, sizeof(*ended));
	ended->state = exits->state;
	ended->id = xstrdup(id);
	if (worker_submit(exits->state->instances->worker, clean_up, ended) < 0) {
		log_warn("Instance \"%s\" ended and nobody has time to clean up", id);
		free(ended->id);
		free(ended);
	}
}
