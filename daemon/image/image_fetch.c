/* Bringing an image's files from another member. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cluster/connect.h"
#include "daemon/core/locks.h"
#include "daemon/core/operation.h"
#include "daemon/core/state.h"
#include "daemon/image/image.h"
#include "daemon/image/image_transfer.h"
#include "daemon/storage/storage_service.h"
#include "db/cache.h"
#include "db/images.h"
#include "drivers/host/op.h"
#include "lib/base/alloc.h"
#include "lib/base/file.h"
#include "lib/base/random.h"
#include "lib/base/strv.h"
#include "lib/net/digest.h"
#include "lib/net/http_client.h"

struct fetch {
	struct image_transfer transfer;
	const char *fingerprint;
};

/* One of the two files, as a file without a name. -ENOENT without 'err' if there is none. */
static int fetch_part(struct state *state, struct http_client *client, struct fetch *f,
                      const char *part, int *ret_fd, struct error **err)
{
	scoped_free char *path = xasprintf("/internal/images/%s/%s", f->fingerprint, part);
	scoped(http_response_done) struct http_response res = { 0 };
	scoped_fd int fd = -EBADF;

	int r = image_transfer_get(state, client, &f->transfer, path, &fd, &res, err);
	if (r < 0)
		return r;
	if (res.status == 404)
		return -ENOENT;
	if (res.status >= 400)
		return http_client_error_of(&res, err);
	f->transfer.done += res.fd_size;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static int check_fingerprint(const char *fingerprint, const int *fds, struct error **err)
{
	scoped(digest_freep) struct digest *digest = digest_new();
	scoped_free char *buf = xmalloc(1 << 20);
	uint8_t sum[DIGEST_SHA256_SIZE];
	char hex[DIGEST_SHA256_HEX_SIZE];

	for (size_t i = 0; i < 2 && fds[i] >= 0; i++) {
		ssize_t n = lseek(fds[i], 0, SEEK_SET);

		while (n >= 0 && (n = read(fds[i], buf, 1 << 20)) > 0)
			digest_add(digest, buf, (size_t)n);
		if (n < 0)
			return error_set_errno(err, -errno, "Failed reading the image");
	}
	digest_finish(digest, sum);
	digest_hex(sum, sizeof(sum), hex);
	if (strcmp(hex, fingerprint) != 0)
		return error_set(err, 500, "Image arrived as another: %s", hex);
	return 0;
}

/* Gives the file a name; one of that name is of the same image. */
static int name_file(int fd, const char *path, struct error **err)
{
	scoped_free char *suffix = random_hex(4);
	scoped_free char *temporary = xasprintf("%s.%s", path, suffix);
	scoped_free char *source = xasprintf("/proc/self/fd/%d", fd);

	if (fsync(fd) < 0 || linkat(AT_FDCWD, source, AT_FDCWD, temporary, AT_SYMLINK_FOLLOW) < 0)
		return error_set_errno(err, -errno, "Failed storing the image");
	if (rename(temporary, path) < 0) {
		int r = error_set_errno(err, -errno, "Failed storing the image");

		unlink(temporary);
		return r;
	}
	return 0;
}

static int fetch_from(struct state *state, const char *member, struct fetch *f, struct error **err)
{
	scoped(http_client_unrefp) struct http_client *client = NULL;
	scoped_free char *address = NULL;
	scoped_free char *meta_path = image_path(state, f->fingerprint, false);
	scoped_free char *rootfs_path = image_path(state, f->fingerprint, true);
	scoped_fd int meta = -EBADF;
	scoped_fd int rootfs = -EBADF;

	int r = connect_address(state->cluster, member, &address, err);
	if (r == 0)
		r = connect_client(state->cluster, address, &client, err);
	if (r == 0)
		r = fetch_part(state, client, f, "meta", &meta, err);
	if (r < 0)
		return r == -ENOENT && !*err ? error_set(err, 404, "Image not found") : r;
	r = fetch_part(state, client, f, "rootfs", &rootfs, err);
	if (r < 0 && *err)
		return r;

	r = check_fingerprint(f->fingerprint, (const int[]){ meta, rootfs }, err);
	/* The second file first: the other one says that the image is there. */
	if (r == 0 && rootfs >= 0)
		r = name_file(rootfs, rootfs_path, err);
	if (r == 0)
		r = name_file(meta, meta_path, err);
	return r;
}

struct holding {
	const char *fingerprint, *member;
};

static int write_holding(struct db_tx *tx, void *arg, struct error **err)
{
	const struct holding *h = arg;

	return db_image_add_member(tx, h->fingerprint, h->member, err);
}

/* Asks one holder after the other. */
static int fetch(struct state *state, const struct db_image *row, struct fetch *f,
                 const char *member, struct error **err)
{
	struct holding holding = { f->fingerprint, member };
	int r = -ENOENT;

	STRV_FOREACH (holder, row->members) {
		if (strcmp(holder, member) == 0)
			continue;
		error_free(*err);
		*err = NULL;
		r = fetch_from(state, holder, f, err);
		if (r == 0 || op_cancelled(&f->transfer.op))
			break;
	}
	if (r == -ENOENT && !*err)
		return error_set(err, 404, "The files of image \"%s\" are on no member",
		                 f->fingerprint);
	if (r < 0)
		return error_wrap(err, "Failed fetching image \"%s\"", f->fingerprint);
	return db_write(state->db, write_holding, &holding, err);
}

int image_ensure_local(struct state *state, struct operation *operation, const char *project,
                       const char *fingerprint, struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	scoped(locks_releasep) struct lock *lock = NULL;
	scoped_free char *path = image_path(state, fingerprint, false);
	scoped_free char *member = state_member_name(state);
	struct fetch f = { .transfer.op = storage_service_op(operation),
		           .fingerprint = fingerprint };

	if (file_exists(path))
		return 0;
	int r = locks_take(state->locks, LOCK_IMAGE, fingerprint, op_cancel(&f.transfer.op), &lock,
	                   err);
	if (r == 0)
		r = db_cache_view(state->cache, DB_IMAGES, &view, err);
	if (r < 0)
		return r;
	/* Somebody else may have fetched it in the meantime. */
	if (file_exists(path))
		return 0;

	const struct db_image *row = db_cache_image(view, project, fingerprint);
	if (!row)
		return error_set(err, 404, "Image not found");
	return fetch(state, row, &f, member, err);
}

/* Whether another member than 'leaving' has the files. */
static bool is_held_elsewhere(const struct db_image *row, const char *leaving)
{
	STRV_FOREACH (holder, row->members) {
		if (strcmp(holder, leaving) != 0)
			return true;
	}
	return false;
}

int image_take_over(struct state *state, const char *leaving, struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;

	int r = db_cache_view(state->cache, DB_IMAGES, &view, err);
	if (r < 0)
		return r;
	const struct db_images *rows = db_cache_images(view);
	for (size_t i = 0; r == 0 && i < rows->n; i++) {
		const struct db_image *row = &rows->rows[i];

		if (strv_contains(row->members, leaving) && !is_held_elsewhere(row, leaving))
			r = image_ensure_local(state, NULL, row->project, row->fingerprint, err);
	}
	return r;
}
