#include "daemon/image/image_export.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/core/dirs.h"
#include "daemon/core/state.h"
#include "daemon/image/image.h"
#include "lib/base/alloc.h"
#include "lib/base/fd.h"
#include "lib/base/random.h"
#include "lib/data/compress.h"

void image_export_done(struct image_export *files)
{
	if (files->meta_fd >= 0)
		close(files->meta_fd);
	if (files->rootfs_fd >= 0)
		close(files->rootfs_fd);
	free(files->meta_name);
	free(files->rootfs_name);
	*files = (struct image_export){ .meta_fd = -1, .rootfs_fd = -1 };
}

/* "FINGERPRINT.tar.gz", by what the file is. */
static char *name_of(const char *prefix, const char *fingerprint, int fd)
{
	int kind = compress_detect_fd(fd);

	return xasprintf("%s%s%s", prefix, fingerprint,
	                 kind >= 0 ? compress_extension((enum compress_kind)kind) : "");
}

static int open_file(const char *path, int *ret_fd, uint64_t *ret_size, struct error **err)
{
	struct stat st;
	scoped_fd int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		return -ENOENT;
	if (fd < 0 || fstat(fd, &st) < 0)
		return error_set_errno(err, -errno, "Failed opening \"%s\"", path);
	*ret_size = (uint64_t)st.st_size;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int image_export_open_here(struct state *state, const char *fingerprint,
                           struct image_export *ret_files, struct error **err)
{
	scoped_free char *meta_path = image_path(state, fingerprint, false);
	scoped_free char *rootfs_path = image_path(state, fingerprint, true);
	scoped(image_export_done) struct image_export files = { .meta_fd = -1, .rootfs_fd = -1 };

	int r = open_file(meta_path, &files.meta_fd, &files.meta_size, err);
	if (r == -ENOENT && !*err)
		return error_set(err, 404, "Image not found");
	if (r == 0)
		r = open_file(rootfs_path, &files.rootfs_fd, &files.rootfs_size, err);
	if (r < 0 && *err)
		return r;

	bool is_split = files.rootfs_fd >= 0;
	files.meta_name = name_of(is_split ? "meta-" : "", fingerprint, files.meta_fd);
	if (is_split)
		files.rootfs_name = name_of("", fingerprint, files.rootfs_fd);
	*ret_files = files;
	files = (struct image_export){ .meta_fd = -1, .rootfs_fd = -1 };
	return 0;
}

int image_export_open(struct state *state, const char *project, const char *fingerprint,
                      struct image_export *ret_files, struct error **err)
{
	int r = image_ensure_local(state, NULL, project, fingerprint, err);

	return r < 0 ? r : image_export_open_here(state, fingerprint, ret_files, err);
}

/* What stands around the files in the body. */
struct multipart {
	char *head, *middle, *tail;
};

static void multipart_done(struct multipart *parts)
{
	free(parts->head);
	free(parts->middle);
	free(parts->tail);
}

static char *part_head(const char *before, const char *boundary, const char *name,
                       const char *filename)
{
	return xasprintf("%s--%s\r\n"
	                 "Content-Disposition: form-data; name=\"%s\"; filename=\"%s\"\r\n"
	                 "Content-Type: application/octet-stream\r\n\r\n",
	                 before, boundary, name, filename);
}

static int write_multipart(const struct image_export *files, const struct multipart *parts, int fd)
{
	int64_t r = fd_write_full(fd, parts->head, strlen(parts->head));

	if (r == 0)
		r = fd_copy(files->meta_fd, fd, UINT64_MAX);
	if (r >= 0)
		r = fd_write_full(fd, parts->middle, strlen(parts->middle));
	if (r == 0)
		r = fd_copy(files->rootfs_fd, fd, UINT64_MAX);
	if (r >= 0)
		r = fd_write_full(fd, parts->tail, strlen(parts->tail));
	if (r == 0 && lseek(fd, 0, SEEK_SET) < 0)
		r = -errno;
	return (int)r;
}

int image_export_multipart(struct state *state, const struct image_export *files, int *ret_fd,
                           uint64_t *ret_size, char **ret_content_type, struct error **err)
{
	scoped_free char *boundary = random_hex(30);
	scoped(multipart_done) struct multipart parts = {
		.head = part_head("", boundary, "metadata", files->meta_name),
		.middle = part_head("\r\n", boundary, "rootfs", files->rootfs_name),
		.tail = xasprintf("\r\n--%s--\r\n", boundary),
	};
	scoped_fd int fd = open(state->dirs->spool, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);

	if (fd < 0)
		return error_set_errno(err, -errno, "Failed making a file");
	int r = write_multipart(files, &parts, fd);
	if (r < 0)
		return error_set_errno(err, r, "Failed reading the image");
	*ret_fd = TAKE_FD(fd);
	*ret_size = strlen(parts.head) + files->meta_size + strlen(parts.middle) +
	            files->rootfs_size + strlen(parts.tail);
	*ret_content_type = xasprintf("multipart/form-data; boundary=%s", boundary);
	return 0;
}
