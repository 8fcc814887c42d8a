#include "drivers/instance/ct/ct_files.h"

#include <string.h>

#include "lib/base/bytes.h"
#include "lib/linux/idmap.h"

#define OPEN_TIMEOUT_MS 30000

int ct_files_open(struct instance_engine *engine, const struct instance_spec *spec,
                  struct instance_files **ret_files, struct error **err)
{
	scoped(strbuf_done) struct strbuf payload = { 0 }, reply = { 0 };
	scoped_fd int userns = -1;
	scoped_fd int socket = -1;
	struct ct_running running;
	int pidfd;

	if (ct_engine_get(engine, spec->id, &running)) {
		bytes_put_u8(&payload, CT_JOB_ROOT_RUNNING);
		bytes_put_le32(&payload, (uint32_t)running.init);
	} else {
		if (spec->idmap && spec->idmap->n_entries > 0) {
			userns = idmap_userns_open(spec->idmap);
			if (userns < 0)
				return error_set_errno(err, userns,
				                       "Failed making a user namespace");
		}
		bytes_put_u8(&payload, CT_JOB_ROOT_STOPPED);
		strbuf_add_n(&payload, spec->rootfs_path, strlen(spec->rootfs_path) + 1);
		bytes_put_u8(&payload, spec->rootfs_shift == ROOTFS_SHIFT_IDMAPPED);
	}

	int r = ct_spawner_run(engine->spawner, CT_JOB_FILES, &payload, &userns, userns >= 0,
	                       &socket, err);
	if (r == 0)
		r = ct_spawner_reply(socket, OPEN_TIMEOUT_MS, &reply, &pidfd, 1, err);
	if (r < 0)
		return r;

	*ret_files = instance_files_new(TAKE_FD(socket), pidfd);
	return 0;
}
