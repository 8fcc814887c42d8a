#include "daemon/instance/instance_snapshot.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/lifecycle.h"
#include "daemon/core/locks.h"
#include "daemon/core/operation.h"
#include "daemon/core/state.h"
#include "daemon/instance/instance_moving.h"
#include "daemon/instance/instance_power.h"
#include "daemon/instance/instance_update.h"
#include "daemon/instance/instance_volumes.h"
#include "daemon/project/project.h"
#include "daemon/storage/storage_instance.h"
#include "drivers/instance/instance_conf.h"
#include "lib/base/alloc.h"
#include "lib/base/date.h"
#include "lib/base/failpoint.h"
#include "lib/base/log.h"
#include "lib/base/parse.h"
#include "lib/base/strbuf.h"
#include "lib/base/strv.h"
#include "lib/base/template.h"
#include "lib/base/uuid.h"

#define NAME_MAX_LEN 250

static const struct db_instance_snapshot *find(const struct instance *inst, const char *snapshot)
{
	size_t n = 0;
	const struct db_instance_snapshot *rows =
		db_cache_snapshots_of(inst->view, inst->row->row.id, &n);

	for (size_t i = 0; i < n; i++)
		if (strcmp(rows[i].name, snapshot) == 0)
			return &rows[i];

	return NULL;
}

const struct db_instance_snapshot *instance_snapshot_find(const struct instance *inst,
                                                          const char *snapshot, struct error **err)
{
	const struct db_instance_snapshot *row = find(inst, snapshot);

	if (!row)
		error_set(err, 404,
		          "Failed fetching snapshot \"%s\" of instance \"%s\" in project \"%s\": "
		          "InstanceSnapshot not found",
		          snapshot, inst->row->row.name, inst->row->row.project);
	return row;
}

const char **instance_snapshot_names(const struct instance *inst)
{
	size_t n = 0;
	const struct db_instance_snapshot *rows =
		db_cache_snapshots_of(inst->view, inst->row->row.id, &n);
	const char **names = xcalloc(n + 1, sizeof(*names));

	for (size_t i = 0; i < n; i++)
		names[i] = rows[i].name;

	return names;
}

int instance_snapshot_copy_row(struct db_tx *tx, const struct instance *inst,
                               const struct db_instance_snapshot *source, struct error **err)
{
	struct db_instance_snapshot row = *source;
	scoped(smap_done) struct smap config = { 0 };
	int64_t id = 0;

	/* The volumes are the source's. */
	smap_copy(&config, &source->config);
	smap_unset(&config, "volatile.attached_volumes");
	row.config = config;
	row.instance_id = inst->row->row.id;
	return db_instance_snapshot_create(tx, &row, &id, err);
}

int instance_snapshot_check_name(const char *name, struct error **err)
{
	if (!*name)
		return error_set(err, 400, "Invalid snapshot name: Cannot be empty");
	if (strlen(name) > NAME_MAX_LEN)
		return error_set(err, 400, "Invalid snapshot name: Longer than %d characters",
		                 NAME_MAX_LEN);
	if (strchr(name, '/'))
		return error_set(err, 400, "Invalid snapshot name: Cannot contain \"/\"");
	if (*name == '.' || *name == '-')
		return error_set(err, 400, "Invalid snapshot name: Cannot start with \"%c\"",
		                 *name);
	for (const unsigned char *c = (const unsigned char *)name; *c; c++)
		if (*c <= ' ' || *c == 0x7f)
			return error_set(err, 400,
			                 "Invalid snapshot name: Cannot contain spaces or control "
			                 "characters");

	return 0;
}

/* What stands in the pattern before and after the number. */
static int64_t next_number(const struct instance *inst, const char *before, const char *after)
{
	size_t n = 0;
	int64_t next = 0;
	const struct db_instance_snapshot *rows =
		db_cache_snapshots_of(inst->view, inst->row->row.id, &n);

	for (size_t i = 0; i < n; i++) {
		const char *name = rows[i].name;
		size_t len = strlen(name);
		size_t around = strlen(before) + strlen(after);
		int64_t number = 0;

		if (len <= around || strncmp(name, before, strlen(before)) != 0 ||
		    strcmp(name + len - strlen(after), after) != 0)
			continue;

		scoped_free char *digits =
			xasprintf("%.*s", (int)(len - around), name + strlen(before));
		if (parse_int64(digits, &number) == 0 && number >= next && number < INT64_MAX)
			next = number + 1;
	}
	return next;
}

static const char *pattern_value(const char *name, void *arg)
{
	return strcmp(name, "creation_date") == 0 ? arg : NULL;
}

int instance_snapshot_next_name(const struct instance *inst, char **ret_name, struct error **err)
{
	const char *pattern = instance_conf_get(&inst->row->config, "snapshots.pattern");
	scoped(strbuf_done) struct strbuf text = { 0 };
	char now[DATE_SIZE];

	date_format(date_now(), now);
	const struct template_scope scope = { .value = pattern_value, .arg = now };
	int r = template_render(pattern ? pattern : "snap%d", &scope, &text, err);
	if (r < 0)
		return error_wrap(err, "Failed rendering snapshots.pattern");

	scoped_free char *name = xstrdup(text.text ? text.text : "");
	char *number = strstr(name, "%d");
	if (number && strstr(number + 2, "%d"))
		return error_set(err, 400, "Snapshot pattern may contain '%%d' only once");
	if (number) {
		*number = '\0';
		*ret_name = xasprintf("%s%lld%s", name,
		                      (long long)next_number(inst, name, number + 2), number + 2);
	} else if (find(inst, name)) {
		scoped_free char *before = xasprintf("%s-", name);

		*ret_name = xasprintf("%s%lld", before, (long long)next_number(inst, before, ""));
	} else {
		*ret_name = TAKE_PTR(name);
	}
	return 0;
}

int64_t instance_snapshot_expiry(const struct instance *inst)
{
	const char *text = instance_conf_get(&inst->row->config, "snapshots.expiry");
	int64_t at = DATE_NONE;

	return text && *text && parse_expiry(text, date_now(), &at) == 0 ? at : DATE_NONE;
}

static void event(const struct instance *inst, struct operation *op, const char *action,
                  const char *snapshot)
{
	scoped_free char *url = instance_url_of(inst, "snapshots", snapshot, NULL);

	if (op)
		lifecycle_send_op(op, action, inst->row->row.project, url, NULL);
	else
		lifecycle_send(inst->state, NULL, action, inst->row->row.project, url, NULL);
}

/* An instance that nobody else changes; starts empty. */
struct locked {
	struct lock *lock;
	struct instance *inst;
	struct storage_instance storage;
};

static void locked_done(struct locked *locked)
{
	instance_freep(&locked->inst);
	locks_releasep(&locked->lock);
}

static int lock_instance(struct state *state, const char *project, const char *name,
                         struct operation *op, struct locked *ret_locked, struct error **err)
{
	int r = instance_lock(state, project, name, op ? operation_cancel_token(op) : NULL,
	                      &ret_locked->lock, &ret_locked->inst, err);

	return r < 0 ? r : instance_storage(ret_locked->inst, &ret_locked->storage, err);
}

/* A new snapshot's rows: of the instance, and of its volume, which goes by the same name. */
struct creating {
	const struct db_instance *known;
	const struct db_instance_snapshot *row;
	const struct storage_instance *storage;
	const char *member;
};

static int create_rows(struct db_tx *tx, void *arg, struct error **err)
{
	const struct creating *c = arg;
	int64_t id = 0;
	int r = instance_moving_check(tx, c->known, err);

	if (r == 0)
		r = storage_instance_snapshot_create_row(tx, c->member, c->storage, c->row->name,
		                                         c->row->expires, err);
	return r < 0 ? r : db_instance_snapshot_create(tx, c->row, &id, err);
}

static void drop_disk(const struct instance *inst, const struct storage_instance *storage,
                      const char *snapshot)
{
	scoped(error_freep) struct error *undo = NULL;

	if (storage_instance_snapshot_delete(inst->state, NULL, storage, snapshot, &undo) < 0)
		log_warn("Failed removing a snapshot of \"%s\" again: %s", inst->row->row.name,
		         undo->msg);
}

/* Unless the rows are there after all, as they may be when a commit's outcome was not known. */
static void undo_disks(const struct instance *inst, const struct storage_instance *storage,
                       const char *snapshot, const char *attached)
{
	scoped(instance_freep) struct instance *fresh = NULL;
	scoped(error_freep) struct error *ignored = NULL;
	const struct db_instance *row = &inst->row->row;

	int r = instance_load(inst->state, row->project, row->name, &fresh, &ignored);
	if (r == 0 ? find(fresh, snapshot) != NULL : r != -ENOENT)
		return;
	instance_volumes_undo(inst, attached);
	drop_disk(inst, storage, snapshot);
}

static int snapshot_disks(const struct instance *inst, struct operation *op,
                          const struct storage_instance *storage,
                          const struct instance_snapshot_new *new, char **ret_attached,
                          struct error **err)
{
	int r = storage_instance_snapshot_create(inst->state, op, storage, new->name, err);
	if (r < 0 || !new->with_volumes)
		return r;

	r = instance_volumes_snapshot(inst, op, new->expires, ret_attached, err);
	if (r < 0)
		drop_disk(inst, storage, new->name);
	return r;
}

/* Snapshots of a moment: on a pool that copies files nothing may change meanwhile. */
static int snapshot_volume(const struct instance *inst, struct operation *op,
                           const struct storage_instance *storage,
                           const struct instance_snapshot_new *new, char **ret_attached,
                           struct error **err)
{
	bool is_frozen = false;

	if (instance_status(inst) == INSTANCE_RUNNING) {
		int r = inst->driver->freeze(inst->engine, inst->id, err);
		if (r < 0)
			return r;
		is_frozen = true;
	}

	int r = snapshot_disks(inst, op, storage, new, ret_attached, err);
	if (is_frozen) {
		scoped(error_freep) struct error *failed = NULL;

		if (inst->driver->unfreeze(inst->engine, inst->id, &failed) < 0)
			log_warn("Failed letting instance \"%s\" go on: %s", inst->row->row.name,
			         failed->msg);
	}
	return r;
}

int instance_snapshot_create_locked(const struct instance *inst,
                                    const struct instance_snapshot_new *new, struct operation *op,
                                    struct error **err)
{
	scoped(smap_done) struct smap config = { 0 };
	scoped_free char *attached = NULL;
	struct storage_instance storage;

	int r = instance_storage(inst, &storage, err);
	if (r < 0)
		return r;
	if (find(inst, new->name))
		return error_set(err, 409, "Snapshot \"%s\" already exists", new->name);

	r = snapshot_volume(inst, op, &storage, new, &attached, err);
	if (r < 0)
		return r;
	smap_copy(&config, &inst->row->row.config);
	smap_set(&config, "volatile.attached_volumes", attached);

	const struct db_instance *row = &inst->row->row;
	struct db_instance_snapshot snapshot = {
		.instance_id = row->id,
		.name = (char *)(uintptr_t) new->name,
		.description = (char *)(uintptr_t) "",
		.architecture = row->architecture,
		.created = date_now(),
		.last_used = DATE_NONE,
		.expires = new->expires,
		.ephemeral = row->ephemeral,
		.config = config,
		.devices = row->devices,
		.profiles = row->profiles,
	};
	scoped_free char *member = state_member_name(inst->state);
	struct creating creating = { &inst->row->row, &snapshot, &storage, member };
	r = FAILPOINT("snapshot.made", NULL, "When an instance's snapshot has its files and no row",
	              err);
	if (r == 0)
		r = db_write(inst->state->db, create_rows, &creating, err);
	if (r < 0) {
		undo_disks(inst, &storage, new->name, attached);
		return r;
	}

	event(inst, op, "instance-snapshot-created", new->name);
	return 0;
}

int instance_snapshot_create(struct state *state, const char *project, const char *name,
                             const struct instance_snapshot_new *new, struct operation *op,
                             struct error **err)
{
	scoped(locked_done) struct locked locked = { 0 };

	int r = lock_instance(state, project, name, op, &locked, err);
	return r < 0 ? r : instance_snapshot_create_locked(locked.inst, new, op, err);
}

struct restoring {
	struct db_instance row;
	char *profile_project;
};

static int write_restored(struct db_tx *tx, void *arg, struct error **err)
{
	const struct restoring *restoring = arg;

	return db_instance_update(tx, &restoring->row, restoring->profile_project, err);
}

/* The instance may have moved to another pool since; its disk is in that one. */
static void keep_pool(const struct instance *inst, struct db_instance *row)
{
	const struct db_device *now = instance_root_disk(&inst->row->devices);
	const struct db_device *restored = instance_root_disk(&row->devices);

	if (!now)
		return;
	if (restored)
		smap_set(&db_device_add(&row->devices, restored->name)->config, "pool",
		         smap_get(&now->config, "pool"));
	else if (instance_root_disk(&inst->row->row.devices))
		smap_copy(&db_device_add(&row->devices, now->name)->config, &now->config);
}

/* What is not of the disk stays: who it is, where it was evacuated from, whether it ran. */
static void restored_row(const struct instance *inst, const struct db_instance_snapshot *snapshot,
                         struct db_instance *ret_row)
{
	static const char *const stay[] = { "volatile.uuid", "volatile.last_state.power",
		                            "volatile.evacuate.origin", "volatile.cluster.group" };
	struct db_instance *row = ret_row;
	char uuid[UUID_SIZE];

	instance_update_copy_row(&inst->row->row, row);
	smap_copy(&row->config, &snapshot->config);
	for (size_t i = 0; i < COUNT_OF(stay); i++) {
		const char *value = smap_get(&inst->row->row.config, stay[i]);

		if (value)
			smap_set(&row->config, stay[i], value);
		else
			smap_unset(&row->config, stay[i]);
	}
	uuid_make(uuid);
	smap_set(&row->config, "volatile.uuid.generation", uuid);
	smap_unset(&row->config, "volatile.idmap.current");
	smap_unset(&row->config, "volatile.attached_volumes");
	db_device_list_done(&row->devices);
	row->devices = (struct db_devices){ 0 };
	db_device_copy(&row->devices, &snapshot->devices);
	keep_pool(inst, row);
	strv_free(row->profiles);
	row->profiles = strv_copy(snapshot->profiles);
	row->ephemeral = snapshot->ephemeral;
	free(row->architecture);
	row->architecture = xstrdup(snapshot->architecture);
}

static int restore_stopped(const struct instance *inst, struct operation *op,
                           const struct storage_instance *storage,
                           const struct db_instance_snapshot *snapshot, struct error **err)
{
	struct restoring restoring = { 0 };
	const char *profile_project = NULL;

	int r = project_effective(inst->view, inst->row->row.project, PROJECT_PROFILES,
	                          &profile_project, err);
	if (r < 0)
		return r;
	STRV_FOREACH (profile, snapshot->profiles)
		if (!db_cache_profile(inst->view, profile_project, profile))
			return error_set(err, 400,
			                 "Cannot restore: profile \"%s\" does not exist any more",
			                 profile);

	r = storage_instance_snapshot_restore(inst->state, op, storage, snapshot->name, err);
	if (r < 0)
		return r;

	restored_row(inst, snapshot, &restoring.row);
	restoring.profile_project = xstrdup(profile_project);
	r = db_write(inst->state->db, write_restored, &restoring, err);
	db_instance_done(&restoring.row);
	free(restoring.profile_project);
	return r;
}

int instance_snapshot_restore(struct state *state, const char *project, const char *name,
                              const char *snapshot, bool with_volumes, struct operation *op,
                              struct error **err)
{
	scoped(locked_done) struct locked locked = { 0 };

	int r = lock_instance(state, project, name, op, &locked, err);
	if (r < 0)
		return r;
	const struct instance *inst = locked.inst;

	const struct db_instance_snapshot *row = instance_snapshot_find(inst, snapshot, err);
	if (!row)
		return -ENOENT;

	r = instance_moving_query(inst, err);
	if (r == 0 && with_volumes)
		r = instance_volumes_check(inst, row, err);
	if (r < 0)
		return r;

	bool was_running = instance_is_running(inst);
	if (was_running) {
		r = instance_power_stop(inst, op, 0, true, true, err);
		if (r < 0)
			return r;
	}

	scoped(error_freep) struct error *failed = NULL;
	r = with_volumes ? instance_volumes_restore(inst, op, row, &failed) : 0;
	if (r == 0)
		r = restore_stopped(inst, op, &locked.storage, row, &failed);
	if (r == 0)
		instance_event(inst, op, "instance-restored");

	scoped(instance_freep) struct instance *fresh = NULL;
	int started = was_running ? instance_load(state, project, name, &fresh, err) : 0;
	if (was_running && started == 0)
		started = instance_power_start(fresh, op, err);
	if (r < 0) {
		error_clear(err);
		return error_move(err, &failed);
	}
	return started;
}

struct change {
	int64_t id;
	const char *text; /* New name or description. */
	int64_t expires;
	const struct storage_instance *storage; /* With the next two for what the volume has too. */
	const char *member, *snapshot;
};

static int rename_rows(struct db_tx *tx, void *arg, struct error **err)
{
	const struct change *c = arg;
	int r = storage_instance_snapshot_rename_row(tx, c->member, c->storage, c->snapshot,
	                                             c->text, err);

	return r < 0 ? r : db_instance_snapshot_rename(tx, c->id, c->text, err);
}

static int delete_rows(struct db_tx *tx, void *arg, struct error **err)
{
	const struct change *c = arg;
	int r = storage_instance_snapshot_delete_row(tx, c->member, c->storage, c->snapshot, err);

	return r < 0 ? r : db_instance_snapshot_delete(tx, c->id, err);
}

static int update_row(struct db_tx *tx, void *arg, struct error **err)
{
	const struct change *change = arg;

	return db_instance_snapshot_update(tx, change->id, change->text, change->expires, err);
}

int instance_snapshot_rename(struct state *state, const char *project, const char *name,
                             const char *snapshot, const char *new_name, struct operation *op,
                             struct error **err)
{
	scoped(locked_done) struct locked locked = { 0 };

	int r = lock_instance(state, project, name, op, &locked, err);
	if (r < 0)
		return r;
	const struct instance *inst = locked.inst;

	const struct db_instance_snapshot *row = instance_snapshot_find(inst, snapshot, err);
	if (!row)
		return -ENOENT;
	if (find(inst, new_name))
		return error_set(err, 409, "Name \"%s\" already in use", new_name);

	scoped_free char *member = state_member_name(state);
	struct change change = {
		.id = row->id,
		.text = new_name,
		.storage = &locked.storage,
		.member = member,
		.snapshot = snapshot,
	};
	r = storage_instance_snapshot_rename(state, op, &locked.storage, snapshot, new_name, err);
	if (r < 0)
		return r;
	r = db_write(state->db, rename_rows, &change, err);
	if (r < 0) {
		scoped(error_freep) struct error *undo = NULL;

		if (storage_instance_snapshot_rename(state, NULL, &locked.storage, new_name,
		                                     snapshot, &undo) < 0)
			log_warn("Failed renaming a snapshot of \"%s\" back: %s", name, undo->msg);
		return r;
	}
	event(inst, op, "instance-snapshot-renamed", new_name);
	return 0;
}

int instance_snapshot_delete_locked(const struct instance *inst, const char *snapshot,
                                    bool with_volumes, struct operation *op, struct error **err)
{
	const struct db_instance_snapshot *row = instance_snapshot_find(inst, snapshot, err);
	struct storage_instance storage;

	if (!row)
		return -ENOENT;

	scoped_free char *member = state_member_name(inst->state);
	struct change change = {
		.id = row->id,
		.storage = &storage,
		.member = member,
		.snapshot = snapshot,
	};
	int r = instance_storage(inst, &storage, err);
	if (r == 0 && with_volumes)
		r = instance_volumes_delete(inst, op, row, err);
	if (r == 0)
		r = storage_instance_snapshot_delete(inst->state, op, &storage, snapshot, err);
	if (r == 0)
		r = db_write(inst->state->db, delete_rows, &change, err);
	if (r == 0)
		event(inst, op, "instance-snapshot-deleted", snapshot);

	return r;
}

int instance_snapshot_delete(struct state *state, const char *project, const char *name,
                             const char *snapshot, bool with_volumes, struct operation *op,
                             struct error **err)
{
	scoped(locked_done) struct locked locked = { 0 };

	int r = lock_instance(state, project, name, op, &locked, err);
	return r < 0 ? r
	             : instance_snapshot_delete_locked(locked.inst, snapshot, with_volumes, op,
	                                               err);
}

int instance_snapshot_update(struct state *state, const char *project, const char *name,
                             const struct instance_snapshot_change *new, struct operation *op,
                             struct error **err)
{
	scoped(locked_done) struct locked locked = { 0 };

	int r = lock_instance(state, project, name, op, &locked, err);
	if (r < 0)
		return r;
	const struct instance *inst = locked.inst;

	const struct db_instance_snapshot *row = instance_snapshot_find(inst, new->snapshot, err);
	if (!row)
		return -ENOENT;

	struct change change = {
		.id = row->id,
		.text = new->description ? new->description : row->description,
		.expires = new->expires,
	};
	r = db_write(state->db, update_row, &change, err);
	if (r == 0)
		event(inst, op, "instance-snapshot-updated", new->snapshot);

	return r;
}
