#include "daemon/image/image_publish.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/core/dirs.h"
#include "daemon/core/operation.h"
#include "daemon/core/server_conf.h"
#include "daemon/core/state.h"
#include "daemon/image/image_metadata.h"
#include "daemon/storage/storage_service.h"
#include "lib/base/alloc.h"
#include "lib/base/date.h"
#include "lib/base/fd.h"
#include "lib/base/parse.h"
#include "lib/base/path.h"
#include "lib/base/smap.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/data/compress.h"
#include "lib/data/tar_write.h"

#define METADATA_MAX ((size_t)1024 * 1024)

struct packing {
	const struct idmap *map;
	struct op op;
};

/* Ids of the host become those inside; what the map does not have stays. */
static bool map_uid(uint32_t id, uint32_t *ret, void *arg)
{
	const struct packing *p = arg;

	*ret = id;
	if (p->map)
		idmap_uid_from_host(p->map, id, ret);
	return true;
}

static bool map_gid(uint32_t id, uint32_t *ret, void *arg)
{
	const struct packing *p = arg;

	*ret = id;
	if (p->map)
		idmap_gid_from_host(p->map, id, ret);
	return true;
}

static void report(uint64_t bytes, void *arg)
{
	const struct packing *p = arg;

	op_report(&p->op, &(struct op_progress){ .stage = "create_image_from_container_pack",
	                                         .what = "Image pack",
	                                         .bytes = bytes });
}

static int parse_compression(const char *text, struct tar_write_options *options,
                             struct error **err)
{
	if (compress_parse_algorithm(text, &options->compression, &options->level) < 0)
		return error_set(err, 400, "Invalid compression algorithm \"%s\"", text);
	options->threads = 2;
	return 0;
}

/* The templates of the image that the instance was made of; what else it said is said anew. */
static int make_metadata(int volume, const struct image_import *image,
                         const struct image_publish *publish, int64_t now, char **ret_text,
                         struct error **err)
{
	scoped(image_metadata_done) struct image_metadata metadata = { 0 };
	scoped_free char *text = NULL;
	struct stat st;
	size_t size;

	scoped_fd int fd = path_open_beneath(volume, "metadata.yaml", O_RDONLY | O_NONBLOCK, 0);
	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
		int r = fd_read_all(fd, METADATA_MAX, &text, &size);

		if (r < 0)
			return error_set_errno(err, r, "Failed reading \"metadata.yaml\"");
		r = image_metadata_parse(text, size, &metadata, err);
		if (r < 0)
			return r;
	}

	free(metadata.architecture);
	metadata.architecture = xstrdup(publish->architecture);
	metadata.creation_date = now;
	metadata.expiry_date = 0;
	if (image->properties)
		smap_copy(&metadata.properties, image->properties);
	else
		smap_clear(&metadata.properties);
	*ret_text = image_metadata_format(&metadata);
	return 0;
}

static int add_tree(struct tar_writer *w, int volume, const char *name, struct packing *p,
                    bool is_mapped, struct error **err)
{
	const struct tar_tree_options options = {
		.prefix = name,
		.map_uid = is_mapped ? map_uid : NULL,
		.map_gid = is_mapped ? map_gid : NULL,
		.progress = report,
		.arg = p,
		.cancel = op_cancel(&p->op),
	};

	scoped_fd int dir = path_open_beneath(volume, name, O_RDONLY | O_DIRECTORY, 0);
	if (dir == -ENOENT)
		return 0;
	if (dir < 0)
		return error_set_errno(err, dir, "Failed opening \"%s\"", name);
	return tar_write_tree(w, dir, &options, err);
}

static int pack(int volume, const struct image_import *image, const struct image_publish *publish,
                const struct tar_write_options *options, struct packing *p, struct error **err)
{
	scoped(tar_write_closep) struct tar_writer *w = NULL;
	scoped_free char *metadata = NULL;
	int64_t now = date_now_seconds();

	int r = make_metadata(volume, image, publish, now, &metadata, err);
	if (r == 0)
		r = tar_write_open(options, &w, err);
	assert(r < 0 || metadata);
	if (r == 0)
		r = tar_write_bytes(w, "metadata.yaml", metadata, strlen(metadata), 0644,
		                    now * DATE_SECOND, err);
	if (r == 0)
		r = add_tree(w, volume, "rootfs", p, true, err);
	if (r == 0)
		r = add_tree(w, volume, "templates", p, false, err);
	if (r == 0)
		r = tar_write_finish(w, err);
	return r < 0 ? error_wrap(err, "Failed packing the image") : 0;
}

int image_publish(struct state *state, struct operation *operation,
                  const struct image_import *image, const struct image_publish *publish,
                  char **ret_fingerprint, struct error **err)
{
	struct packing packing = { .map = publish->disk_map, .op = storage_service_op(operation) };
	struct tar_write_options options = { 0 };
	scoped_free char *standard = server_conf_string(state, "images.compression_algorithm");
	const char *compression = publish->compression;

	if (str_is_empty(compression))
		compression = str_is_empty(standard) ? "gzip" : standard;
	int r = parse_compression(compression, &options, err);
	if (r < 0)
		return r;

	scoped_fd int volume = open(publish->volume_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (volume < 0)
		return error_set_errno(err, -errno, "Failed opening \"%s\"", publish->volume_path);
	scoped_fd int file = open(state->dirs->images, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
	if (file < 0)
		return error_set_errno(err, -errno, "Failed creating a file");
	options.fd = file;
	r = pack(volume, image, publish, &options, &packing, err);
	return r < 0 ? r
	             : image_import_files(state, operation, image, file, -1, ret_fingerprint, err);
}
