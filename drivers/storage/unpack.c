#include "drivers/storage/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "drivers/host/host.h"
#include "drivers/host/op.h"
#include "lib/base/alloc.h"
#include "lib/base/command.h"
#include "lib/base/enum.h"
#include "lib/base/macro.h"
#include "lib/base/parse.h"
#include "lib/base/str.h"

#define DEFAULT_MAX_INODES (UINT64_C(10) * 1000 * 1000)
#define METADATA_OUTPUT_MAX ((size_t)2 * 1024 * 1024)

static const char *const forms[] = { [UNPACK_IMAGE] = "image", [UNPACK_TREE] = "tree" };
ENUM_IS_COMPLETE(forms, UNPACK_N_FORMS);

/* One run of the helper. */
struct run {
	const struct host *host;
	const char *mode;
	int fds[2]; /* The archive, and the target unless it is -1. */
	uint64_t max_bytes, max_inodes;
	struct op *op;
};

/* Turns what the helper wrote ("STATUS SENTENCE") into an error. */
static int failed(const struct command *c, struct op *op, struct error **err)
{
	scoped_free char *number = c->errors ? xasprintf("%.3s", c->errors) : NULL;
	int status = 0;

	if (op_check(op, err) < 0)
		return (*err)->code;
	if (!number || parse_int(number, &status) < 0 || status < 400 || status > 599 ||
	    c->errors_size < 5 || c->errors[3] != ' ')
		return error_set(err, 500, "Failed unpacking: helper ended with status %d",
		                 c->status);

	scoped_free char *sentence = str_chomp(c->errors + 4);
	return error_set(err, status, "%s", sentence);
}

static int run_helper(const struct run *run, char **ret_output, struct error **err)
{
	scoped_free char *max_bytes = xasprintf("%" PRIu64, run->max_bytes);
	scoped_free char *max_inodes =
		xasprintf("%" PRIu64, run->max_inodes > 0 ? run->max_inodes : DEFAULT_MAX_INODES);
	const char *argv[] = {
		run->host->helper_program, "forkunpack", run->mode, max_bytes, max_inodes, NULL
	};
	scoped(command_done) struct command c = {
		.argv = argv,
		.fds = run->fds,
		.n_fds = run->fds[1] >= 0 ? 2 : 1,
		.max_output = METADATA_OUTPUT_MAX,
		.cancel = op_cancel(run->op),
	};

	int r = command_run(&c);
	if (r < 0 && op_check(run->op, err) < 0)
		return (*err)->code;
	if (r < 0)
		return error_set_errno(err, r, "Failed starting \"%s\"", run->host->helper_program);
	if (c.status != 0)
		return failed(&c, run->op, err);
	if (ret_output)
		*ret_output = c.output ? TAKE_PTR(c.output) : xstrdup("");
	return 0;
}

int unpack_archive(const struct host *host, const struct unpack *unpack, struct op *op,
                   struct error **err)
{
	scoped_fd int dir = open(unpack->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return error_set_errno(err, -errno, "Failed opening \"%s\"", unpack->path);

	const struct run run = {
		.host = host,
		.mode = forms[unpack->form],
		.fds = { unpack->fd, dir },
		.max_bytes = unpack->max_bytes,
		.max_inodes = unpack->max_inodes,
		.op = op,
	};
	if (run_helper(&run, NULL, err) < 0)
		return error_wrap(err, "Failed unpacking %s",
		                  unpack->what ? unpack->what : "archive");
	return 0;
}

int unpack_metadata(const struct host *host, int fd, bool needs_rootfs, struct op *op,
                    char **ret_text, struct error **err)
{
	const struct run run = {
		.host = host,
		.mode = needs_rootfs ? "rootfs-metadata" : "metadata",
		.fds = { fd, -1 },
		.op = op,
	};

	return run_helper(&run, ret_text, err);
}
