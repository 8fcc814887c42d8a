/*
 * Packets of SFTP in an empty directory: no crash, each answer is one whole packet, and nothing
 * outside is touched.
 *
 * The input is packets, each with a length of two bytes before it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/helper/sftp.h"
#include "lib/base/bytes.h"
#include "lib/base/scoped.h"
#include "lib/base/tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct strbuf *reply)
{
	struct bytes b = { .data = (const uint8_t *)reply->text, .size = reply->size };

	if (bytes_be32(&b) != b.size || b.is_bad)
		abort();
}

static void run(int root, struct bytes in)
{
	struct sftp *sftp = sftp_new(root);
	int r = 0;

	while (r == 0 && in.size > 2) {
		scoped(strbuf_done) struct strbuf reply = { 0 };
		uint16_t n = bytes_be16(&in);
		const uint8_t *packet = bytes_take(&in, n < in.size ? n : in.size);

		r = sftp_handle(sftp, packet, n < in.size ? n : 0, &reply);
		if (r == 0)
			check(&reply);
	}
	sftp_free(sftp);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char path[] = "/tmp/muster-fuzz-sftp-XXXXXX";

	if (!mkdtemp(path))
		return 0;
	scoped_free char *inside = NULL;
	if (asprintf(&inside, "%s/root", path) < 0 || mkdir(inside, 0700) < 0)
		abort();
	scoped_fd int root = open(inside, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	run(root, (struct bytes){ .data = data, .size = size });
	/* Only what was there before is beside the root. */
	if (tree_remove(inside, 0) < 0 || rmdir(path) < 0)
		abort();
	return 0;
}
