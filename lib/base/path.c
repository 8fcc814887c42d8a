#include "lib/base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/base/alloc.h"
#include "lib/base/scoped.h"
#include "lib/base/str.h"
#include "lib/base/strbuf.h"

char *path_clean(const char *path)
{
	struct strbuf b = { 0 };
	bool is_absolute = path[0] == '/';
	size_t floor; /* What ".." cannot remove. */

	strbuf_add(&b, is_absolute ? "/" : "");
	floor = b.size;
	for (const char *at = path; *at;) {
		at += strspn(at, "/");

		size_t len = strcspn(at, "/");
		bool is_dotdot = len == 2 && strncmp(at, "..", 2) == 0;
		if (len == 0 || (len == 1 && *at == '.') ||
		    (is_dotdot && is_absolute && b.size == floor)) {
			at += len;
			continue;
		}

		if (is_dotdot && b.size > floor) {
			size_t end = b.size;
			while (end > floor && b.text[end - 1] != '/')
				end--;
			strbuf_truncate(&b, end > floor ? end - 1 : end);
			at += len;
			continue;
		}

		if (b.size && b.text[b.size - 1] != '/')
			strbuf_add_char(&b, '/');
		strbuf_add_n(&b, at, len);
		if (is_dotdot)
			floor = b.size;
		at += len;
	}
	if (!b.size)
		strbuf_add_char(&b, '.');
	return strbuf_take(&b);
}

char *path_join(const char *first, ...)
{
	scoped(strbuf_done) struct strbuf b = { 0 };
	va_list args;

	va_start(args, first);
	for (const char *part = first; part; part = va_arg(args, const char *)) {
		if (!*part)
			continue;
		if (b.size)
			strbuf_add_char(&b, '/');
		strbuf_add(&b, part);
	}
	va_end(args);
	return b.size ? path_clean(b.text) : xstrdup("");
}

char *path_dir(const char *path)
{
	char *clean = path_clean(path), *slash = strrchr(clean, '/');

	if (!slash)
		str_copy(clean, 2, ".");
	else if (slash == clean)
		clean[1] = '\0';
	else
		*slash = '\0';
	return clean;
}

const char *path_base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

bool path_is_absolute(const char *path)
{
	return path && path[0] == '/';
}

bool path_is_beneath(const char *root, const char *path)
{
	scoped_free char *clean_root = path_clean(root);
	scoped_free char *clean = path_clean(path);

	const char *rest = str_after(clean, clean_root);
	return rest && (*rest == '\0' || *rest == '/' || str_ends(clean_root, "/"));
}

bool path_is_name(const char *name)
{
	return !str_is_empty(name) && !strchr(name, '/') && strcmp(name, ".") != 0 &&
	       strcmp(name, "..") != 0 && strlen(name) <= 255;
}

bool path_has_dotdot(const char *path)
{
	while (*path) {
		size_t len = strcspn(path, "/");

		if (len == 2 && strncmp(path, "..", 2) == 0)
			return true;
		path += len;
		path += strspn(path, "/");
	}
	return false;
}

static int open_resolved(int dir, const char *path, int flags, mode_t mode, uint64_t resolve)
{
	struct open_how how = {
		.flags = (uint64_t)(unsigned)flags | O_CLOEXEC,
		.resolve = resolve,
	};

	if (flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE)
		how.mode = mode & 07777;

	path += strspn(path, "/");
	for (int i = 0;; i++) {
		long fd = syscall(SYS_openat2, dir, *path ? path : ".", &how, sizeof(how));
		if (fd >= 0)
			return (int)fd;

		/* The kernel could not rule out an escape while something was renamed. */
		if (errno != EINTR && !(errno == EAGAIN && i < 64))
			return -errno;
	}
}

int path_open_beneath(int dir, const char *path, int flags, mode_t mode)
{
	return open_resolved(dir, path, flags, mode,
	                     RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
}

int path_open_in_root(int dir, const char *path, int flags, mode_t mode)
{
	return open_resolved(dir, path, flags, mode, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

int path_open_parent(int dir, const char *path, const char **ret_name)
{
	const char *name = path_base(path);

	if (!path_is_name(name))
		return -EINVAL;

	scoped_free char *parent = xstrndup(path, (size_t)(name - path));
	int fd = path_open_beneath(dir, parent, O_PATH | O_DIRECTORY, 0);
	if (fd >= 0)
		*ret_name = name;
	return fd;
}

int path_make_beneath(int dir, const char *path, mode_t mode)
{
	scoped_free char *left = xstrdup(path);
	scoped_fd int at = path_open_beneath(dir, "", O_RDONLY | O_DIRECTORY, 0);
	char *state = NULL;

	if (at < 0)
		return at;

	for (char *part = strtok_r(left, "/", &state); part; part = strtok_r(NULL, "/", &state)) {
		if (strcmp(part, ".") == 0)
			continue;
		if (!path_is_name(part))
			return -EINVAL;
		if (mkdirat(at, part, mode) < 0 && errno != EEXIST)
			return -errno;

		int next = path_open_beneath(at, part, O_RDONLY | O_DIRECTORY, 0);
		if (next < 0)
			return next;

		close(at);
		at = next;
	}
	return TAKE_FD(at);
}

int path_open_within(const char *root, const char *path, int flags)
{
	scoped_free char *clean_root = path_clean(root);
	scoped_free char *clean = path_clean(path);

	if (!path_is_beneath(clean_root, clean))
		return -EXDEV;
	const char *rest = clean + strlen(clean_root);
	rest += strspn(rest, "/");
	if (*rest == '\0') {
		int fd = open(clean_root, flags | O_CLOEXEC);

		return fd < 0 ? -errno : fd;
	}

	scoped_fd int dir = open(clean_root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return dir < 0 ? -errno : path_open_beneath(dir, rest, flags, 0);
}
