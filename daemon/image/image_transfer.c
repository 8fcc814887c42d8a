#include "daemon/image/image_transfer.h"

#include <errno.h>
#include <fcntl.h>

#include "daemon/core/dirs.h"
#include "daemon/core/state.h"
#include "lib/base/fd.h"
#include "lib/net/http_client.h"

static void report(uint64_t sent, uint64_t received, uint64_t total, void *arg)
{
	struct image_transfer *t = arg;

	(void)sent;
	op_report(&t->op, &(struct op_progress){ .stage = "download",
	                                         .what = "image",
	                                         .bytes = t->done + received,
	                                         .total_bytes = total > 0 ? t->done + total : 0 });
}

int image_transfer_get(struct state *state, struct http_client *client,
                       struct image_transfer *transfer, const char *path, int *ret_fd,
                       struct http_response *ret_res, struct error **err)
{
	scoped_fd int fd = open(state->dirs->images, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);

	if (fd < 0)
		return error_set_errno(err, -errno, "Failed creating a file");
	const struct http_request req = {
		.path = path,
		.response_fd = fd,
		.has_response_fd = true,
		.cancel = op_cancel(&transfer->op),
		.progress = report,
		.progress_arg = transfer,
	};
	int r = http_client_do(client, &req, ret_res, err);
	if (r < 0)
		return r;
	*ret_fd = TAKE_FD(fd);
	return 0;
}
