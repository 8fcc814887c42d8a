#include "daemon/helper/helper.h"

#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#include "drivers/storage/storage_rsync.h"
#include "drivers/storage/unpack_helper.h"
#include "lib/base/macro.h"
#include "lib/base/str.h"

/* clang-format off */
const struct helper helpers[] = {
	/* name          run                    arguments */
	{ "forkrsync",   storage_rsync_helper,  "HOST rsync --server ...; hands its pipes to the daemon at descriptor 3" },
	{ "forkunpack",  unpack_helper,         "FORM MAX_BYTES MAX_INODES; from descriptor 3 into the directory 4" },
	{ NULL,          NULL,                  NULL },
};
/* clang-format on */

const struct helper *helper_find(const char *name)
{
	for (const struct helper *h = helpers; h->name; h++) {
		if (str_equals(h->name, name))
			return h;
	}

	return NULL;
}

int helper_main(int argc, char **argv)
{
	const struct helper *h = argc > 1 ? helper_find(argv[1]) : NULL;
	if (!h)
		return -1;

	umask(022);
	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	return h->run(argc - 1, argv + 1);
}
