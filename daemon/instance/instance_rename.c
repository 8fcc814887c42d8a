#include "daemon/instance/instance_rename.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/core/dirs.h"
#include "daemon/core/lifecycle.h"
#include "daemon/core/locks.h"
#include "daemon/core/operation.h"
#include "daemon/core/state.h"
#include "daemon/instance/instance_moving.h"
#include "daemon/instance/instance_spec.h"
#include "daemon/instance/instance_volatile.h"
#include "daemon/storage/storage_instance.h"
#include "db/storage_volumes.h"
#include "lib/base/alloc.h"
#include "lib/base/failpoint.h"
#include "lib/base/log.h"
#include "lib/data/jv.h"

/* Holds the new name while the files have it and the rows not yet. */
#define KEY_PENDING "volatile.rename.pending"

int instance_rename_check(const struct instance *inst, const char *new_name, struct error **err)
{
	int r = instance_check_name(new_name, err);

	if (r < 0)
		return r;
	if (inst->view && db_cache_instance(inst->view, inst->row->row.project, new_name))
		return error_set(err, 409, "Name \"%s\" already in use", new_name);
	if (instance_is_running(inst))
		return error_set(err, 400, "Renaming of running instance not allowed");

	return 0;
}

struct renaming {
	const struct instance *inst;
	const char *pool;
	const char *new_name;
	bool is_unknown; /* Whether the rows have changed. */
};

static int write_rename(struct db_tx *tx, void *arg, struct error **err)
{
	const struct renaming *renaming = arg;
	const struct db_instance *row = &renaming->inst->row->row;
	scoped(db_storage_volume_done) struct db_storage_volume volume = { 0 };
	scoped(smap_done) struct smap changes = { 0 };
	int type = row->type == DB_INSTANCE_VM ? DB_VOLUME_VM : DB_VOLUME_CONTAINER;

	int r = instance_moving_check_name(tx, row, err);
	if (r == 0)
		r = db_storage_volume_get(
			tx,
			&(struct db_storage_volume_filter){ .pool = renaming->pool,
		                                            .project = row->project,
		                                            .type = (int)type,
		                                            .name = row->name,
		                                            .member = row->member },
			&volume, err);
	if (r == 0)
		r = db_storage_volume_rename(tx, volume.id, renaming->new_name, err);
	if (r == 0)
		r = db_instance_rename(tx, row->id, renaming->new_name, err);
	if (r < 0)
		return r;

	smap_set(&changes, KEY_PENDING, "");
	smap_set(&changes, "volatile.apply_template", "rename");
	return db_instance_patch_config(tx, row->id, &changes, err);
}

static bool is_renamed(const struct db_instance *row, const void *arg)
{
	const struct renaming *renaming = arg;

	return strcmp(row->name, renaming->new_name) == 0;
}

static int write_rows(struct renaming *renaming, struct error **err)
{
	const struct instance *inst = renaming->inst;
	scoped(error_freep) struct error *doubt = NULL;
	const struct instance_volatile_change change = {
		.key = KEY_PENDING,
		.write = write_rename,
		.is_written = is_renamed,
		.arg = renaming,
	};

	int r = instance_volatile_write_surely(inst, &change, &doubt, err);
	renaming->is_unknown = doubt;
	if (doubt)
		log_warn("Whether instance \"%s\" is renamed shows at the next start: %s",
		         inst->row->row.name, doubt->msg);
	return r;
}

/* The log keeps its history; a run folder of a stopped instance holds nothing of use. */
static void rename_folders(const struct instance *inst, const char *new_name)
{
	scoped(error_freep) struct error *ignored = NULL;
	struct instance_spec_built built;
	scoped_free char *id = instance_id_of(inst->row->row.project, new_name);
	scoped_free char *to = xasprintf("%s/%s", inst->state->dirs->logs, id);

	if (instance_spec_init(inst, &built, &ignored) < 0)
		return;

	if (rename(built.log_dir, to) < 0 && errno != ENOENT)
		log_info("The log of instance \"%s\" stays behind: %s", inst->row->row.name,
		         strerror(errno));
	if (inst->engine)
		(void)inst->driver->forget(inst->engine, &built.spec, &ignored);
	instance_spec_done(inst, &built);
}

static int rename_locked(const struct instance *inst, const char *new_name, struct operation *op,
                         struct error **err)
{
	struct storage_instance storage;

	int r = instance_rename_check(inst, new_name, err);
	if (r == 0)
		r = instance_storage(inst, &storage, err);
	if (r == 0)
		r = instance_volatile_set(inst, KEY_PENDING, new_name, err);
	if (r < 0)
		return r;

	struct renaming renaming = {
		.inst = inst,
		.pool = storage.pool,
		.new_name = new_name,
	};
	storage.files_only = true;
	r = storage_instance_rename(inst->state, op, &storage, new_name, err);
	if (r == 0) {
		r = FAILPOINT("rename.moved", NULL, "When the files have a new name", err);
		if (r == 0)
			r = write_rows(&renaming, err);
		/* The key stays, and says what the files are to be called. */
		if (r == 0 || renaming.is_unknown)
			return r;

		scoped(error_freep) struct error *undo = NULL;
		const char *name = storage.name;

		storage.name = new_name;
		if (storage_instance_rename(inst->state, NULL, &storage, name, &undo) < 0)
			log_warn("Failed renaming instance \"%s\" back: %s", name, undo->msg);
	}

	scoped(error_freep) struct error *ignored = NULL;
	(void)instance_volatile_set(inst, KEY_PENDING, NULL, &ignored);
	return r;
}

int instance_rename(struct state *state, const char *project, const char *name,
                    const char *new_name, struct operation *op, struct error **err)
{
	scoped(locks_releasep) struct lock *lock = NULL;
	scoped(locks_releasep) struct lock *new_lock = NULL;
	scoped(instance_freep) struct instance *inst = NULL;
	scoped(instance_freep) struct instance *renamed = NULL;
	scoped_free char *new_key = xasprintf("%s/%s", project, new_name);

	int r = instance_lock(state, project, name, op ? operation_cancel_token(op) : NULL, &lock,
	                      &inst, err);
	if (r < 0)
		return r;

	/* Not waited for, so the order of names does not matter. */
	new_lock = locks_try(state->locks, LOCK_INSTANCE, new_key);
	if (!new_lock)
		return error_set(err, 409, "Name \"%s\" already in use", new_name);

	r = rename_locked(inst, new_name, op, err);
	if (r < 0)
		return r;

	rename_folders(inst, new_name);
	r = instance_load(state, project, new_name, &renamed, err);
	if (r < 0)
		return r;

	struct json_object *context = jv_object();
	jv_set_string(context, "old_name", name);
	if (op)
		lifecycle_send_op(op, "instance-renamed", project, renamed->url, context);
	else
		lifecycle_send(state, NULL, "instance-renamed", project, renamed->url, context);
	return 0;
}

static void mend(const struct instance *inst, void *arg)
{
	const char *new_name = smap_get(&inst->row->row.config, KEY_PENDING);
	scoped(error_freep) struct error *err = NULL;
	struct storage_instance storage;
	struct storage_instance renamed;

	(void)arg;
	if (!new_name || instance_storage(inst, &storage, &err) < 0)
		return;

	storage.files_only = true;
	renamed = storage;
	renamed.name = new_name;
	if (!storage_instance_exists(inst->state, &storage) &&
	    storage_instance_exists(inst->state, &renamed) &&
	    storage_instance_rename(inst->state, NULL, &renamed, storage.name, &err) < 0)
		log_warn("Failed taking back that \"%s\" was to be \"%s\": %s", storage.name,
		         new_name, err->msg);
	else if (instance_volatile_set(inst, KEY_PENDING, NULL, &err) < 0)
		log_warn("Failed forgetting that \"%s\" was to be \"%s\": %s", storage.name,
		         new_name, err->msg);
}

int instance_rename_mend(struct state *state, struct error **err)
{
	return instance_each_here(state, mend, NULL, err);
}
