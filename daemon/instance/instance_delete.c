#include "daemon/instance/instance_delete.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/core/dirs.h"
#include "daemon/core/locks.h"
#include "daemon/core/operation.h"
#include "daemon/core/state.h"
#include "daemon/instance/instance_moving.h"
#include "daemon/instance/instance_power.h"
#include "daemon/instance/instance_spec.h"
#include "daemon/storage/storage_instance.h"
#include "drivers/instance/instance_conf.h"
#include "lib/base/alloc.h"
#include "lib/base/failpoint.h"
#include "lib/base/fd.h"
#include "lib/base/log.h"
#include "lib/base/path.h"
#include "lib/base/tree.h"

int instance_delete_check(const struct instance *inst, struct error **err)
{
	if (instance_is_running(inst))
		return error_set(err, 400, "Instance is running");
	if (instance_conf_is_true(&inst->row->config, "security.protection.delete"))
		return error_set(err, 400, "Instance is protected from being deleted");

	return 0;
}

static int check_row(struct db_tx *tx, void *arg, struct error **err)
{
	return instance_moving_check_name(tx, arg, err);
}

static int check_moving(const struct instance *inst, struct error **err)
{
	return db_query(inst->state->db, check_row, (void *)(uintptr_t)&inst->row->row, err);
}

struct rows {
	int64_t id;
	const char *member;
	const struct storage_instance *storage; /* NULL without a volume. */
};

static int delete_rows(struct db_tx *tx, void *arg, struct error **err)
{
	const struct rows *rows = arg;

	if (rows->storage) {
		int r = storage_instance_delete_row(tx, rows->member, rows->storage, err);
		if (r < 0)
			return r;
	}
	return db_instance_delete(tx, rows->id, err);
}

static char *mark_path(const struct instance *inst)
{
	return xasprintf("%s/deleting/%lld", inst->state->dirs->root, (long long)inst->row->row.id);
}

/* There from before the first file goes until the rows are gone; by id, since names come again. */
static int set_mark(const char *path, struct error **err)
{
	scoped_free char *dir = path_dir(path);

	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return error_set_errno(err, -errno, "Failed making \"%s\"", dir);

	scoped_fd int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	return fd < 0 ? error_set_errno(err, -errno, "Failed making \"%s\"", path) : 0;
}

/* The files, then the rows. */
static int remove_all(const struct instance *inst, struct operation *op, struct error **err)
{
	struct storage_instance storage;
	struct instance_spec_built built;
	int64_t id = inst->row->row.id;
	scoped_free char *member = state_member_name(inst->state);
	struct rows rows = { .id = id, .member = member };
	int r = 0;

	/* Without a root disk there is no volume: creation failed half-way or a profile changed. */
	if (instance_root_disk(&inst->row->devices)) {
		r = instance_storage(inst, &storage, err);
		if (r < 0)
			return r;
		/* The volume's row goes together with the instance's. */
		storage.files_only = true;
		r = storage_instance_delete(inst->state, op, &storage, err);
		if (r < 0)
			return r;
		rows.storage = &storage;
	}

	r = instance_spec_init(inst, &built, err);
	if (r == 0) {
		scoped(error_freep) struct error *ignored = NULL;

		if (inst->engine && inst->driver->forget(inst->engine, &built.spec, &ignored) < 0)
			log_warn("Failed removing the folders of instance \"%s\": %s",
			         inst->row->row.name, ignored->msg);
		instance_spec_done(inst, &built);
	} else {
		error_clear(err);
	}

	r = FAILPOINT("instance.delete", NULL, "When the files of a deleted instance are gone",
	              err);
	return r < 0 ? r : db_write_shared(inst->state->db, NULL, delete_rows, &rows, err);
}

int instance_delete_locked(const struct instance *inst, struct operation *op, struct error **err)
{
	scoped_free char *mark = mark_path(inst);

	int r = check_moving(inst, err);
	if (r == 0)
		r = set_mark(mark, err);
	if (r < 0)
		return r;

	r = remove_all(inst, op, err);
	unlink(mark);
	if (r == 0)
		instance_event(inst, op, "instance-deleted");

	return r;
}

int instance_delete(struct state *state, const char *project, const char *name, bool is_forced,
                    struct operation *op, struct error **err)
{
	scoped(locks_releasep) struct lock *lock = NULL;
	scoped(instance_freep) struct instance *inst = NULL;

	int r = instance_lock(state, project, name, op ? operation_cancel_token(op) : NULL, &lock,
	                      &inst, err);
	if (r < 0)
		return r;

	if (is_forced && instance_is_running(inst)) {
		r = check_moving(inst, err);
		if (r < 0)
			return r;
		r = instance_power_stop(inst, op, 0, true, false, err);
		if (r < 0)
			return r;
	}
	r = instance_delete_check(inst, err);
	if (r < 0)
		return r;

	return instance_delete_locked(inst, op, err);
}

static void mend(const struct instance *inst, void *arg)
{
	scoped_free char *mark = mark_path(inst);
	scoped(error_freep) struct error *err = NULL;

	(void)arg;
	if (access(mark, F_OK) < 0)
		return;

	log_info("Ending the deletion of instance \"%s\"", inst->row->row.name);
	if (remove_all(inst, NULL, &err) < 0)
		log_warn("Failed ending the deletion of instance \"%s\": %s", inst->row->row.name,
		         err->msg);
}

int instance_delete_mend(struct state *state, struct error **err)
{
	scoped_free char *dir = xasprintf("%s/deleting", state->dirs->root);

	if (access(dir, F_OK) < 0)
		return 0;

	int r = instance_each_here(state, mend, NULL, err);
	/* Also marks of those whose rows went at the last moment. */
	if (r == 0)
		(void)tree_remove(dir, 0);

	return r;
}
