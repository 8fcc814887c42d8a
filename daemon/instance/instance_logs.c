#include "daemon/instance/instance_logs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/core/dirs.h"
#include "daemon/core/lifecycle.h"
#include "daemon/core/state.h"
#include "lib/base/alloc.h"
#include "lib/base/path.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/data/jv.h"

#define EXEC_FOLDER "exec-output"

/* More recorded files in one folder than a list can sensibly show are left out. */
#define MAX_LISTED 10000

static bool is_driver_log(const char *name)
{
	static const char *const names[] = { "lxc.conf", "lxc.log" };

	for (size_t i = 0; i < COUNT_OF(names); i++) {
		if (str_equals(names[i], name))
			return true;
	}

	return str_starts(name, "migration_") || str_starts(name, "snapshot_");
}

static bool is_valid(enum instance_logs_kind kind, const char *name)
{
	if (!path_is_name(name))
		return false;

	switch (kind) {
	case INSTANCE_LOGS_OF_DRIVER:
		return is_driver_log(name);
	case INSTANCE_LOGS_OF_EXEC:
		return str_starts(name, "exec_") &&
		       (str_ends(name, ".stdout") || str_ends(name, ".stderr"));
	}

	return false;
}

static int check_name(enum instance_logs_kind kind, const char *name, struct error **err)
{
	if (is_valid(kind, name))
		return 0;

	return error_set(err, 400,
	                 kind == INSTANCE_LOGS_OF_EXEC ? "Exec record-output file name \"%s\" not "
	                                                 "valid"
	                                               : "Log file name \"%s\" not valid",
	                 name);
}

/* The folder, the caller's; -ENOENT without an error if there is none yet. */
static int open_folder(const struct instance *inst, enum instance_logs_kind kind)
{
	scoped_fd int logs = open(inst->state->dirs->logs, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	scoped_free char *path = kind == INSTANCE_LOGS_OF_EXEC
	                                 ? path_join(inst->id, EXEC_FOLDER, NULL)
	                                 : xstrdup(inst->id);

	return logs < 0 ? -errno : path_open_beneath(logs, path, O_RDONLY | O_DIRECTORY, 0);
}

static char *url_of(const char *instance, enum instance_logs_kind kind, const char *name)
{
	return kind == INSTANCE_LOGS_OF_EXEC
	               ? lifecycle_url(NULL, (const char *const[]){ "instances", instance, "logs",
	                                                            EXEC_FOLDER, name, NULL })
	               : lifecycle_url(NULL, (const char *const[]){ "instances", instance, "logs",
	                                                            name, NULL });
}

static int list_names(int folder_take, enum instance_logs_kind kind, char ***ret_names)
{
	DIR *dir = fdopendir(folder_take);
	char **names = NULL;
	size_t n = 0;

	if (!dir) {
		int r = -errno;
		close(folder_take);
		return r;
	}
	for (struct dirent *e; n < MAX_LISTED && (e = readdir(dir));) {
		if (is_valid(kind, e->d_name)) {
			strv_add(&names, e->d_name);
			n++;
		}
	}
	closedir(dir);
	strv_sort(names);
	*ret_names = names;
	return 0;
}

int instance_logs_list(const struct instance *inst, enum instance_logs_kind kind,
                       struct json_object **ret_urls, struct error **err)
{
	scoped(strv_freep) char **names = NULL;

	int folder = open_folder(inst, kind);
	int r = folder == -ENOENT ? 0 : folder < 0 ? folder : list_names(folder, kind, &names);
	if (r < 0)
		return error_set_errno(err, r, "Failed reading the folder of logs");

	struct json_object *urls = jv_array();

	STRV_FOREACH (name, names) {
		scoped_free char *url = url_of(inst->row->row.name, kind, name);

		jv_add_string(urls, url);
	}
	*ret_urls = urls;
	return 0;
}

int instance_logs_open(const struct instance *inst, enum instance_logs_kind kind, const char *name,
                       int *ret_fd, uint64_t *ret_size, struct error **err)
{
	struct stat st = { 0 };

	int r = check_name(kind, name, err);
	if (r < 0)
		return r;

	scoped_fd int folder = open_folder(inst, kind);
	scoped_fd int fd =
		folder < 0 ? folder : path_open_beneath(folder, name, O_RDONLY | O_NONBLOCK, 0);
	if (fd == -ENOENT || (fd >= 0 && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))))
		return error_set(err, 404, "Log file \"%s\" not found", name);
	if (fd < 0)
		return error_set_errno(err, fd, "Failed opening log file \"%s\"", name);

	*ret_fd = TAKE_FD(fd);
	*ret_size = (uint64_t)st.st_size;
	return 0;
}

int instance_logs_delete(const struct instance *inst, enum instance_logs_kind kind,
                         const char *name, struct error **err)
{
	int r = check_name(kind, name, err);
	if (r < 0)
		return r;
	if (kind == INSTANCE_LOGS_OF_DRIVER &&
	    (!str_ends(name, ".log") || str_equals(name, "lxc.log")))
		return error_set(err, 400, "Only log files excluding lxc.log may be deleted");

	scoped_fd int folder = open_folder(inst, kind);
	if (folder < 0 && folder != -ENOENT)
		return error_set_errno(err, folder, "Failed opening the folder of logs");
	if (folder < 0 || (unlinkat(folder, name, 0) < 0 && errno == ENOENT))
		return error_set(err, 404, "Log file \"%s\" not found", name);

	return 0;
}

int instance_logs_record(const struct instance *inst, const char *id, int ret_fds[2],
                         struct error **err)
{
	static const char *const endings[] = { "stdout", "stderr" };
	scoped_free char *path = path_join(inst->id, EXEC_FOLDER, NULL);
	scoped_fd int logs = open(inst->state->dirs->logs, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	scoped_fd int folder = logs < 0 ? -errno : path_make_beneath(logs, path, 0700);
	int fds[2] = { -1, -1 };

	if (folder < 0)
		return error_set_errno(err, folder, "Failed making the folder of recorded output");
	for (size_t i = 0; i < 2; i++) {
		scoped_free char *name = xasprintf("exec_%s.%s", id, endings[i]);

		fds[i] = openat(folder, name,
		                O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW | O_CLOEXEC,
		                0600);
		if (fds[i] < 0) {
			int r = -errno;
			if (i > 0)
				close(fds[0]);
			return error_set_errno(err, r, "Failed making a file for recorded output");
		}
	}

	ret_fds[0] = fds[0];
	ret_fds[1] = fds[1];
	return 0;
}

struct json_object *instance_logs_recorded(const char *instance_name, const char *id)
{
	static const char *const endings[] = { "1", "stdout", "2", "stderr" };
	struct json_object *o = jv_object();

	for (size_t i = 0; i < COUNT_OF(endings); i += 2) {
		scoped_free char *name = xasprintf("exec_%s.%s", id, endings[i + 1]);
		scoped_free char *url = url_of(instance_name, INSTANCE_LOGS_OF_EXEC, name);

		jv_set_string(o, endings[i], url);
	}

	return o;
}
