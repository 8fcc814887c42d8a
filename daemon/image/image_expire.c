#include "daemon/image/image_expire.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cluster/cluster.h"
#include "daemon/core/dirs.h"
#include "daemon/core/locks.h"
#include "daemon/core/server_conf.h"
#include "daemon/core/state.h"
#include "daemon/image/image.h"
#include "db/cache.h"
#include "lib/base/alloc.h"
#include "lib/base/date.h"
#include "lib/base/log.h"
#include "lib/base/parse.h"
#include "lib/base/str.h"
#include "lib/net/digest.h"

#define KEY "images.remote_cache_expiry"
#define DAY (INT64_C(86400) * DATE_SECOND)

/* Files younger than that may be on their way in. */
#define LEFTOVER_AGE DAY

/* The project's days, else the server's; 0 is never. */
static int64_t days_of(const struct db_view *view, const char *project, int64_t fallback)
{
	const struct db_project *row = db_cache_project(view, project);
	const char *text = row ? smap_get(&row->config, KEY) : NULL;
	int64_t days = fallback;

	if (text && parse_int64(text, &days) < 0)
		days = fallback;
	return days;
}

static bool is_over(const struct db_image *row, int64_t days, int64_t now)
{
	int64_t used = row->last_used != DATE_NONE && row->last_used > row->uploaded
	                       ? row->last_used
	                       : row->uploaded;

	return row->cached && days > 0 && days < INT32_MAX && used < now - days * DAY;
}

static int expire_cached(struct state *state, struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	int64_t days = server_conf_int(state, KEY), now = date_now();

	int r = db_cache_view(state->cache, DB_IMAGES | DB_PROJECTS, &view, err);
	if (r < 0)
		return r;
	const struct db_images *rows = db_cache_images(view);
	for (size_t i = 0; i < rows->n; i++) {
		const struct db_image *row = &rows->rows[i];
		scoped(error_freep) struct error *failed = NULL;

		if (!is_over(row, days_of(view, row->project, days), now))
			continue;
		log_info_kv("Removing a cached image that nobody uses", "fingerprint",
		            row->fingerprint, "project", row->project);
		if (image_delete(state, NULL, row->project, row->fingerprint, &failed) < 0)
			log_warn("Failed removing image \"%s\": %s", row->fingerprint, failed->msg);
	}
	return 0;
}

static bool has_row(const struct db_view *view, const char *fingerprint)
{
	const struct db_images *rows = db_cache_images(view);

	for (size_t i = 0; i < rows->n; i++)
		if (strcmp(rows->rows[i].fingerprint, fingerprint) == 0)
			return true;
	return false;
}

/* Removes 'name' from the folder if it is an image's file without a row, and old enough. */
static void remove_leftover(struct state *state, const struct db_view *view, int folder,
                            const char *name, int64_t now)
{
	const char *end = name + strnlen(name, DIGEST_SHA256_HEX_SIZE - 1);
	scoped_free char *fingerprint = xasprintf("%.*s", (int)(end - name), name);
	scoped(locks_releasep) struct lock *lock = NULL;
	struct stat st;

	if (!image_is_fingerprint(fingerprint) || (*end && strcmp(end, ".rootfs") != 0) ||
	    has_row(view, fingerprint) || fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    (int64_t)st.st_mtim.tv_sec * DATE_SECOND > now - LEFTOVER_AGE)
		return;
	lock = locks_try(state->locks, LOCK_IMAGE, fingerprint);
	if (!lock)
		return;
	log_info_kv("Removing the file of an image that is gone", "name", name);
	unlinkat(folder, name, 0);
}

static int remove_leftovers(struct state *state, struct error **err)
{
	scoped(db_cache_view_unrefp) struct db_view *view = NULL;
	struct dirent *entry;

	int r = db_cache_view(state->cache, DB_IMAGES, &view, err);
	if (r < 0)
		return r;
	DIR *dir = opendir(state->dirs->images);
	if (!dir)
		return errno == ENOENT ? 0
		                       : error_set_errno(err, -errno, "Failed reading \"%s\"",
		                                         state->dirs->images);
	while ((entry = readdir(dir)))
		remove_leftover(state, view, dirfd(dir), entry->d_name, date_now());
	closedir(dir);
	return 0;
}

int image_expire_run(struct state *state, struct error **err)
{
	int r = 0;

	if (!state_is_clustered(state) || cluster_is_leader(state->cluster))
		r = expire_cached(state, err);
	return r < 0 ? r : remove_leftovers(state, err);
}
