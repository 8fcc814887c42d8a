#include "drivers/instance/ct/ct_files.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/base/bytes.h"
#include "lib/base/fd.h"
#include "lib/linux/idmap.h"

#define OPEN_TIMEOUT_MS 30000

/* A job that is to enter the root; 'stream' goes with it if it is not -1. */
struct entry {
	enum ct_job job;
	int stream;
};

/* Starts the job and waits until it is inside; '*ret_pidfd' is the helper's. */
static int run(struct instance_engine *engine, const struct entry *entry,
               const struct strbuf *payload, int userns, int *ret_socket, int *ret_pidfd,
               struct error **err)
{
	scoped(strbuf_done) struct strbuf reply = { 0 };
	scoped_fd int socket = -1;
	int fds[2];
	size_t n_fds = 0;

	if (entry->stream >= 0)
		fds[n_fds++] = entry->stream;
	if (userns >= 0)
		fds[n_fds++] = userns;
	int r = ct_spawner_run(engine->spawner, entry->job, payload, fds, n_fds, &socket, err);
	if (r == 0)
		r = ct_spawner_reply(socket, OPEN_TIMEOUT_MS, &reply, ret_pidfd, 1, err);
	if (r == 0)
		*ret_socket = TAKE_FD(socket);
	return r;
}

static int enter_stopped(struct instance_engine *engine, const struct instance_spec *spec,
                         const struct entry *entry, bool with_map, int *ret_socket, int *ret_pidfd,
                         struct error **err)
{
	scoped(strbuf_done) struct strbuf payload = { 0 };
	scoped_fd int userns = -1;

	if (with_map) {
		userns = idmap_userns_open(spec->idmap);
		if (userns < 0)
			return error_set_errno(err, userns, "Failed making a user namespace");
	}
	bytes_put_u8(&payload, CT_JOB_ROOT_STOPPED);
	strbuf_add_n(&payload, spec->rootfs_path, strlen(spec->rootfs_path) + 1);
	bytes_put_u8(&payload, with_map && spec->rootfs_shift == ROOTFS_SHIFT_IDMAPPED);
	return run(engine, entry, &payload, userns, ret_socket, ret_pidfd, err);
}

static int enter(struct instance_engine *engine, const struct instance_spec *spec,
                 const struct entry *entry, int *ret_socket, int *ret_pidfd, struct error **err)
{
	scoped(strbuf_done) struct strbuf payload = { 0 };
	struct ct_running running;
	bool with_map = spec->idmap && spec->idmap->n_entries > 0 &&
	                spec->rootfs_shift != ROOTFS_SHIFT_NONE;

	if (ct_engine_get(engine, spec->id, &running)) {
		bytes_put_u8(&payload, CT_JOB_ROOT_RUNNING);
		bytes_put_le32(&payload, (uint32_t)running.init);
		return run(engine, entry, &payload, -1, ret_socket, ret_pidfd, err);
	}

	if (!spec->rootfs_path)
		return error_set(err, 400, "Instance is not running");
	int r = enter_stopped(engine, spec, entry, with_map, ret_socket, ret_pidfd, err);
	/* Files with the ids of the image, on what cannot be mounted with a map: as they are. */
	if (r == -EINVAL && with_map && spec->rootfs_shift == ROOTFS_SHIFT_IDMAPPED) {
		error_clear(err);
		r = enter_stopped(engine, spec, entry, false, ret_socket, ret_pidfd, err);
	}
	return r;
}

int ct_files_open(struct instance_engine *engine, const struct instance_spec *spec,
                  struct instance_files **ret_files, struct error **err)
{
	const struct entry entry = { CT_JOB_FILES, -1 };
	int socket = -1, pidfd = -1;

	int r = enter(engine, spec, &entry, &socket, &pidfd, err);
	if (r == 0)
		*ret_files = instance_files_new(socket, pidfd);
	return r;
}

int ct_files_sftp(struct instance_engine *engine, const struct instance_spec *spec, int *ret_fd,
                  struct error **err)
{
	int pair[2], socket = -1, pidfd = -1;

	int r = fd_socketpair(SOCK_STREAM, pair);
	if (r < 0)
		return error_set_errno(err, r, "Failed making a socket pair");

	scoped_fd int ours = pair[0];
	scoped_fd int theirs = pair[1];
	const struct entry entry = { CT_JOB_SFTP, theirs };
	r = enter(engine, spec, &entry, &socket, &pidfd, err);
	if (r < 0)
		return r;

	/* It ends with its stream. */
	close(socket);
	if (pidfd >= 0)
		close(pidfd);
	*ret_fd = TAKE_FD(ours);
	return 0;
}
