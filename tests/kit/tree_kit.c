#include "tests/kit/tree_kit.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/alloc.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/path.h"
#include "lib/base/scoped.h"
#include "lib/base/tree.h"

static char root[] = "/tmp/muster-tree-XXXXXX";

int tree_kit_start(void **state)
{
	(void)state;
	return mkdtemp(root) ? 0 : -1;
}

int tree_kit_stop(void **state)
{
	(void)state;
	return tree_remove(root, 0);
}

const char *tree_kit_root(void)
{
	return root;
}

int tree_kit_dir(const char *name)
{
	scoped_free char *path = path_join(root, name, NULL);

	assert_int_equal(file_make_dirs(path, 0755), 0);
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

void tree_kit_file(int dir, const char *name, const char *text)
{
	scoped_fd int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);

	assert_true(fd >= 0);
	assert_int_equal(fd_write_full(fd, text, strlen(text)), 0);
}
