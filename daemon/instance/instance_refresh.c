#include "daemon/instance/instance_refresh.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/core/locks.h"
#include "daemon/core/operation.h"
#include "daemon/core/request.h"
#include "daemon/core/state.h"
#include "daemon/instance/instance_moving.h"
#include "daemon/instance/instance_send.h"
#include "daemon/instance/instance_snapshot.h"
#include "daemon/instance/instance_volatile.h"
#include "daemon/storage/storage_instance.h"
#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/data/jv.h"

#define IDMAP "volatile.last_state.idmap"

int instance_refresh_parse(struct request *req, struct json_object *body,
                           struct instance **ret_inst, struct instance_filling *ret_filling,
                           struct error **err)
{
	struct json_object *source = NULL;
	const char *name = "", *from = "", *project = "", *type = "";
	bool is_refresh = false, is_alone = false;
	scoped(instance_freep) struct instance *inst = NULL;
	scoped(instance_freep) struct instance *other = NULL;
	scoped(error_freep) struct error *missing = NULL;

	if (jv_get_string(body, "name", &name, err) < 0 ||
	    jv_get_object(body, "source", &source, err) < 0 ||
	    (source && (jv_get_bool(source, "refresh", &is_refresh, err) < 0 ||
	                jv_get_string(source, "type", &type, err) < 0 ||
	                jv_get_string(source, "source", &from, err) < 0 ||
	                jv_get_string(source, "project", &project, err) < 0 ||
	                jv_get_bool(source, "instance_only", &is_alone, err) < 0 ||
	                (!is_alone && jv_get_bool(source, "container_only", &is_alone, err) < 0))))
		return (*err)->code;
	if (!is_refresh || strcmp(type, "copy") != 0 || !*name ||
	    instance_load(req->state, req->project, name, &inst, &missing) < 0)
		return 0;

	if (!*project)
		project = req->project;
	if (strchr(from, '/'))
		return error_set(err, 400,
		                 "A copy is refreshed from an instance, not from a snapshot");
	if (strcmp(from, name) == 0 && strcmp(project, req->project) == 0)
		return error_set(err, 400, "An instance is no copy of itself");
	int r = request_authorize(req, "instance", "can_view", project, err);
	if (r == 0)
		r = request_authorize(req, "instance", "can_edit", req->project, err);
	if (r == 0)
		r = instance_load(req->state, project, from, &other, err);
	if (r < 0)
		return r;
	if (other->row->row.type != inst->row->row.type)
		return error_set(err, 400, "Instances are of different types");
	if (instance_is_running(inst))
		return error_set(err, 400, "Cannot refresh a running instance");

	*ret_filling = (struct instance_filling){
		.source = INSTANCE_FROM_COPY,
		.project = xstrdup(project),
		.name = xstrdup(from),
		.instance_only = is_alone,
		.is_refresh = true,
		.id = inst->row->row.id,
	};
	*ret_inst = TAKE_PTR(inst);
	return 1;
}

/* The copy and the source, both locked. */
struct pair {
	struct state *state;
	struct operation *op;
	struct lock *lock, *source_lock;
	struct instance *inst, *source;
	bool has_snapshots; /* That go along. */
};

static void pair_done(struct pair *p)
{
	instance_free(p->inst);
	instance_free(p->source);
	locks_release(p->lock);
	locks_release(p->source_lock);
}

/* By name, as locks of one kind are taken. */
static int lock_pair(struct pair *p, const char *project, const char *name,
                     const struct instance_filling *filling, struct error **err)
{
	scoped_free char *key = xasprintf("%s/%s", project, name);
	scoped_free char *source_key = xasprintf("%s/%s", filling->project, filling->name);
	struct cancel *cancel = operation_cancel_token(p->op);
	bool is_source_first = strcmp(source_key, key) < 0;

	int r = is_source_first ? locks_take_shared(p->state->locks, LOCK_INSTANCE, source_key,
	                                            cancel, &p->source_lock, err)
	                        : 0;
	if (r == 0)
		r = instance_lock(p->state, project, name, cancel, &p->lock, &p->inst, err);
	if (r == 0 && !is_source_first)
		r = locks_take_shared(p->state->locks, LOCK_INSTANCE, source_key, cancel,
		                      &p->source_lock, err);
	if (r == 0)
		r = instance_load(p->state, filling->project, filling->name, &p->source, err);
	if (r == 0 && instance_is_running(p->inst))
		r = error_set(err, 400, "Cannot refresh a running instance");
	return r;
}

static const struct db_instance_snapshot *rows_of(const struct instance *inst, size_t *ret_n)
{
	return db_cache_snapshots_of(inst->view, inst->row->row.id, ret_n);
}

/* Whether there is one of that name, and of that time if 'is_same'. */
static bool has(const struct instance *inst, const struct db_instance_snapshot *row, bool is_same)
{
	size_t n = 0;
	const struct db_instance_snapshot *rows = rows_of(inst, &n);

	for (size_t i = 0; i < n; i++)
		if (strcmp(rows[i].name, row->name) == 0 &&
		    (!is_same || rows[i].created == row->created))
			return true;
	return false;
}

static int delete_stale(struct pair *p, struct error **err)
{
	size_t n = 0;
	const struct db_instance_snapshot *rows = rows_of(p->inst, &n);

	for (size_t i = 0; i < n; i++) {
		if (has(p->source, &rows[i], true))
			continue;
		int r = instance_snapshot_delete_locked(p->inst, rows[i].name, false, p->op, err);
		if (r < 0)
			return r;
	}
	return instance_reload(&p->inst, err);
}

/* Names of those that the copy lacks, oldest first, borrowed; a vector for the caller to free. */
static const char **missing_names(const struct pair *p)
{
	size_t n = 0, n_names = 0;
	const struct db_instance_snapshot *rows = rows_of(p->source, &n);
	const char **names = xcalloc(n + 1, sizeof(*names));

	for (size_t i = 0; i < n && p->has_snapshots; i++)
		if (!has(p->inst, &rows[i], false))
			names[n_names++] = rows[i].name;
	return names;
}

static int write_rows(struct db_tx *tx, void *arg, struct error **err)
{
	const struct pair *p = arg;
	scoped(smap_done) struct smap changes = { 0 };
	size_t n = 0;
	const struct db_instance_snapshot *rows = rows_of(p->source, &n);

	int r = instance_moving_check(tx, &p->inst->row->row, err);
	for (size_t i = 0; r == 0 && i < n && p->has_snapshots; i++)
		if (!has(p->inst, &rows[i], false))
			r = instance_snapshot_copy_row(tx, p->inst, &rows[i], err);
	if (r < 0)
		return r;
	/* Owners on disk are the source's by now. */
	smap_set(&changes, IDMAP, smap_get_or(&p->source->row->row.config, IDMAP, "[]"));
	return db_instance_patch_config(tx, p->inst->row->row.id, &changes, err);
}

static int copy_disk(struct pair *p, const char *const *names, struct error **err)
{
	const struct db_instance *row = &p->source->row->row;
	scoped_free char *here = state_member_name(p->state);
	struct storage_instance from, to;
	unsigned long long bytes = 0;
	const struct instance_send send = {
		.project = row->project,
		.instance = row->name,
		.is_last = true,
		.is_refresh = true,
		.is_alone = !p->has_snapshots,
	};

	int r = instance_storage(p->inst, &to, err);
	if (r == 0)
		r = instance_storage(p->source, &from, err);
	if (r < 0)
		return r;
	if (strcmp(row->member, here) == 0)
		return storage_instance_refresh(p->state, p->op, &to, &from, names, err);

	r = instance_send_receive(p->state, p->op, row->member, &send, &to, &bytes, err);
	return r < 0 ? r : storage_instance_adopt_snapshots(p->state, &to, names, err);
}

int instance_refresh(struct state *state, const char *project, const char *name,
                     const struct instance_filling *filling, struct operation *op,
                     struct error **err)
{
	scoped(pair_done) struct pair p = {
		.state = state,
		.op = op,
		.has_snapshots = !filling->instance_only,
	};

	int r = lock_pair(&p, project, name, filling, err);
	/* Asked again with the rows. */
	if (r == 0)
		r = instance_moving_query(p.inst, err);
	if (r == 0 && p.has_snapshots)
		r = delete_stale(&p, err);
	if (r < 0)
		return r;

	scoped_free const char **names = missing_names(&p);
	r = copy_disk(&p, names, err);
	if (r == 0)
		r = db_write(state->db, write_rows, &p, err);
	if (r == 0)
		instance_event(p.inst, op, "instance-updated");
	return r;
}
