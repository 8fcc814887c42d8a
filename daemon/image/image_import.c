#include "daemon/image/image_import.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/core/dirs.h"
#include "daemon/core/lifecycle.h"
#include "daemon/core/locks.h"
#include "daemon/core/operation.h"
#include "daemon/core/state.h"
#include "daemon/image/image.h"
#include "daemon/image/image_alias.h"
#include "daemon/image/image_metadata.h"
#include "daemon/project/project.h"
#include "daemon/storage/storage_service.h"
#include "db/cache.h"
#include "db/images.h"
#include "drivers/host/host.h"
#include "drivers/storage/unpack.h"
#include "lib/base/alloc.h"
#include "lib/base/date.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/path.h"
#include "lib/base/random.h"
#include "lib/base/smap.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/data/compress.h"
#include "lib/data/jv.h"
#include "lib/net/digest.h"

static const char *const default_profiles[] = { "default", NULL };

/* An image on its way in: what is known of it, and where its files are meanwhile. */
struct incoming {
	const struct image_import *image;
	struct image_metadata metadata;
	char fingerprint[DIGEST_SHA256_HEX_SIZE];
	int64_t size;
	char *meta_path, *rootfs_path; /* In the spool; NULL once they are in their place. */
	char *member;
	char *profile_project;
	const char *filename;
	int64_t now;
};

static void incoming_done(struct incoming *in)
{
	if (in->meta_path)
		unlink(in->meta_path);
	if (in->rootfs_path)
		unlink(in->rootfs_path);
	free(in->meta_path);
	free(in->rootfs_path);
	free(in->member);
	free(in->profile_project);
	image_metadata_done(&in->metadata);
}

static int add_file(struct digest *digest, int fd, int64_t *size, struct op *op, struct error **err)
{
	scoped_free char *buf = xmalloc(1 << 20);

	if (lseek(fd, 0, SEEK_SET) < 0)
		return error_set_errno(err, -errno, "Failed reading the image");
	for (;;) {
		ssize_t n = fd_read_full(fd, buf, 1 << 20);

		if (n < 0)
			return error_set_errno(err, (int)n, "Failed reading the image");
		if (n == 0)
			return 0;
		digest_add(digest, buf, (size_t)n);
		*size += n;
		int r = op_check(op, err);
		if (r < 0)
			return r;
	}
}

/* SHA-256 over the file, or over both one after the other. */
static int compute_fingerprint(struct incoming *in, int meta_fd, int rootfs_fd, struct op *op,
                               struct error **err)
{
	scoped(digest_freep) struct digest *digest = digest_new();
	uint8_t sum[DIGEST_SHA256_SIZE];

	int r = add_file(digest, meta_fd, &in->size, op, err);
	if (r == 0 && rootfs_fd >= 0)
		r = add_file(digest, rootfs_fd, &in->size, op, err);
	if (r < 0)
		return r;
	digest_finish(digest, sum);
	digest_hex(sum, sizeof(sum), in->fingerprint);

	if (!str_is_empty(in->image->fingerprint) &&
	    strcmp(in->image->fingerprint, in->fingerprint) != 0)
		return error_set(err, 400, "Image fingerprint does not match: %s vs %s",
		                 in->fingerprint, in->image->fingerprint);
	return 0;
}

static int read_metadata(struct state *state, struct incoming *in, int meta_fd, bool is_unified,
                         struct op *op, struct error **err)
{
	const struct host host = { .var_dir = state->dirs->root,
		                   .helper_program = "/proc/self/exe" };
	scoped_free char *text = NULL;

	int r = unpack_metadata(&host, meta_fd, is_unified, op, &text, err);
	if (r == 0)
		r = image_metadata_parse(text, strlen(text), &in->metadata, err);
	return r < 0 ? r : image_check_properties(&in->metadata.properties, err);
}

/* The second file of a split image; what is in it shows when it is unpacked, behind walls. */
static int check_rootfs(int fd, struct error **err)
{
	int kind = fd >= 0 ? compress_detect_fd(fd) : COMPRESS_NONE;

	if (kind < 0 || kind == COMPRESS_QCOW2)
		return error_set(err, 400, "Invalid image: \"rootfs\" is neither tar nor squashfs");
	return 0;
}

/* A copy on the images' disk, under a name that says that it is not finished. */
static int spool(struct state *state, int fd, char **ret_path, struct error **err)
{
	scoped_free char *suffix = random_hex(8);
	scoped_free char *path = xasprintf("%s/.incoming-%s", state->dirs->images, suffix);

	if (lseek(fd, 0, SEEK_SET) < 0)
		return error_set_errno(err, -errno, "Failed reading the image");
	scoped_fd int copy = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (copy < 0)
		return error_set_errno(err, -errno, "Failed creating \"%s\"", path);
	int64_t n = fd_copy(fd, copy, UINT64_MAX);
	if (n >= 0 && fsync(copy) < 0)
		n = -errno;
	if (n < 0) {
		unlink(path);
		return error_set_errno(err, (int)n, "Failed storing the image");
	}
	*ret_path = TAKE_PTR(path);
	return 0;
}

static int move_in(struct state *state, struct incoming *in, struct error **err)
{
	scoped_free char *meta = image_path(state, in->fingerprint, false);
	scoped_free char *rootfs = image_path(state, in->fingerprint, true);

	/* The second one first: the first says that the image is there. */
	if (in->rootfs_path && rename(in->rootfs_path, rootfs) < 0)
		return error_set_errno(err, -errno, "Failed storing the image");
	if (!in->rootfs_path)
		unlink(rootfs);
	if (rename(in->meta_path, meta) < 0)
		return error_set_errno(err, -errno, "Failed storing the image");
	free(in->meta_path);
	free(in->rootfs_path);
	in->meta_path = in->rootfs_path = NULL;
	(void)file_sync_parent(meta);
	return 0;
}

static int create_aliases(struct db_tx *tx, const struct incoming *in, int64_t id,
                          struct error **err)
{
	for (size_t i = 0; i < in->image->n_aliases; i++) {
		const struct image_import_alias *alias = &in->image->aliases[i];

		int r = db_image_alias_create(tx, in->image->project, alias->name,
		                              str_or_empty(alias->description), id, err);
		if (r == -EEXIST) {
			error_free(*err);
			*err = NULL;
			return error_set(err, 409, "Alias \"%s\" already exists", alias->name);
		}
		if (r < 0)
			return r;
	}
	return 0;
}

static const struct image_import_source no_source = { "", "", "", "" };

static int write_rows(struct db_tx *tx, void *arg, struct error **err)
{
	const struct incoming *in = arg;
	const struct image_import *image = in->image;
	const struct image_import_source *source = image->source ? image->source : &no_source;
	scoped(smap_done) struct smap properties = { 0 };
	scoped(strv_freep) char **profiles =
		strv_copy((char *const *)(image->profiles ? image->profiles : default_profiles));
	scoped(strv_freep) char **members = strv_new(in->member, NULL);
	int64_t id;

	smap_copy(&properties, &in->metadata.properties);
	if (image->properties)
		smap_merge(&properties, image->properties);
	int64_t expiry =
		in->metadata.expiry_date > 0 ? in->metadata.expiry_date * DATE_SECOND : DATE_NONE;
	const struct db_image row = {
		.project = (char *)(uintptr_t)image->project,
		.fingerprint = (char *)(uintptr_t)in->fingerprint,
		.filename = (char *)(uintptr_t)in->filename,
		.architecture = in->metadata.architecture,
		.type = DB_INSTANCE_CONTAINER,
		.size = in->size,
		.public = image->is_public,
		.auto_update = image->auto_update,
		.created = in->metadata.creation_date * DATE_SECOND,
		.expires = image->expires != DATE_NONE && image->expires != 0 ? image->expires
		                                                              : expiry,
		.uploaded = in->now,
		.last_used = DATE_NONE,
		.source_server = (char *)(uintptr_t)source->server,
		.source_protocol = (char *)(uintptr_t)source->protocol,
		.source_certificate = (char *)(uintptr_t)source->certificate,
		.source_alias = (char *)(uintptr_t)source->alias,
		.source_type = (char *)(image->source ? "container" : ""),
		.properties = properties,
		.profiles = profiles,
		.members = members,
	};

	int r = db_image_create(tx, &row, in->profile_project, &id, err);
	return r < 0 ? r : create_aliases(tx, in, id, err);
}

/* Whether some project has the image already; then its files are good as they are. */
static int is_known(struct state *state, const char *fingerprint, const char *project,
                    struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	bool found = false;

	int r = db_cache_view(state->cache, DB_IMAGES, &view, err);
	if (r < 0)
		return r;
	const struct db_images *images = db_cache_images(view);
	for (size_t i = 0; i < images->n; i++) {
		if (strcmp(images->rows[i].fingerprint, fingerprint) != 0)
			continue;
		if (strcmp(images->rows[i].project, project) == 0)
			return error_set(err, 409, "Image with same fingerprint already exists");
		found = true;
	}
	return found;
}

static int find_profile_project(struct state *state, struct incoming *in, struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	const char *project = "";

	int r = db_cache_view(state->cache, DB_PROJECTS, &view, err);
	if (r == 0)
		r = project_effective(view, in->image->project, PROJECT_PROFILES, &project, err);
	if (r < 0)
		return r;
	in->profile_project = xstrdup(project);
	return 0;
}

/* Files first, rows second; without rows the files go again, unless others have the image. */
static int store(struct state *state, struct incoming *in, struct operation *operation,
                 struct error **err)
{
	scoped(locks_releasep) struct lock *lock = NULL;
	struct cancel *cancel = operation ? operation_cancel_token(operation) : NULL;

	int r = locks_take(state->locks, LOCK_IMAGE, in->fingerprint, cancel, &lock, err);
	if (r == 0)
		r = is_known(state, in->fingerprint, in->image->project, err);
	if (r < 0)
		return r;
	bool was_known = r > 0;

	r = move_in(state, in, err);
	if (r == 0)
		r = db_write(state->db, write_rows, in, err);
	if (r < 0 && !was_known) {
		scoped_free char *meta = image_path(state, in->fingerprint, false);
		scoped_free char *rootfs = image_path(state, in->fingerprint, true);

		unlink(meta);
		unlink(rootfs);
	}
	return r;
}

struct image_import_alias *image_import_aliases(struct json_object *list, size_t *ret_n)
{
	size_t n = jv_len(list);
	struct image_import_alias *aliases = xcalloc(n + 1, sizeof(*aliases));

	for (size_t i = 0; i < n; i++) {
		aliases[i].name = jv_text(jv_item(list, i), "name");
		aliases[i].description = jv_text(jv_item(list, i), "description");
	}
	*ret_n = n;
	return aliases;
}

int image_import_check(const struct image_import *image, struct error **err)
{
	int r = image->properties ? image_check_properties(image->properties, err) : 0;

	for (size_t i = 0; r == 0 && i < image->n_aliases; i++)
		r = image_alias_check_name(str_or_empty(image->aliases[i].name), err);
	return r;
}

int image_import_files(struct state *state, struct operation *operation,
                       const struct image_import *image, int meta_fd, int rootfs_fd,
                       char **ret_fingerprint, struct error **err)
{
	struct op op = storage_service_op(operation);
	scoped(incoming_done) struct incoming in = {
		.image = image,
		.member = state_member_name(state),
		.now = date_now(),
		.filename = str_or_empty(image->filename),
	};

	int r = image_import_check(image, err);
	if (r == 0)
		r = check_rootfs(rootfs_fd, err);
	if (r == 0)
		r = compute_fingerprint(&in, meta_fd, rootfs_fd, &op, err);
	if (r == 0)
		r = is_known(state, in.fingerprint, image->project, err);
	if (r >= 0)
		r = read_metadata(state, &in, meta_fd, rootfs_fd < 0, &op, err);
	if (r == 0)
		r = find_profile_project(state, &in, err);
	if (r == 0)
		r = spool(state, meta_fd, &in.meta_path, err);
	if (r == 0 && rootfs_fd >= 0)
		r = spool(state, rootfs_fd, &in.rootfs_path, err);
	if (r == 0)
		r = store(state, &in, operation, err);
	if (r < 0)
		return r;

	if (operation) {
		scoped_free char *url = image_url(image->project, in.fingerprint);
		struct json_object *size = jv_of_stringf("%lld", (long long)in.size);

		operation_set_metadata_key(operation, "fingerprint", jv_of_string(in.fingerprint));
		operation_set_metadata_key(operation, "size", size);
		lifecycle_send_op(operation, "image-created", image->project, url, NULL);
	}
	*ret_fingerprint = xstrdup(in.fingerprint);
	return 0;
}
