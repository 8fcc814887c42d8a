#include "daemon/image/image_template.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/alloc.h"
#include "lib/base/fd.h"
#include "lib/base/path.h"
#include "lib/base/random.h"
#include "lib/base/smap.h"
#include "lib/base/str.h"
#include "lib/base/strbuf.h"
#include "lib/base/template.h"

#define METADATA_MAX ((size_t)1024 * 1024)
#define TEMPLATE_MAX ((size_t)1024 * 1024)

struct rendering {
	const struct image_template_context *context;
	const struct image_template *template;
};

static const char *of_bool(bool value)
{
	return value ? "true" : "false";
}

/* "container" is what "instance" was called before. */
static const char *look_up_instance(const struct image_template_context *c, const char *field)
{
	if (strcmp(field, "name") == 0)
		return c->instance_name;
	if (strcmp(field, "type") == 0)
		return c->instance_type;
	if (strcmp(field, "architecture") == 0)
		return c->architecture;
	if (strcmp(field, "privileged") == 0)
		return of_bool(c->is_privileged);
	if (strcmp(field, "ephemeral") == 0)
		return of_bool(c->is_ephemeral);
	return NULL;
}

static const char *look_up(const char *name, void *arg)
{
	const struct rendering *r = arg;
	const char *field;

	if ((field = str_after(name, "instance.")) || (field = str_after(name, "container.")))
		return look_up_instance(r->context, field);
	if ((field = str_after(name, "properties.")))
		return smap_get(&r->template->properties, field);
	if ((field = str_after(name, "config.")))
		return smap_get(r->context->config, field);
	return strcmp(name, "path") == 0 ? r->template->path : NULL;
}

static const char *look_up_config(const char *key, void *arg)
{
	const struct rendering *r = arg;

	return smap_get(r->context->config, key);
}

/* A file of the volume, regular and not too large, however its owner made it. */
static int read_beneath(int dir, const char *path, size_t max, char **ret_text, struct error **err)
{
	struct stat st;
	size_t size;

	scoped_fd int fd = path_open_beneath(dir, path, O_RDONLY | O_NONBLOCK, 0);
	if (fd == -ENOENT)
		return -ENOENT;
	if (fd < 0 || fstat(fd, &st) < 0)
		return error_set_errno(err, fd < 0 ? fd : -errno, "Failed opening \"%s\"", path);
	if (!S_ISREG(st.st_mode))
		return error_set(err, 400, "\"%s\" is not a file", path);
	int r = fd_read_all(fd, max, ret_text, &size);
	if (r < 0)
		return error_set_errno(err, r, "Failed reading \"%s\"", path);
	if (!str_is_utf8(*ret_text, size)) {
		free(*ret_text);
		*ret_text = NULL;
		return error_set(err, 400, "\"%s\" is not UTF-8 text", path);
	}
	return 0;
}

static void choose_owner(const struct image_template *t, const struct idmap *map, uid_t *uid,
                         gid_t *gid)
{
	*uid = t->uid >= 0 ? (uid_t)t->uid : 0;
	*gid = t->gid >= 0 ? (gid_t)t->gid : 0;
	if (map && map->n_entries > 0) {
		idmap_uid_to_host(map, *uid, uid);
		idmap_gid_to_host(map, *gid, gid);
	}
}

/* Makes the folders that are missing on the way; existing ones may not be links. */
static int open_parent(int rootfs, const char *path, const char **ret_name)
{
	const char *relative = path + strspn(path, "/");
	const char *slash = strrchr(relative, '/');
	scoped_free char *parent = xasprintf("%.*s", slash ? (int)(slash - relative) : 0, relative);

	*ret_name = slash ? slash + 1 : relative;
	int fd = path_open_beneath(rootfs, parent, O_RDONLY | O_DIRECTORY, 0);
	return fd == -ENOENT ? path_make_beneath(rootfs, parent, 0755) : fd;
}

/*
 * A new file in place of whatever is there: a link would lead elsewhere, a file may have other
 * names, or be a pipe that nobody reads. Owner and mode are those in 'st'. Not synced: it is
 * rendered again at the next start.
 */
static int replace(int dir, const char *name, const char *text, const struct stat *st,
                   struct error **err)
{
	scoped_free char *suffix = random_hex(8);
	scoped_free char *new_name = xasprintf(".muster-%s", suffix);

	scoped_fd int fd =
		openat(dir, new_name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int r = fd < 0 ? -errno : fd_write_full(fd, text, strlen(text));
	if (r == 0 && (fchown(fd, st->st_uid, st->st_gid) < 0 || fchmod(fd, st->st_mode) < 0))
		r = -errno;
	if (r == 0 && renameat(dir, new_name, dir, name) < 0)
		r = -errno;
	if (r < 0) {
		unlinkat(dir, new_name, 0);
		return error_set_errno(err, r, "Failed writing \"%s\"", name);
	}
	return 0;
}

static int write_file(int rootfs, const struct image_template *t, const struct idmap *map,
                      const char *text, struct error **err)
{
	struct stat st;
	const char *name;
	uid_t uid;
	gid_t gid;

	scoped_fd int parent = open_parent(rootfs, t->path, &name);
	if (parent < 0)
		return error_set_errno(err, parent, "Failed opening the folder of \"%s\"", t->path);
	bool exists = fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
	if (exists && t->create_only)
		return 0;
	if (exists && S_ISDIR(st.st_mode))
		return error_set(err, 400, "Template \"%s\" is a directory", t->path);

	bool keeps = exists && S_ISREG(st.st_mode);
	choose_owner(t, map, &uid, &gid);
	if (keeps && t->uid < 0)
		uid = st.st_uid;
	if (keeps && t->gid < 0)
		gid = st.st_gid;
	mode_t mode = t->mode >= 0 ? (mode_t)t->mode : keeps ? st.st_mode & 07777 : 0644;
	const struct stat wanted = { .st_uid = uid, .st_gid = gid, .st_mode = mode };
	return replace(parent, name, text, &wanted, err);
}

static int apply_one(int volume, int rootfs, const struct image_template *t,
                     const struct image_template_context *context, struct error **err)
{
	struct rendering rendering = { context, t };
	const struct template_scope scope = { look_up, look_up_config, &rendering };
	scoped(strbuf_done) struct strbuf rendered = { 0 };
	scoped_free char *source = xasprintf("templates/%s", t->source);
	scoped_free char *text = NULL;

	int r = read_beneath(volume, source, TEMPLATE_MAX, &text, err);
	if (r == -ENOENT && !*err)
		return error_set(err, 400, "Template file \"%s\" is missing", t->source);
	assert(r < 0 || text);
	if (r == 0)
		r = template_render(text, &scope, &rendered, err);
	if (r < 0)
		return r;
	return write_file(rootfs, t, context->disk_map, strbuf_text(&rendered), err);
}

int image_template_apply(const char *volume_path, uint32_t when,
                         const struct image_template_context *context, struct error **err)
{
	scoped(image_metadata_done) struct image_metadata metadata = { 0 };
	scoped_free char *text = NULL;

	scoped_fd int volume = open(volume_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (volume < 0)
		return error_set_errno(err, -errno, "Failed opening \"%s\"", volume_path);
	int r = read_beneath(volume, "metadata.yaml", METADATA_MAX, &text, err);
	if (r == -ENOENT && !*err)
		return 0;
	assert(r < 0 || text);
	if (r == 0)
		r = image_metadata_parse(text, strlen(text), &metadata, err);
	if (r < 0)
		return r;

	scoped_fd int rootfs = path_open_beneath(volume, "rootfs", O_RDONLY | O_DIRECTORY, 0);
	if (rootfs < 0)
		return error_set_errno(err, rootfs, "Failed opening the root filesystem");
	for (size_t i = 0; i < metadata.n_templates; i++) {
		const struct image_template *t = &metadata.templates[i];

		if (!(t->when & when))
			continue;
		r = apply_one(volume, rootfs, t, context, err);
		if (r < 0)
			return error_wrap(err, "Failed applying template \"%s\"", t->path);
	}
	return 0;
}
