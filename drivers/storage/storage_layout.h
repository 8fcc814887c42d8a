/*
 * Names, kinds and paths of volumes: the same on disk as LXD's, so that a pool can be looked at
 * with the same eyes.
 *
 *	$MUSTER_DIR/storage-pools/POOL/            0711, where the pool is mounted
 *		containers/NAME/                   0711/0100: rootfs/, templates/ and two files
 *		containers-snapshots/NAME/SNAP/    0711
 *		virtual-machines/NAME/             0700
 *		virtual-machines-snapshots/NAME/SNAP/
 *		custom/PROJECT_NAME/               0700/0711
 *		custom-snapshots/PROJECT_NAME/SNAP/
 *		images/FINGERPRINT/                0700
 *
 * Names of instances carry their project except in "default" ("c1", "web_c1"); names of custom
 * volumes always do ("default_data"); images have none. A project's name has no underscore at a
 * place that would make this ambiguous, since names of instances and projects are validated above.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "lib/base/error.h"

enum storage_kind {
	STORAGE_CONTAINER,
	STORAGE_VM,
	STORAGE_CUSTOM,
	STORAGE_IMAGE,
	STORAGE_KIND_COUNT,
};

enum storage_content {
	STORAGE_FILESYSTEM,
	STORAGE_BLOCK, /* One file root.img in the volume's directory, unless the driver has
	                  devices. */
	STORAGE_ISO,   /* The same, read-only: root.iso. */
	STORAGE_CONTENT_COUNT,
};

/* "container", "virtual-machine", "custom", "image": as in the API. */
const char *storage_layout_kind_name(enum storage_kind kind);
bool storage_layout_parse_kind(const char *name, enum storage_kind *ret_kind);

/* "filesystem", "block", "iso". */
const char *storage_layout_content_name(enum storage_content content);
bool storage_layout_parse_content(const char *name, enum storage_content *ret_content);

/* "containers", "custom-snapshots": the folder of a pool in which volumes of this kind are. */
const char *storage_layout_folder(enum storage_kind kind, bool snapshots);

/* The mode of that folder. */
mode_t storage_layout_folder_mode(enum storage_kind kind, bool snapshots);

/* The mode of a volume's own directory. */
mode_t storage_layout_volume_mode(enum storage_kind kind);

/* The name on disk of a volume called 'name' in 'project'; owned by the caller. */
char *storage_layout_disk_name(enum storage_kind kind, const char *project, const char *name);

/*
 * A name that no volume has, for what is to take the place of one or is not complete yet; owned by
 * the caller. What a crash left under such a name is removed when the pool is opened.
 */
char *storage_layout_temporary_name(void);
bool storage_layout_is_temporary_name(const char *name);

/* $MUSTER_DIR/storage-pools/POOL; owned by the caller, as the next. */
char *storage_layout_pool_path(const char *var_dir, const char *pool);

/*
 * The path of a volume below 'pool_path', or of its snapshot if 'snapshot' is not NULL.
 */
char *storage_layout_volume_path(const char *pool_path, enum storage_kind kind,
                                 const char *disk_name, const char *snapshot);

/* The directory that holds the snapshots of a volume. */
char *storage_layout_snapshots_path(const char *pool_path, enum storage_kind kind,
                                    const char *disk_name);

/*
 * Checks the name of a pool, of a custom volume or of a snapshot: fails with a 400 for what cannot
 * be one component of a path and a URL. 'what' begins the sentence: "Invalid volume name \"a/b\":
 * Cannot contain slashes".
 */
int storage_layout_check_name(const char *what, const char *name, struct error **err);

/*
 * Makes all folders of a pool below 'pool_path' that are missing, with their modes, and corrects
 * the modes of those that exist.
 */
int storage_layout_make_folders(const char *pool_path, struct error **err);
