#include "daemon/instance/instance_metadata.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/core/locks.h"
#include "daemon/core/state.h"
#include "daemon/image/image_metadata.h"
#include "daemon/instance/instance_spec.h"
#include "lib/base/alloc.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/path.h"
#include "lib/base/strv.h"
#include "lib/data/jv.h"

#define METADATA_FILE "metadata.yaml"
#define TEMPLATES "templates"
#define MAX_METADATA ((size_t)1024 * 1024)

struct instance_metadata {
	struct lock *lock;
	struct instance *inst;
	struct instance_spec_built built;
	bool is_built;
	int volume;
};

void instance_metadata_close(struct instance_metadata *metadata)
{
	if (!metadata)
		return;

	if (metadata->volume >= 0)
		close(metadata->volume);
	if (metadata->is_built)
		instance_spec_done(metadata->inst, &metadata->built);
	instance_free(metadata->inst);
	locks_release(metadata->lock);
	free(metadata);
}

/* Exclusively, so that reading, changing and writing is one thing. */
int instance_metadata_open(struct state *state, const char *project, const char *name,
                           struct cancel *cancel, struct instance_metadata **ret_metadata,
                           struct error **err)
{
	scoped(instance_metadata_closep) struct instance_metadata *m = xcalloc(1, sizeof(*m));

	m->volume = -1;
	int r = instance_lock(state, project, name, cancel, &m->lock, &m->inst, err);
	if (r == 0)
		r = instance_spec_mount(m->inst, NULL, &m->built, err);
	if (r < 0)
		return r;
	m->is_built = true;
	m->volume = open(m->built.mounted.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (m->volume < 0)
		return error_set_errno(err, -errno, "Failed opening the root volume");

	*ret_metadata = TAKE_PTR(m);
	return 0;
}

const struct instance *instance_metadata_instance(const struct instance_metadata *metadata)
{
	return metadata->inst;
}

/* -ENOENT without an error if it is not there. */
static int read_beneath(int dir, const char *path, size_t max, char **ret_text, size_t *ret_size,
                        struct error **err)
{
	struct stat st = { 0 };

	scoped_fd int fd = path_open_beneath(dir, path, O_RDONLY | O_NONBLOCK, 0);
	if (fd == -ENOENT)
		return -ENOENT;
	if (fd >= 0 && fstat(fd, &st) == 0 && !S_ISREG(st.st_mode))
		return error_set(err, 400, "\"%s\" is not a regular file", path);
	int r = fd < 0 ? fd : fd_read_all(fd, max, ret_text, ret_size);
	if (r < 0)
		return error_set_errno(err, r, "Failed reading \"%s\"", path);

	return 0;
}

int instance_metadata_get(struct instance_metadata *metadata, struct json_object **ret_json,
                          struct error **err)
{
	scoped(image_metadata_done) struct image_metadata image = { 0 };
	scoped_free char *text = NULL;
	size_t size = 0;

	int r = read_beneath(metadata->volume, METADATA_FILE, MAX_METADATA, &text, &size, err);
	if (r == 0)
		r = image_metadata_parse(text, size, &image, err);
	else if (r == -ENOENT && !*err)
		r = 0;
	if (r < 0)
		return r;

	*ret_json = image_metadata_json(&image);
	return 0;
}

int instance_metadata_put(struct instance_metadata *metadata, struct json_object *doc,
                          struct error **err)
{
	scoped(image_metadata_done) struct image_metadata image = { 0 };

	int r = image_metadata_of_json(doc, &image, err);
	if (r < 0)
		return r;

	scoped_free char *text = image_metadata_format(&image);
	if (strlen(text) > MAX_METADATA)
		return error_set(err, 400, "The metadata is too large");
	r = file_replace_at(metadata->volume, METADATA_FILE, text, strlen(text), 0644);
	if (r < 0)
		return error_set_errno(err, r, "Failed writing \"%s\"", METADATA_FILE);

	return 0;
}

/* -ENOENT if there is none. */
static int list_names(int volume, char ***ret_names)
{
	int fd = path_open_beneath(volume, TEMPLATES, O_RDONLY | O_DIRECTORY, 0);
	char **names = NULL;
	size_t n = 0;

	if (fd < 0)
		return fd;
	DIR *dir = fdopendir(fd);
	if (!dir) {
		int r = -errno;
		close(fd);
		return r;
	}
	for (struct dirent *e; n < INSTANCE_METADATA_MAX_TEMPLATES && (e = readdir(dir));) {
		struct stat st;

		if (fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode)) {
			strv_add(&names, e->d_name);
			n++;
		}
	}
	closedir(dir);
	strv_sort(names);
	*ret_names = names;
	return 0;
}

int instance_metadata_templates(struct instance_metadata *metadata, struct json_object **ret_names,
                                struct error **err)
{
	scoped(strv_freep) char **names = NULL;

	int r = list_names(metadata->volume, &names);
	if (r < 0 && r != -ENOENT)
		return error_set_errno(err, r, "Failed reading the folder of templates");

	*ret_names = jv_of_strv(names);
	return 0;
}

static int check_name(const char *name, struct error **err)
{
	if (!path_is_name(name))
		return error_set(err, 400, "Invalid template name \"%s\"", name);

	return 0;
}

int instance_metadata_template_get(struct instance_metadata *metadata, const char *name,
                                   char **ret_text, size_t *ret_size, struct error **err)
{
	scoped_free char *path = xasprintf(TEMPLATES "/%s", name);

	int r = check_name(name, err);
	if (r == 0)
		r = read_beneath(metadata->volume, path, INSTANCE_METADATA_MAX_TEMPLATE, ret_text,
		                 ret_size, err);
	if (r == -ENOENT && !*err)
		return error_set(err, 404, "Template \"%s\" not found", name);

	return r;
}

int instance_metadata_template_put(struct instance_metadata *metadata, const char *name,
                                   const char *text, size_t size, struct error **err)
{
	scoped(strv_freep) char **names = NULL;

	int r = check_name(name, err);
	if (r < 0)
		return r;
	if (list_names(metadata->volume, &names) == 0 && !strv_contains(names, name) &&
	    strv_len(names) >= INSTANCE_METADATA_MAX_TEMPLATES)
		return error_set(err, 400, "Too many templates");

	scoped_fd int folder = path_make_beneath(metadata->volume, TEMPLATES, 0755);
	r = folder < 0 ? folder : file_replace_at(folder, name, text, size, 0644);
	if (r < 0)
		return error_set_errno(err, r, "Failed writing template \"%s\"", name);

	return 0;
}

int instance_metadata_template_delete(struct instance_metadata *metadata, const char *name,
                                      struct error **err)
{
	int r = check_name(name, err);
	if (r < 0)
		return r;

	scoped_fd int folder =
		path_open_beneath(metadata->volume, TEMPLATES, O_RDONLY | O_DIRECTORY, 0);
	r = folder < 0 ? folder : unlinkat(folder, name, 0) < 0 ? -errno : 0;
	if (r == -ENOENT)
		return error_set(err, 404, "Template \"%s\" not found", name);
	if (r < 0)
		return error_set_errno(err, r, "Failed removing template \"%s\"", name);

	return 0;
}
