/* Copying directory trees; see tree.h for what holds for all of them. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/cancel.h"
#include "lib/base/macro.h"

struct tree_copy_options {
	struct cancel *cancel;                       /* Or NULL. */
	void (*progress)(uint64_t bytes, void *arg); /* Bytes of file content so far; or NULL. */
	void *arg;
	bool keep_owner; /* Owners, ACLs and all xattrs too, and devices; needs root. */
};

/*
 * Copies what is in 'from' into the directory 'to', which is there and gets the attributes of
 * 'from': modes, times, links, hard links, fifos, holes and user xattrs; extents are shared where
 * the filesystem can. Devices and sockets are left out unless owners are kept. What vanishes while
 * it is copied is left out; what changes is copied as it was found.
 */
int tree_copy(int from, int to, const struct tree_copy_options *options);

/*
 * The same, but what is in 'like' (-1: none) under the same path and with the same bytes and
 * attributes gets another name there instead of being copied: for a tree that takes the place of
 * 'like', which is removed afterwards.
 */
int tree_copy_like(int from, int to, int like, const struct tree_copy_options *options);
