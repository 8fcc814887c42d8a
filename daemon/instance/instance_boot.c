#include "daemon/instance/instance_boot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/dirs.h"
#include "daemon/core/locks.h"
#include "daemon/core/state.h"
#include "daemon/core/warning.h"
#include "daemon/instance/instance.h"
#include "daemon/instance/instance_live.h"
#include "daemon/instance/instance_power.h"
#include "daemon/instance/instance_service.h"
#include "drivers/instance/instance_conf.h"
#include "lib/base/alloc.h"
#include "lib/base/cancel.h"
#include "lib/base/date.h"
#include "lib/base/log.h"
#include "lib/base/parse.h"
#include "lib/base/worker.h"

#define MAX_TRIES 3
#define PAUSE_MS 5000
#define MAX_STOPS 16

/* An instance of this member, by name: rows may go while we are at it. */
struct boot {
	char *project;
	char *name;
	int64_t priority;
	int64_t delay_s;
	struct state *state;
};

struct boots {
	struct boot *items;
	size_t n;
};

static void boots_done(struct boots *boots)
{
	for (size_t i = 0; i < boots->n; i++) {
		free(boots->items[i].project);
		free(boots->items[i].name);
	}
	free(boots->items);
	*boots = (struct boots){ 0 };
}

static int64_t number_of(const struct db_expanded *row, const char *key)
{
	const char *text = instance_conf_get(&row->config, key);
	int64_t value = 0;

	return text && parse_int64(text, &value) == 0 ? value : 0;
}

/* Higher priority first, then by name. */
static int compare(const void *left, const void *right)
{
	const struct boot *a = left;
	const struct boot *b = right;

	if (a->priority != b->priority)
		return a->priority > b->priority ? -1 : 1;

	int r = strcmp(a->project, b->project);
	return r ? r : strcmp(a->name, b->name);
}

/* This member's instances for which 'is_wanted', in order. */
static int collect(struct state *state, bool (*is_wanted)(const struct instance *inst),
                   const char *priority_key, struct boots *ret_boots, struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	scoped_free char *here = state_member_name(state);
	struct boots boots = { 0 };
	size_t n = 0;

	int r = db_cache_view(state->cache, INSTANCE_FAMILIES, &view, err);
	if (r < 0)
		return r;

	const struct db_expanded *const *rows = db_cache_instances(view, &n);
	boots.items = xcalloc(n + 1, sizeof(*boots.items));
	for (size_t i = 0; i < n; i++) {
		if (strcmp(rows[i]->row.member, here) != 0)
			continue;

		struct instance *inst = instance_of_row(state, rows[i]);
		if (inst->engine && is_wanted(inst))
			boots.items[boots.n++] = (struct boot){
				.project = xstrdup(rows[i]->row.project),
				.name = xstrdup(rows[i]->row.name),
				.priority = number_of(rows[i], priority_key),
				.delay_s = number_of(rows[i], "boot.autostart.delay"),
				.state = state,
			};
		instance_free(inst);
	}
	qsort(boots.items, boots.n, sizeof(*boots.items), compare);
	*ret_boots = boots;
	return 0;
}

static bool is_any(const struct instance *inst)
{
	(void)inst;
	return true;
}

static bool is_to_start(const struct instance *inst)
{
	const char *wish = smap_get_or(&inst->row->config, "boot.autostart", "");
	const char *power = smap_get_or(&inst->row->row.config, "volatile.last_state.power", "");

	if (instance_is_running(inst))
		return false;
	if (*wish)
		return smap_is_true(&inst->row->config, "boot.autostart");

	return strcmp(power, "RUNNING") == 0;
}

static void found(const struct boot *boot)
{
	scoped(instance_freep) struct instance *inst = NULL;
	scoped(error_freep) struct error *err = NULL;

	if (instance_load(boot->state, boot->project, boot->name, &inst, &err) == 0)
		instance_live_remember(inst);
}

int instance_boot_find(struct state *state, struct error **err)
{
	struct boots boots = { 0 };
	struct instance_service *service = state->instances;

	int r = collect(state, is_any, "boot.autostart.priority", &boots, err);
	if (r < 0)
		return r;

	char **dirs = xcalloc(boots.n + 1, sizeof(*dirs));
	bool *running = xcalloc(boots.n + 1, sizeof(*running));
	for (size_t i = 0; i < boots.n; i++) {
		scoped_free char *id = instance_id_of(boots.items[i].project, boots.items[i].name);

		dirs[i] = xasprintf("%s/containers/%s", state->dirs->run, id);
	}
	for (size_t i = 0; r == 0 && instance_drivers[i]; i++)
		if (service->engines[i])
			r = instance_drivers[i]->find(service->engines[i],
			                              (const char *const *)dirs, boots.n, running,
			                              err);
	for (size_t i = 0; i < boots.n; i++) {
		if (r == 0 && running[i])
			found(&boots.items[i]);
		free(dirs[i]);
	}
	free(dirs);
	free(running);
	boots_done(&boots);
	return r;
}

static bool is_stopping(const struct state *state)
{
	return atomic_load(&state->is_shutting_down) ||
	       cancel_code(state->instances->stopping) != 0;
}

/* Once; what no longer exists or runs already is no failure. */
static int try_start(const struct boot *boot, struct error **err)
{
	scoped(locks_releasep) struct lock *lock = NULL;
	scoped(instance_freep) struct instance *inst = NULL;

	int r = instance_lock(boot->state, boot->project, boot->name,
	                      boot->state->instances->stopping, &lock, &inst, err);
	if (r < 0)
		return r;
	if (instance_is_running(inst))
		return 0;

	return instance_power_start(inst, NULL, err);
}

static void start_one(const struct boot *boot)
{
	scoped_free char *url = NULL;
	struct state *state = boot->state;
	scoped(instance_freep) struct instance *inst = NULL;
	scoped(error_freep) struct error *err = NULL;

	if (instance_load(state, boot->project, boot->name, &inst, &err) < 0)
		return;

	url = instance_url_of(inst, NULL, NULL);
	for (int i = 0; i < MAX_TRIES; i++) {
		scoped(error_freep) struct error *failed = NULL;

		if (is_stopping(state))
			return;
		if (try_start(boot, &failed) == 0) {
			warning_resolve(state, WARNING_INSTANCE_AUTOSTART_FAILURE, url);
			return;
		}
		log_warn("Failed starting instance \"%s\": %s", boot->name, failed->msg);
		warning_raise(state, WARNING_INSTANCE_AUTOSTART_FAILURE, boot->project, url,
		              failed->msg);
		if (i + 1 < MAX_TRIES)
			(void)cancel_wait(state->instances->stopping, date_deadline(PAUSE_MS));
	}
}

/* On the service's worker. */
static void start_all(void *arg)
{
	struct state *state = arg;
	struct boots boots = { 0 };
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	scoped(error_freep) struct error *err = NULL;
	scoped_free char *here = state_member_name(state);

	if (db_cache_view(state->cache, DB_MEMBERS, &view, &err) < 0 ||
	    collect(state, is_to_start, "boot.autostart.priority", &boots, &err) < 0) {
		log_warn("Failed finding the instances to start: %s", err->msg);
		return;
	}

	const struct db_member *member = db_cache_member(view, here);
	if (!member || member->state != DB_MEMBER_EVACUATED)
		for (size_t i = 0; i < boots.n && !is_stopping(state); i++) {
			start_one(&boots.items[i]);
			if (boots.items[i].delay_s > 0)
				(void)cancel_wait(state->instances->stopping,
				                  date_deadline(boots.items[i].delay_s * 1000));
		}
	boots_done(&boots);
}

void instance_boot_start(struct state *state)
{
	if (worker_submit(state->instances->worker, start_all, state) < 0)
		log_warn("Nobody has time to start instances");
}

static void stop_one(void *arg)
{
	const struct boot *boot = arg;
	scoped(locks_releasep) struct lock *lock = NULL;
	scoped(instance_freep) struct instance *inst = NULL;
	scoped(error_freep) struct error *err = NULL;
	scoped(error_freep) struct error *forced = NULL;

	if (instance_lock(boot->state, boot->project, boot->name, NULL, &lock, &inst, &err) < 0) {
		log_warn("Failed stopping instance \"%s\": %s", boot->name, err->msg);
		return;
	}

	int64_t timeout = number_of(inst->row, "boot.host_shutdown_timeout");
	if (instance_is_running(inst) &&
	    instance_power_stop(inst, NULL, (int)timeout, false, true, &err) < 0 &&
	    instance_is_running(inst) &&
	    instance_power_stop(inst, NULL, 0, true, true, &forced) < 0)
		log_warn("Failed stopping instance \"%s\": %s", boot->name, forced->msg);
}

void instance_boot_stop(struct state *state)
{
	struct boots boots = { 0 };
	scoped(error_freep) struct error *err = NULL;

	if (collect(state, instance_is_running, "boot.stop.priority", &boots, &err) < 0) {
		log_warn("Failed finding the instances to stop: %s", err->msg);
		return;
	}

	/* Those of one priority together, then those of the next. */
	for (size_t i = 0; i < boots.n;) {
		struct worker *stops = worker_new("stop", MAX_STOPS, 0);
		int64_t priority = boots.items[i].priority;

		for (; i < boots.n && boots.items[i].priority == priority; i++)
			if (worker_submit(stops, stop_one, &boots.items[i]) < 0)
				stop_one(&boots.items[i]);
		worker_free(stops);
	}
	boots_done(&boots);
}
