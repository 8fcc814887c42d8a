/*
 * The directories between the root of a tree and where one is, however deep that may be.
 *
 * Only the last of them are kept open. Those above are opened again through ".." on the way back,
 * where it is checked that they are the same as on the way down; -ESTALE if somebody moved them.
 */
#pragma once

#include <stddef.h>
#include <sys/stat.h>

#include "lib/base/array.h"
#include "lib/base/macro.h"

struct dir_stack_level {
	int fd; /* -1 while it is closed. */
	dev_t dev;
	ino_t ino;
};

/* All zero is an empty one. */
struct dir_stack {
	ARRAY_OF(struct dir_stack_level) levels;
};

/* Goes down into 'fd', which is closed on failure too. '*ret_st' (or NULL) is its fstat(). */
int dir_stack_push_take(struct dir_stack *stack, int fd, struct stat *ret_st);

/* Goes back up, closing the last one. */
int dir_stack_pop(struct dir_stack *stack);

/* The last one; the one that holds it is open as well. Borrowed. */
int dir_stack_fd(const struct dir_stack *stack);
int dir_stack_parent_fd(const struct dir_stack *stack);

void dir_stack_done(struct dir_stack *stack);
