#include "lib/base/dir_stack.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "lib/base/scoped.h"

#define MAX_OPEN 32 /* At least 2: the last one and the one that holds it. */

int dir_stack_push_take(struct dir_stack *stack, int fd, struct stat *ret_st)
{
	scoped_fd int owned = fd;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (stack->levels.n_items >= MAX_OPEN - 1) {
		struct dir_stack_level *above =
			&stack->levels.items[stack->levels.n_items - (MAX_OPEN - 1)];

		if (above->fd >= 0)
			close(above->fd);
		above->fd = -1;
	}

	ARRAY_ADD(&stack->levels, (struct dir_stack_level){ TAKE_FD(owned), st.st_dev, st.st_ino });
	if (ret_st)
		*ret_st = st;
	return 0;
}

static int open_again(int below, struct dir_stack_level *level)
{
	struct stat st;
	scoped_fd int fd = openat(below, "..", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (st.st_dev != level->dev || st.st_ino != level->ino)
		return -ESTALE;
	level->fd = TAKE_FD(fd);
	return 0;
}

int dir_stack_pop(struct dir_stack *stack)
{
	size_t n = stack->levels.n_items;
	struct dir_stack_level *last = &stack->levels.items[n - 1];
	int r = 0;

	assert(n > 0);
	/* The one above this one's parent: while one is in a directory, both can be used. */
	if (n >= 2 && last[-1].fd < 0)
		r = open_again(last->fd, &last[-1]);
	if (r == 0 && n >= 3 && last[-2].fd < 0)
		r = open_again(last[-1].fd, &last[-2]);
	close(last->fd);
	stack->levels.n_items--;
	return r;
}

int dir_stack_fd(const struct dir_stack *stack)
{
	return stack->levels.items[stack->levels.n_items - 1].fd;
}

int dir_stack_parent_fd(const struct dir_stack *stack)
{
	return stack->levels.items[stack->levels.n_items - 2].fd;
}

void dir_stack_done(struct dir_stack *stack)
{
	for (size_t i = 0; i < stack->levels.n_items; i++)
		if (stack->levels.items[i].fd >= 0)
			close(stack->levels.items[i].fd);
	ARRAY_DONE(&stack->levels);
}
