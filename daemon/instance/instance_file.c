#include "daemon/instance/instance_file.h"

#include <errno.h>
#include <stdlib.h>

#include "daemon/core/locks.h"
#include "daemon/core/state.h"
#include "daemon/instance/instance_spec.h"
#include "lib/base/alloc.h"

struct instance_file {
	struct lock *lock; /* Of a stopped instance. */
	struct instance *inst;
	struct instance_spec_built built;
	bool is_built;
	struct instance_files *session;
};

void instance_file_close(struct instance_file *file)
{
	if (!file)
		return;

	instance_files_free(file->session);
	if (file->is_built)
		instance_spec_done(file->inst, &file->built);
	instance_free(file->inst);
	locks_release(file->lock);
	free(file);
}

/* Loads it, and keeps others from changing it if it does not run. */
static int prepare(struct state *state, const char *project, const char *name,
                   struct cancel *cancel, struct instance_file *file, struct error **err)
{
	scoped_free char *key = xasprintf("%s/%s", project, name);

	int r = instance_load(state, project, name, &file->inst, err);
	if (r < 0)
		return r;
	if (!file->inst->engine)
		return error_set(err, 400, "Instances of this type do not run here");

	if (!instance_is_running(file->inst)) {
		r = locks_take_shared(state->locks, LOCK_INSTANCE, key, cancel, &file->lock, err);
		if (r == 0)
			r = instance_reload(&file->inst, err);
		if (r < 0)
			return r;
	}

	/* It may have been started while we waited for the lock. */
	r = instance_is_running(file->inst)
	            ? instance_spec_init(file->inst, &file->built, err)
	            : instance_spec_mount(file->inst, NULL, &file->built, err);
	file->is_built = r == 0;
	return r;
}

int instance_file_open(struct state *state, const char *project, const char *name,
                       struct cancel *cancel, struct instance_file **ret_file, struct error **err)
{
	scoped(instance_file_closep) struct instance_file *file = xcalloc(1, sizeof(*file));

	int r = prepare(state, project, name, cancel, file, err);
	if (r == 0)
		r = file->inst->driver->files_open(file->inst->engine, &file->built.spec,
		                                   &file->session, err);
	if (r < 0)
		return r;

	*ret_file = TAKE_PTR(file);
	return 0;
}

const struct instance *instance_file_instance(const struct instance_file *file)
{
	return file->inst;
}

struct instance_files *instance_file_session(struct instance_file *file)
{
	return file->session;
}

/* What is there already keeps what it has. */
static struct instance_file_attr attr_of_push(const struct instance_file_push *push, bool exists)
{
	struct instance_file_attr attr = push->attr;

	if (!exists)
		return attr;
	if (!push->sets_mode)
		attr.mode = -1;
	if (!push->sets_uid)
		attr.uid = -1;
	if (!push->sets_gid)
		attr.gid = -1;
	return attr;
}

int instance_file_put(struct instance_file *file, const char *path,
                      const struct instance_file_push *push, struct error **err)
{
	scoped(error_freep) struct error *missing = NULL;
	struct instance_file_info info = { 0 };
	bool exists = instance_files_stat(file->session, path, &info, &missing) == 0;
	const struct instance_file_attr attr = attr_of_push(push, exists);

	if (!exists && missing->status != 404)
		return error_move(err, &missing);

	switch (push->type) {
	case INSTANCE_FILE_REGULAR:
		return instance_files_put(file->session, path, push->fd, &attr, push->how, err);
	case INSTANCE_FILE_DIRECTORY:
		return instance_files_mkdir(file->session, path, &attr, err);
	case INSTANCE_FILE_SYMLINK:
		return instance_files_symlink(file->session, path, push->target, &attr, err);
	case INSTANCE_FILE_OTHER:
		break;
	}

	return error_set(err, 400, "Invalid type of file");
}

int instance_file_sftp(struct state *state, const char *project, const char *name,
                       struct cancel *cancel, int *ret_fd, struct instance_file **ret_file,
                       struct error **err)
{
	scoped(instance_file_closep) struct instance_file *file = xcalloc(1, sizeof(*file));

	int r = prepare(state, project, name, cancel, file, err);
	if (r == 0)
		r = file->inst->driver->sftp(file->inst->engine, &file->built.spec, ret_fd, err);
	if (r < 0)
		return r;

	/* A client that stays for hours may not keep the instance from being started. */
	locks_release(file->lock);
	file->lock = NULL;
	*ret_file = TAKE_PTR(file);
	return 0;
}
