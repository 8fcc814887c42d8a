#include "daemon/instance/instance_transfer.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/core/locks.h"
#include "daemon/core/operation.h"
#include "daemon/core/state.h"
#include "daemon/instance/instance_check.h"
#include "daemon/instance/instance_moving.h"
#include "daemon/instance/instance_snapshot.h"
#include "daemon/instance/instance_spec.h"
#include "daemon/instance/instance_update.h"
#include "daemon/instance/instance_volatile.h"
#include "daemon/project/project.h"
#include "daemon/project/project_limits.h"
#include "daemon/storage/storage_instance.h"
#include "lib/base/alloc.h"
#include "lib/base/failpoint.h"
#include "lib/base/log.h"
#include "lib/base/strv.h"

/* "POOL/PROJECT" where a copy is, or the original is still, that is not the instance's disk. */
#define KEY_PENDING "volatile.transfer.pending"

struct transfer {
	const struct instance *inst;
	const char *pool;
	const char *project;
	const char *left;        /* For KEY_PENDING, once the rows have changed. */
	const char *copied_to;   /* The pool that has the new disk; NULL before. */
	struct db_expanded next; /* As its rows will be. */
	char *profile_project;
	bool is_unknown; /* Whether the rows have changed. */
};

static void transfer_done(struct transfer *t)
{
	instance_check_expanded_done(&t->next);
	free(t->profile_project);
}

/* t->next from a row; everything that is wrong with it is found here. */
static int prepare(struct transfer *t, const struct db_view *view, const struct db_instance *row,
                   struct error **err)
{
	const struct db_device *root = instance_root_disk(&t->inst->row->devices);
	const char *profile_project = NULL;

	if (!root)
		return error_set(err, 400, "No root device could be found");
	if (t->pool && !db_cache_pool(view, t->pool))
		return error_set(err, 404, "Storage pool not found");
	if (!db_cache_project(view, t->project))
		return error_set(err, 404, "Project \"%s\" not found", t->project);
	if (strcmp(t->project, row->project) != 0 && db_cache_instance(view, t->project, row->name))
		return error_set(err, 409, "Instance \"%s\" already exists in project \"%s\"",
		                 row->name, t->project);

	int r = project_effective(view, t->project, PROJECT_PROFILES, &profile_project, err);
	if (r < 0)
		return r;

	transfer_done(t);
	t->profile_project = xstrdup(profile_project);
	instance_update_copy_row(row, &t->next.row);
	free(t->next.row.project);
	t->next.row.project = xstrdup(t->project);
	if (t->pool)
		instance_update_own_device(t->inst->row, &t->next.row, root->name, "pool", t->pool);

	r = instance_check_expand(view, profile_project, &t->next, err);
	if (r == 0)
		r = instance_check_row(t->inst->state, view, &t->next, err);
	if (r < 0)
		return r;

	/* Profiles of another project may bring another pool: then that is where it goes. */
	const struct db_device *new_root = instance_root_disk(&t->next.devices);
	return db_cache_pool(view, smap_get_or(&new_root->config, "pool", ""))
	               ? 0
	               : error_set(err, 404, "Storage pool not found");
}

static const char *pool_of(const struct db_expanded *row)
{
	return smap_get_or(&instance_root_disk(&row->devices)->config, "pool", "");
}

int instance_transfer_check(const struct instance *inst, const char *pool, const char *project,
                            struct error **err)
{
	struct transfer t = {
		.inst = inst,
		.pool = pool,
		.project = project ? project : inst->row->row.project,
	};

	if (instance_is_running(inst))
		return error_set(err, 400,
		                 "Instance must be stopped to be moved between pools or projects");

	int r = prepare(&t, inst->view, &inst->row->row, err);
	if (r == 0 && strcmp(t.project, inst->row->row.project) == 0 &&
	    strcmp(pool_of(&t.next), pool_of(inst->row)) == 0)
		r = error_set(err, 400, "Instance \"%s\" is there already", inst->row->row.name);
	transfer_done(&t);
	return r;
}

static int write_transfer(struct db_tx *tx, void *arg, struct error **err)
{
	struct transfer *t = arg;
	const struct db_instance *known = &t->inst->row->row;
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	scoped(db_instance_done) struct db_instance row = { 0 };

	int r = db_cache_view(t->inst->state->cache, INSTANCE_FAMILIES, &view, err);
	if (r == 0)
		r = db_instance_get_by_id(tx, known->id, &row, err);
	if (r == 0)
		r = instance_moving_check_name(tx, known, err);
	if (r == 0)
		r = prepare(t, view, &row, err);
	if (r == 0 && strcmp(pool_of(&t->next), t->copied_to) != 0)
		r = error_set(err, 409, "The pool of instance \"%s\" has changed meanwhile",
		              row.name);
	if (r == 0)
		r = project_limits_check_room(tx, t->project, (int)known->type, known->id,
		                              &t->next.config, &t->next.devices, err);
	if (r == 0 && strcmp(t->project, known->project) != 0)
		r = db_instance_set_project(tx, known->id, t->project, t->profile_project, err);
	if (r < 0)
		return r;

	smap_set(&t->next.row.config, KEY_PENDING, t->left);
	return db_instance_update(tx, &t->next.row, t->profile_project, err);
}

static bool is_transferred(const struct db_instance *row, const void *arg)
{
	const struct transfer *t = arg;

	return strcmp(smap_get_or(&row->config, KEY_PENDING, ""), t->left) == 0;
}

static int write_rows(struct transfer *t, struct error **err)
{
	scoped(error_freep) struct error *doubt = NULL;
	const struct instance_volatile_change change = {
		.key = KEY_PENDING,
		.write = write_transfer,
		.is_written = is_transferred,
		.arg = t,
	};

	int r = instance_volatile_write_surely(t->inst, &change, &doubt, err);
	t->is_unknown = doubt;
	if (doubt)
		log_warn("The second disk of instance \"%s\" stays until the next start: %s",
		         t->inst->row->row.name, doubt->msg);
	return r;
}

/* Removes what is at the place that KEY_PENDING names, and then forgets the place. */
static void drop(const struct instance *inst, const struct storage_instance *storage)
{
	scoped(error_freep) struct error *err = NULL;

	int r = storage_instance_delete(inst->state, NULL, storage, &err);
	if (r == 0)
		r = instance_volatile_set(inst, KEY_PENDING, NULL, &err);
	if (r < 0)
		log_warn("Failed removing the volume of \"%s\" in pool \"%s\": %s", storage->name,
		         storage->pool, err->msg);
}

/* Folders are named after the project as well. */
static void forget_folders(const struct instance *inst)
{
	scoped(error_freep) struct error *ignored = NULL;
	struct instance_spec_built built;

	if (!inst->engine || instance_spec_init(inst, &built, &ignored) < 0)
		return;

	(void)inst->driver->forget(inst->engine, &built.spec, &ignored);
	instance_spec_done(inst, &built);
}

static int transfer_locked(struct transfer *t, struct operation *op, struct error **err)
{
	struct state *state = t->inst->state;
	scoped_free const char **names = instance_snapshot_names(t->inst);
	struct storage_instance from;

	int r = prepare(t, t->inst->view, &t->inst->row->row, err);
	if (r == 0)
		r = instance_storage(t->inst, &from, err);
	if (r < 0)
		return r;

	scoped_free char *pool = xstrdup(pool_of(&t->next));
	scoped_free char *place = xasprintf("%s/%s", pool, t->project);
	scoped_free char *left = xasprintf("%s/%s", from.pool, from.project);
	struct storage_instance to = from;
	to.project = t->project;
	to.pool = pool;
	r = instance_volatile_set(t->inst, KEY_PENDING, place, err);
	if (r < 0)
		return r;
	r = storage_instance_copy(state, op, &to, &from, NULL, names, err);
	if (r == 0)
		r = FAILPOINT("transfer.copied", NULL,
		              "When a move between pools or projects has its copy", err);

	t->copied_to = pool;
	t->left = left;
	if (r == 0)
		r = write_rows(t, err);
	t->copied_to = NULL;
	if (r < 0) {
		/* One of the two disks is the instance's, and the key says which is not. */
		if (!t->is_unknown)
			drop(t->inst, &to);
		return r;
	}

	FAILPOINT_HERE("transfer.written", NULL,
	               "When the rows of a move between pools or projects have changed");
	drop(t->inst, &from);
	if (strcmp(t->project, t->inst->row->row.project) != 0)
		forget_folders(t->inst);
	return 0;
}

int instance_transfer(struct state *state, const char *project, const char *name, const char *pool,
                      const char *new_project, struct operation *op, struct error **err)
{
	scoped(locks_releasep) struct lock *lock = NULL;
	scoped(locks_releasep) struct lock *new_lock = NULL;
	scoped(instance_freep) struct instance *inst = NULL;
	scoped(instance_freep) struct instance *moved = NULL;
	struct transfer t = { .pool = pool, .project = new_project ? new_project : project };

	int r = instance_lock(state, project, name, op ? operation_cancel_token(op) : NULL, &lock,
	                      &inst, err);
	if (r == 0)
		r = instance_transfer_check(inst, pool, new_project, err);
	if (r < 0)
		return r;
	if (strcmp(t.project, project) != 0) {
		scoped_free char *key = xasprintf("%s/%s", t.project, name);

		/* Not waited for, so the order of names does not matter. */
		new_lock = locks_try(state->locks, LOCK_INSTANCE, key);
		if (!new_lock)
			return error_set(err, 409, "Instance \"%s\" is being changed in \"%s\"",
			                 name, t.project);
	}

	t.inst = inst;
	r = transfer_locked(&t, op, err);
	if (r == 0)
		r = instance_load(state, t.project, name, &moved, err);
	if (r == 0)
		instance_event(moved, op, "instance-migrated");
	transfer_done(&t);
	return r;
}

/* Whether another instance has its disk there. */
static bool is_anothers(const struct instance *inst, const char *pool, const char *project)
{
	const struct db_expanded *other =
		db_cache_instance(inst->view, project, inst->row->row.name);
	const struct db_device *root = other ? instance_root_disk(&other->devices) : NULL;

	return root && strcmp(smap_get_or(&root->config, "pool", ""), pool) == 0;
}

static void mend(const struct instance *inst, void *arg)
{
	const char *left = smap_get(&inst->row->row.config, KEY_PENDING);
	scoped(strv_freep) char **place = left ? strv_split(left, '/') : NULL;
	scoped(error_freep) struct error *err = NULL;
	struct storage_instance storage;

	(void)arg;
	if (strv_len(place) != 2 || instance_storage(inst, &storage, &err) < 0)
		return;
	if (is_anothers(inst, place[0], place[1])) {
		(void)instance_volatile_set(inst, KEY_PENDING, NULL, &err);
		return;
	}

	storage.pool = place[0];
	storage.project = place[1];
	drop(inst, &storage);
}

int instance_transfer_mend(struct state *state, struct error **err)
{
	return instance_each_here(state, mend, NULL, err);
}
