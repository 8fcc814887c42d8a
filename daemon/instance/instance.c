#include "daemon/instance/instance.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/dirs.h"
#include "daemon/core/lifecycle.h"
#include "daemon/core/locks.h"
#include "daemon/core/state.h"
#include "daemon/instance/instance_exit.h"
#include "daemon/instance/instance_live.h"
#include "daemon/instance/instance_peers.h"
#include "daemon/instance/instance_service.h"
#include "daemon/storage/storage_instance.h"
#include "drivers/storage/storage_layout.h"
#include "lib/base/alloc.h"
#include "lib/base/cancel.h"
#include "lib/base/log.h"
#include "lib/base/map.h"
#include "lib/base/thread.h"
#include "lib/base/worker.h"
#include "lib/net/digest.h"

#define NAME_MAX_LEN 63
#define MAX_WORKERS 16
#define MAX_SENDS 64
#define MAX_QUEUED_SENDS 1024

/* Names this daemon's cgroups apart from those of others on the same machine. */
static char *cgroup_tag(const struct state *state)
{
	char hash[DIGEST_SHA256_HEX_SIZE];

	digest_sha256_hex(state->dirs->root, strlen(state->dirs->root), hash);

	return xasprintf("%.12s", hash);
}

int instance_service_new(struct state *state, struct error **err) NO_LOCK_CHECK
{
	struct instance_service *service = xcalloc(1, sizeof(*service));

	service->state = state;
	service->host = (struct host){
		.ops = state->host,
		.arg = state->host_arg,
		.var_dir = state->dirs->root,
		.run_dir = state->dirs->run,
		.log_dir = state->dirs->logs,
		.helper_program = "/proc/self/exe",
	};
	service->tag = cgroup_tag(state);
	service->stopping = cancel_new(NULL);
	service->worker = worker_new("instance", MAX_WORKERS, 0);
	service->sends = worker_new("send", MAX_SENDS, MAX_QUEUED_SENDS);
	mutex_init(&service->mutex);
	service->live = instance_live_map();
	service->exits = instance_exit_new(state);
	service->peers = instance_peers_new(state);
	state->instances = service;
	state->profile_changed = instance_live_profile_changed;

	for (size_t i = 0; instance_drivers[i] && i < INSTANCE_MAX_DRIVERS; i++) {
		const struct instance_engine_setup setup = {
			.host = &service->host,
			.loop = state->loop,
			.on_exit = instance_exit_seen,
			.arg = service->exits,
			.tag = service->tag,
		};
		scoped(error_freep) struct error *failed = NULL;

		if (instance_drivers[i]->engine_new(&setup, &service->engines[i], &failed) < 0)
			log_warn("Instances of type \"%s\" cannot run here: %s",
			         instance_drivers[i]->type, failed->msg);
	}

	(void)err;
	return 0;
}

void instance_service_free(struct instance_service *service) NO_LOCK_CHECK
{
	if (!service)
		return;

	cancel_fire(service->stopping);
	worker_drain(service->worker, DEADLINE_NEVER);
	for (size_t i = 0; instance_drivers[i] && i < INSTANCE_MAX_DRIVERS; i++)
		if (service->engines[i])
			instance_drivers[i]->engine_free(service->engines[i]);
	worker_free(service->worker);
	worker_free(service->sends);
	instance_exit_free(service->exits);
	instance_peers_free(service->peers);
	service->state->profile_changed = NULL;
	service->state->instances = NULL;
	cancel_unref(service->stopping);
	map_free(service->live);
	mutex_done(&service->mutex);
	free(service->tag);
	free(service);
}

struct instance_engine *instance_engine(struct state *state, const char *type)
{
	for (size_t i = 0; instance_drivers[i] && i < INSTANCE_MAX_DRIVERS; i++)
		if (strcmp(instance_drivers[i]->type, type) == 0)
			return state->instances->engines[i];

	return NULL;
}

char *instance_id_of(const char *project, const char *name)
{
	return storage_layout_disk_name(STORAGE_CONTAINER, project, name);
}

int instance_id_parse(const char *id, char **ret_project, char **ret_name)
{
	/* A name has no underscore, so the last one ends the project. */
	const char *underscore = strrchr(id, '_');

	if (!*id || (underscore && (underscore == id || !underscore[1])))
		return -EINVAL;

	*ret_project =
		underscore ? xasprintf("%.*s", (int)(underscore - id), id) : xstrdup("default");
	*ret_name = xstrdup(underscore ? underscore + 1 : id);
	return 0;
}

static const char *type_name(int64_t type)
{
	return type == DB_INSTANCE_VM ? "virtual-machine" : "container";
}

struct instance *instance_of_row(struct state *state, const struct db_expanded *row)
{
	struct instance *inst = xcalloc(1, sizeof(*inst));
	const char *type = type_name(row->row.type);

	inst->state = state;
	inst->row = row;
	inst->driver = instance_driver_find(type);
	inst->engine = state && state->instances ? instance_engine(state, type) : NULL;
	inst->id = instance_id_of(row->row.project, row->row.name);
	inst->url = lifecycle_url(row->row.project,
	                          (const char *const[]){ "instances", row->row.name, NULL });
	return inst;
}

int instance_each_here(struct state *state, void (*fn)(const struct instance *inst, void *arg),
                       void *arg, struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	scoped_free char *here = state_member_name(state);
	size_t n = 0;

	int r = db_cache_view(state->cache, INSTANCE_FAMILIES, &view, err);
	if (r < 0)
		return r;

	const struct db_expanded *const *rows = db_cache_instances(view, &n);
	for (size_t i = 0; i < n; i++) {
		if (strcmp(rows[i]->row.member, here) != 0)
			continue;

		struct instance *inst = instance_of_row(state, rows[i]);
		inst->view = db_cache_view_ref(view);
		fn(inst, arg);
		instance_free(inst);
	}
	return 0;
}

void instance_free(struct instance *inst)
{
	if (!inst)
		return;

	db_cache_view_unref(inst->view);
	free(inst->id);
	free(inst->url);
	free(inst);
}

int instance_load_from(struct state *state, struct db_view *view, const char *project,
                       const char *name, struct instance **ret_inst, struct error **err)
{
	const struct db_expanded *row = db_cache_instance(view, project, name);

	if (!row)
		return error_set(err, 404, "Instance not found");

	struct instance *inst = instance_of_row(state, row);
	inst->view = db_cache_view_ref(view);
	*ret_inst = inst;
	return 0;
}

int instance_load(struct state *state, const char *project, const char *name,
                  struct instance **ret_inst, struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;

	int r = db_cache_view(state->cache, INSTANCE_FAMILIES, &view, err);
	if (r < 0)
		return r;

	return instance_load_from(state, view, project, name, ret_inst, err);
}

int instance_reload(struct instance **inst, struct error **err)
{
	struct instance *fresh = NULL;
	const struct db_instance *row = &(*inst)->row->row;

	int r = instance_load((*inst)->state, row->project, row->name, &fresh, err);
	if (r < 0)
		return r;

	instance_free(*inst);
	*inst = fresh;
	return 0;
}

int instance_lock(struct state *state, const char *project, const char *name, struct cancel *cancel,
                  struct lock **ret_lock, struct instance **ret_inst, struct error **err)
{
	scoped(locks_releasep) struct lock *lock = NULL;
	scoped(instance_freep) struct instance *inst = NULL;
	scoped_free char *key = xasprintf("%s/%s", project, name);
	scoped_free char *here = state_member_name(state);

	int r = locks_take(state->locks, LOCK_INSTANCE, key, cancel, &lock, err);
	if (r < 0)
		return r;

	r = instance_load(state, project, name, &inst, err);
	if (r < 0)
		return r;
	if (strcmp(inst->row->row.member, here) != 0)
		return error_set(err, 503, "Instance \"%s\" is on member \"%s\" now", name,
		                 inst->row->row.member);

	*ret_lock = TAKE_PTR(lock);
	*ret_inst = TAKE_PTR(inst);
	return 0;
}

const char *instance_type_name(const struct instance *inst)
{
	return type_name(inst->row->row.type);
}

enum instance_status instance_status(const struct instance *inst)
{
	return inst->engine ? inst->driver->status(inst->engine, inst->id) : INSTANCE_STOPPED;
}

bool instance_is_running(const struct instance *inst)
{
	return instance_status(inst) != INSTANCE_STOPPED;
}

const struct db_device *instance_root_disk(const struct db_devices *devices)
{
	for (size_t i = 0; i < devices->n; i++) {
		const struct smap *config = &devices->rows[i].config;

		if (strcmp(smap_get_or(config, "type", ""), "disk") == 0 &&
		    strcmp(smap_get_or(config, "path", ""), "/") == 0 && smap_has(config, "pool"))
			return &devices->rows[i];
	}

	return NULL;
}

void instance_storage_in(const struct instance *inst, const char *pool,
                         struct storage_instance *ret_storage)
{
	const struct db_device *root = instance_root_disk(&inst->row->devices);

	*ret_storage = (struct storage_instance){
		.project = inst->row->row.project,
		.name = inst->row->row.name,
		.is_vm = inst->row->row.type == DB_INSTANCE_VM,
		.pool = pool,
		.size = root ? smap_get(&root->config, "size") : NULL,
	};
}

int instance_storage(const struct instance *inst, struct storage_instance *ret_storage,
                     struct error **err)
{
	const struct db_device *root = instance_root_disk(&inst->row->devices);

	if (!root)
		return error_set(err, 400, "No root device could be found");

	instance_storage_in(inst, smap_get(&root->config, "pool"), ret_storage);
	return 0;
}

char *instance_url_of(const struct instance *inst, const char *first, ...)
{
	const char *parts[10] = { "instances", inst->row->row.name };
	size_t n = 2;
	va_list args;

	va_start(args, first);
	for (const char *part = first; part; part = va_arg(args, const char *)) {
		assert(n < COUNT_OF(parts) - 1);
		parts[n++] = part;
	}
	va_end(args);
	return lifecycle_url(inst->row->row.project, parts);
}

void instance_event(const struct instance *inst, struct operation *op, const char *action)
{
	const char *project = inst->row->row.project;

	if (op)
		lifecycle_send_op(op, action, project, inst->url, NULL);
	else
		lifecycle_send(inst->state, NULL, action, project, inst->url, NULL);
}

int instance_check_name(const char *name, struct error **err)
{
	size_t len = strlen(name);

	if (len < 1 || len > NAME_MAX_LEN)
		return error_set(err, 400,
		                 "Invalid instance name: Name must be 1-%d characters long",
		                 NAME_MAX_LEN);
	if (name[0] == '-' || name[len - 1] == '-')
		return error_set(err, 400,
		                 "Invalid instance name: Name must not start or end with a \"-\"");
	if (isdigit((unsigned char)name[0]))
		return error_set(err, 400,
		                 "Invalid instance name: Name must not start with a digit");
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)name[i]) && name[i] != '-')
			return error_set(
				err, 400,
				"Invalid instance name: Name can only contain alphanumeric "
				"and hyphen characters");

	return 0;
}
