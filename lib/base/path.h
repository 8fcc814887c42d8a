/* Paths as text, and opening what a path names without leaving a directory. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "lib/base/macro.h"

/* The parts with one slash between them, cleaned; the arguments end with NULL. Owned by the caller.
 */
char *path_join(const char *first, ...) SENTINEL MUST_CHECK;

/* Without "//", "." and, where the text allows it, "..". "" becomes ".". Owned by the caller. */
char *path_clean(const char *path) MUST_CHECK;

/* All before the last slash of the cleaned path ("." if there is none), owned by the caller. */
char *path_dir(const char *path) MUST_CHECK;

/* What follows the last slash, borrowed from 'path'. */
const char *path_base(const char *path);

bool path_is_absolute(const char *path);

/* Whether the cleaned 'path' is 'root' or something below it; text only, links are not looked at.
 */
bool path_is_beneath(const char *root, const char *path);

/* Whether 'name' is one component: not empty, no slash, not "." or "..", at most 255 bytes. */
bool path_is_name(const char *name);

/* Whether a part of 'path' is "..". */
bool path_has_dotdot(const char *path);

/*
 * Opens 'path' below 'dir', whatever is in its way: no part may be a link of any kind, and none may
 * lead out. Leading slashes are skipped; "" and "/" are 'dir' itself. O_CLOEXEC is added. -ELOOP
 * for a link, -EXDEV for an escape.
 */
int path_open_beneath(int dir, const char *path, int flags, mode_t mode);

/* The same, but links are followed as long as they stay below 'dir' (taken as their root). */
int path_open_in_root(int dir, const char *path, int flags, mode_t mode);

/*
 * Opens 'path', which is 'root' or below it (path_is_beneath()): links count as everywhere up to
 * 'root' and as in path_open_beneath() below it. -EXDEV if it is elsewhere.
 */
int path_open_within(const char *root, const char *path, int flags);

/*
 * Opens the directory that holds the last part of 'path' as path_open_beneath() does, and yields
 * that part: '*ret_name' is borrowed from 'path'. -EINVAL if there is none or it is ".." or ".".
 */
int path_open_parent(int dir, const char *path, const char **ret_name);

/* As mkdir -p below 'dir' without following links; returns an fd of the last one. */
int path_make_beneath(int dir, const char *path, mode_t mode);
