/*
 * Any bytes as names in archives, mountinfo, subuid lines and rsync commands: what comes out keeps
 * the promises that its users rely on.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/storage/storage_rsync.h"
#include "drivers/storage/unpack_tar.h"
#include "lib/base/alloc.h"
#include "lib/base/path.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/linux/idmap.h"
#include "lib/linux/mount.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_name(const char *text)
{
	char path[UNPACK_TAR_PATH_SIZE], again[UNPACK_TAR_PATH_SIZE];

	if (!unpack_tar_path(text, path))
		return;
	if (path_is_absolute(path) || path_has_dotdot(path) || strstr(path, "//"))
		abort();
	if (*path && (!unpack_tar_path(path, again) || strcmp(path, again) != 0))
		abort();
}

static void check_command(const char *text)
{
	scoped(error_freep) struct error *err = NULL;
	scoped(strv_freep) char **words = strv_split(text, ' ');

	if (!words || storage_rsync_check_command((const char *const *)words, &err) < 0)
		return;
	/* The last word is a path, which is replaced before the command is run. */
	for (size_t i = 1; i + 1 < strv_len(words); i++)
		if (strchr(words[i], '/') || str_starts(words[i], "--sender") ||
		    str_starts(words[i], "--daemon") || str_starts(words[i], "--config"))
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	scoped_free char *text = xcalloc(size + 1, 1);
	scoped(mount_table_done) struct mount_table table = { 0 };
	char name[32];
	uint32_t first, count;

	memcpy(text, data, size);
	check_name(text);
	check_command(text);
	(void)!mount_table_parse(text, &table);
	if (idmap_parse_subid_line(text, name, sizeof(name), &first, &count) &&
	    (count == 0 || (uint64_t)first + count > UINT32_MAX))
		abort();
	return 0;
}
