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
#define METADATA_OUTPUT_MAX (2 * 1024 * 1024)

static const char *const forms[] = { [UNPACK_IMAGE] = "image", [UNPACK_TREE] = "tree" };
ENUM_IS_COMPLETE(forms, UNPACK_N_FORMS);

/* Turns what the helper wrote ("STATUS SENTENCE") into an error. */
static int failed(const struct command *c, struct op *op, struct error **err)
{
	int status = 0, at = 0;

	if (op_check(op, err) < 0)
		return (*err)->code;
	if (!c->errors || sscanf(c->errors, "%3d %n", &status, &at) != 1 || at == 0 ||
	    status < 400 || status > 599)
		return error_set(err, 500, "Failed unpacking: helper ended with status %d",
		                 c->status);

	scoped_free char *sentence = str_chomp(c->errors + at);
	return error_set(err, status, "%s", sentence);
}

static int run(const struct host *host, const char *mode, const int *fds, size_t n_fds,
               const struct unpack *limits, struct op *op, char **ret_output, struct error **err)
{
	scoped_free char *max_bytes = xasprintf("%" PRIu64, limits->max_bytes);
	scoped_free char *max_inodes = xasprintf(
		"%" PRIu64, limits->max_inodes > 0 ? limits->max_inodes : DEFAULT_MAX_INODES);
	const char *argv[] = {
		host->helper_program, "forkunpack", mode, max_bytes, max_inodes, NULL
	};
	scoped(command_done) struct command c = {
		.argv = argv,
		.fds = fds,
		.n_fds = n_fds,
		.max_output = METADATA_OUTPUT_MAX,
		.cancel = op_cancel(op),
	};

	int r = command_run(&c);
	if (r < 0 && op_check(op, err) < 0)
		return (*err)->code;
	if (r < 0)
		return error_set_errno(err, r, "Failed starting \"%s\"", host->helper_program);
	if (c.status != 0)
		return failed(&c, op, err);
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

	const int fds[] = { unpack->fd, dir };
	if (run(host, forms[unpack->form], fds, COUNT_OF(fds), unpack, op, NULL, err) < 0)
		return error_wrap(err, "Failed unpacking %s",
		                  unpack->what ? unpack->what : "archive");
	return 0;
}

int unpack_metadata(const struct host *host, int fd, bool needs_rootfs, struct op *op,
                    char **ret_text, struct error **err)
{
	const struct unpack limits = { 0 };

	return run(host, needs_rootfs ? "rootfs-metadata" : "metadata", &fd, 1, &limits, op,
	           ret_text, err);
}
