#include "drivers/storage/storage_layout.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/alloc.h"
#include "lib/base/enum.h"
#include "lib/base/file.h"
#include "lib/base/macro.h"
#include "lib/base/path.h"
#include "lib/base/random.h"
#include "lib/base/str.h"
#include "lib/linux/filesystem.h"

#define NAME_MAX_LEN 255
#define TEMPORARY_PREFIX ".new-"
#define TEMPORARY_BYTES 4

struct folder {
	const char *volumes, *snapshots;
	mode_t mode;          /* Of the folders. */
	mode_t snapshot_mode; /* Of the folder of snapshots. */
	mode_t volume_mode;   /* Of a volume's own directory. */
};

/* clang-format off */
static const char *const kinds[] = {
	[STORAGE_CONTAINER] = "container",
	[STORAGE_VM]        = "virtual-machine",
	[STORAGE_CUSTOM]    = "custom",
	[STORAGE_IMAGE]     = "image",
};

static const char *const contents[] = {
	[STORAGE_FILESYSTEM] = "filesystem",
	[STORAGE_BLOCK]      = "block",
	[STORAGE_ISO]        = "iso",
};

/*
 * Containers' root must get through to its rootfs, so those folders let others pass; what an
 * unprivileged user of the host must not reach (setuid files of guests) lies behind 0700 and 0100.
 */
static const struct folder folders[] = {
	[STORAGE_CONTAINER] = { "containers",       "containers-snapshots",       0711, 0700, 0100 },
	[STORAGE_VM]        = { "virtual-machines", "virtual-machines-snapshots", 0700, 0700, 0100 },
	[STORAGE_CUSTOM]    = { "custom",           "custom-snapshots",           0700, 0700, 0711 },
	[STORAGE_IMAGE]     = { "images",           NULL,                         0700, 0700, 0700 },
};
/* clang-format on */

ENUM_IS_COMPLETE(kinds, STORAGE_KIND_COUNT);
ENUM_IS_COMPLETE(contents, STORAGE_CONTENT_COUNT);
ENUM_IS_COMPLETE(folders, STORAGE_KIND_COUNT);

const char *storage_layout_kind_name(enum storage_kind kind)
{
	return kinds[kind];
}

bool storage_layout_parse_kind(const char *name, enum storage_kind *ret_kind)
{
	int value = ENUM_VALUE(kinds, name);

	if (value < 0)
		return false;
	*ret_kind = (enum storage_kind)value;
	return true;
}

const char *storage_layout_content_name(enum storage_content content)
{
	return contents[content];
}

bool storage_layout_parse_content(const char *name, enum storage_content *ret_content)
{
	int value = ENUM_VALUE(contents, name);

	if (value < 0)
		return false;
	*ret_content = (enum storage_content)value;
	return true;
}

const char *storage_layout_folder(enum storage_kind kind, bool snapshots)
{
	return snapshots ? folders[kind].snapshots : folders[kind].volumes;
}

mode_t storage_layout_folder_mode(enum storage_kind kind, bool snapshots)
{
	return snapshots ? folders[kind].snapshot_mode : folders[kind].mode;
}

mode_t storage_layout_volume_mode(enum storage_kind kind)
{
	return folders[kind].volume_mode;
}

char *storage_layout_disk_name(enum storage_kind kind, const char *project, const char *name)
{
	if (kind == STORAGE_IMAGE)
		return xstrdup(name);
	if (kind != STORAGE_CUSTOM && strcmp(project, "default") == 0)
		return xstrdup(name);
	return xasprintf("%s_%s", project, name);
}

char *storage_layout_temporary_name(void)
{
	scoped_free char *suffix = random_hex(TEMPORARY_BYTES);

	return xasprintf(TEMPORARY_PREFIX "%s", suffix);
}

bool storage_layout_is_temporary_name(const char *name)
{
	const char *suffix = str_after(name, TEMPORARY_PREFIX);

	/* Volumes of a project that is called ".new" have more after an underscore. */
	return suffix && strlen(suffix) == (size_t)2 * TEMPORARY_BYTES &&
	       str_is_made_of(suffix, "0123456789abcdef");
}

char *storage_layout_pool_path(const char *var_dir, const char *pool)
{
	return xasprintf("%s/storage-pools/%s", var_dir, pool);
}

char *storage_layout_volume_path(const char *pool_path, enum storage_kind kind,
                                 const char *disk_name, const char *snapshot)
{
	if (!snapshot)
		return xasprintf("%s/%s/%s", pool_path, folders[kind].volumes, disk_name);

	assert(folders[kind].snapshots);
	return xasprintf("%s/%s/%s/%s", pool_path, folders[kind].snapshots, disk_name, snapshot);
}

char *storage_layout_snapshots_path(const char *pool_path, enum storage_kind kind,
                                    const char *disk_name)
{
	assert(folders[kind].snapshots);
	return xasprintf("%s/%s/%s", pool_path, folders[kind].snapshots, disk_name);
}

int storage_layout_check_name(const char *what, const char *name, struct error **err)
{
	if (*name == '\0')
		return error_set(err, 400, "Invalid %s \"%s\": Cannot be empty", what, name);
	if (strchr(name, '/'))
		return error_set(err, 400, "Invalid %s \"%s\": Cannot contain slashes", what, name);
	if (strchr(name, ' '))
		return error_set(err, 400, "Invalid %s \"%s\": Cannot contain spaces", what, name);
	if (strlen(name) > NAME_MAX_LEN)
		return error_set(err, 400, "Invalid %s: Cannot be longer than %d bytes", what,
		                 NAME_MAX_LEN);
	if (!path_is_name(name) || name[0] == '-')
		return error_set(err, 400, "Invalid %s \"%s\": Not a name", what, name);
	if (!str_is_utf8(name, strlen(name)))
		return error_set(err, 400, "Invalid %s: Not UTF-8", what);

	for (const unsigned char *c = (const unsigned char *)name; *c; c++)
		if (*c < ' ' || *c == 0x7f || strchr("\\?&+%\"'*", *c))
			return error_set(err, 400, "Invalid %s \"%s\": Forbidden character", what,
			                 name);
	return 0;
}

static int make_folder(int pool, const char *name, mode_t mode, struct error **err)
{
	if (mkdirat(pool, name, mode) < 0 && errno != EEXIST)
		return error_set_errno(err, -errno, "Failed creating directory \"%s\"", name);

	scoped_fd int fd = openat(pool, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return error_set_errno(err, -errno, "Failed opening directory \"%s\"", name);
	/* Not mkdir's: that one is cut by the umask, and folders of an older layout were wider. */
	if (fchmod(fd, mode) < 0)
		return error_set_errno(err, -errno, "Failed setting mode of \"%s\"", name);
	filesystem_spread(fd);
	return 0;
}

int storage_layout_make_folders(const char *pool_path, struct error **err)
{
	scoped_fd int pool = open(pool_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (pool < 0)
		return error_set_errno(err, -errno, "Failed opening \"%s\"", pool_path);

	for (int kind = 0; kind < STORAGE_KIND_COUNT; kind++) {
		const struct folder *f = &folders[kind];

		int r = make_folder(pool, f->volumes, f->mode, err);
		if (r == 0 && f->snapshots)
			r = make_folder(pool, f->snapshots, f->snapshot_mode, err);
		if (r < 0)
			return r;
	}
	return 0;
}
