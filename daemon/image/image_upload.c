/* Split images: the body of an upload, taken apart into two files and imported. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/core/dirs.h"
#include "daemon/core/state.h"
#include "daemon/image/image_import.h"
#include "daemon/image/image_multipart.h"
#include "lib/base/alloc.h"
#include "lib/base/fd.h"
#include "lib/base/str.h"

static int find_parts(int fd, const char *content_type, struct image_multipart *ret_multipart,
                      struct error **err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return error_set_errno(err, -errno, "Failed reading the upload");
	if (st.st_size == 0)
		return error_set(err, 400, "Invalid multipart image");
	/* The file is ours alone, so it cannot shrink under the mapping. */
	void *data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (data == MAP_FAILED)
		return error_set_errno(err, -errno, "Failed reading the upload");
	int r = image_multipart_parse(data, (size_t)st.st_size, content_type, ret_multipart, err);
	munmap(data, (size_t)st.st_size);
	return r;
}

/* A file without a name with the part's content. */
static int extract(struct state *state, int fd, const struct image_multipart_part *part,
                   struct error **err)
{
	scoped_fd int copy = open(state->dirs->images, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);

	if (copy < 0)
		return error_set_errno(err, -errno, "Failed creating a file");
	if (lseek(fd, (off_t)part->offset, SEEK_SET) < 0)
		return error_set_errno(err, -errno, "Failed reading the upload");
	int64_t n = fd_copy(fd, copy, part->size);
	if (n < 0 || (uint64_t)n != part->size)
		return error_set_errno(err, n < 0 ? (int)n : -EIO, "Failed reading the upload");
	return TAKE_FD(copy);
}

int image_import_multipart(struct state *state, struct operation *operation,
                           const struct image_import *image, int fd, const char *content_type,
                           char **ret_fingerprint, struct error **err)
{
	scoped(image_multipart_done) struct image_multipart multipart = { 0 };

	int r = find_parts(fd, content_type, &multipart, err);
	if (r < 0)
		return r;
	const struct image_multipart_part *parts = multipart.parts;
	if (multipart.n_parts != 2 || strcmp(parts[0].name, "metadata") != 0)
		return error_set(err, 400, "Invalid multipart image");
	if (strcmp(parts[1].name, "rootfs.img") == 0)
		return error_set(err, 400, "Images of virtual machines are not supported");
	if (strcmp(parts[1].name, "rootfs") != 0)
		return error_set(err, 400, "Invalid multipart image");

	scoped_fd int meta = extract(state, fd, &parts[0], err);
	if (meta < 0)
		return meta;
	scoped_fd int rootfs = extract(state, fd, &parts[1], err);
	if (rootfs < 0)
		return rootfs;
	struct image_import named = *image;
	if (str_is_empty(named.filename))
		named.filename = parts[1].filename;
	return image_import_files(state, operation, &named, meta, rootfs, ret_fingerprint, err);
}
