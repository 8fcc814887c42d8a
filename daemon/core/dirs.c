#include "daemon/core/dirs.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "lib/base/alloc.h"
#include "lib/base/file.h"
#include "lib/base/path.h"
#include "lib/base/str.h"
#include "lib/base/tree.h"
#include "lib/linux/filesystem.h"

struct place {
	size_t offset;    /* Of the field in struct dirs. */
	const char *name; /* Below the state directory. */
	mode_t mode;      /* 0: a file, which is not made here. */
};

/* clang-format off */
static const struct place places[] = {
	{ offsetof(struct dirs, unix_socket),   "unix.socket",          0 },
	{ offsetof(struct dirs, server_cert),   "server.crt",           0 },
	{ offsetof(struct dirs, server_key),    "server.key",           0 },
	{ offsetof(struct dirs, cluster_cert),  "cluster.crt",          0 },
	{ offsetof(struct dirs, cluster_key),   "cluster.key",          0 },
	{ offsetof(struct dirs, database),      "database",             0700 },
	{ offsetof(struct dirs, local_db),      "database/local.db",    0 },
	{ offsetof(struct dirs, global_db),     "database/global",      0700 },
	{ offsetof(struct dirs, storage_pools), "storage-pools",        0711 },
	{ offsetof(struct dirs, containers),    "containers",           0711 },
	{ offsetof(struct dirs, snapshots),     "containers-snapshots", 0700 },
	{ offsetof(struct dirs, images),        "images",               0700 },
	{ offsetof(struct dirs, logs),          "logs",                 0700 },
	{ offsetof(struct dirs, run),           "run",                  0711 },
	{ offsetof(struct dirs, devices),       "devices",              0711 },
	{ offsetof(struct dirs, shmounts),      "shmounts",             0711 },
	{ offsetof(struct dirs, backups),       "backups",              0700 },
	{ offsetof(struct dirs, spool),         "spool",                0700 },
};
/* clang-format on */

static char **field(const struct dirs *dirs, const struct place *place)
{
	return (char **)(void *)((char *)dirs + place->offset);
}

struct dirs *dirs_new(void)
{
	struct dirs *dirs = xcalloc(1, sizeof(*dirs));
	const char *root = getenv("MUSTER_DIR");

	if (str_is_empty(root))
		root = getenv("LXD_DIR");
	if (str_is_empty(root))
		root = "/var/lib/muster";

	scoped_free char *here = path_is_absolute(root) ? NULL : realpath(".", NULL);

	dirs->root = here ? path_join(here, root, NULL) : path_clean(root);
	for (size_t i = 0; i < COUNT_OF(places); i++)
		*field(dirs, &places[i]) = path_join(dirs->root, places[i].name, NULL);

	return dirs;
}

static int make(const char *path, mode_t mode, struct error **err)
{
	int r = file_make_dirs(path, mode);
	if (r < 0)
		return error_set_errno(err, r, "Failed creating \"%s\"", path);

	if (chmod(path, mode) < 0)
		return error_set_errno(err, -errno, "Failed changing the mode of \"%s\"", path);

	return 0;
}

int dirs_create(const struct dirs *dirs, struct error **err)
{
	int r = make(dirs->root, 0711, err);
	if (r < 0)
		return r;

	scoped_fd int root = open(dirs->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root >= 0)
		filesystem_spread(root);

	for (size_t i = 0; i < COUNT_OF(places); i++) {
		if (!places[i].mode)
			continue;

		r = make(*field(dirs, &places[i]), places[i].mode, err);
		if (r < 0)
			return r;
	}

	r = tree_remove(dirs->spool, TREE_KEEP_ROOT);
	if (r < 0)
		return error_set_errno(err, r, "Failed emptying \"%s\"", dirs->spool);

	return 0;
}

void dirs_free(struct dirs *dirs)
{
	if (!dirs)
		return;

	for (size_t i = 0; i < COUNT_OF(places); i++)
		free(*field(dirs, &places[i]));
	free(dirs->root);
	free(dirs);
}
