#include "drivers/instance/instance_files.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "drivers/instance/ct/ct_job.h"
#include "drivers/instance/ct/ct_spawner.h"
#include "lib/base/alloc.h"
#include "lib/base/bytes.h"
#include "lib/base/date.h"
#include "lib/base/enum.h"
#include "lib/base/fd.h"
#include "lib/base/strv.h"

#define CALL_TIMEOUT_MS 30000
#define PUT_TIMEOUT_MS 600000
#define END_TIMEOUT_MS 500
#define MAX_PATH 4096

struct instance_files {
	int socket;
	int pidfd; /* Of the helper. */
};

static const char *const type_names[] = {
	[INSTANCE_FILE_REGULAR] = "file",
	[INSTANCE_FILE_DIRECTORY] = "directory",
	[INSTANCE_FILE_SYMLINK] = "symlink",
	[INSTANCE_FILE_OTHER] = "other",
};

const char *instance_files_type_name(enum instance_file_type type)
{
	return ENUM_NAME(type_names, type);
}

static void put_text(struct strbuf *b, const char *text)
{
	strbuf_add_n(b, text, strlen(text) + 1);
}

struct instance_files *instance_files_new(int socket, int pidfd)
{
	struct instance_files *files = xcalloc(1, sizeof(*files));

	files->socket = socket;
	files->pidfd = pidfd;
	return files;
}

void instance_files_free(struct instance_files *files)
{
	if (!files)
		return;
	close(files->socket);
	if (files->pidfd >= 0) {
		if (fd_wait(files->pidfd, POLLIN, date_deadline(END_TIMEOUT_MS)) == 0) {
			fd_kill(files->pidfd, SIGKILL);
			fd_wait(files->pidfd, POLLIN, date_deadline(END_TIMEOUT_MS));
		}
		close(files->pidfd);
	}
	free(files);
}

/* Sends a request and waits for its answer. A helper that does not answer is ended. */
static int call(struct instance_files *files, const struct strbuf *request, int fd,
                struct strbuf *ret_reply, int *ret_fd, struct error **err)
{
	int timeout = fd >= 0 ? PUT_TIMEOUT_MS : CALL_TIMEOUT_MS;

	int r = fd_send(files->socket, request->text, request->size, &fd, fd >= 0);
	if (r < 0)
		return error_set_errno(err, r, "Failed asking the file helper");
	r = ct_spawner_reply(files->socket, timeout, ret_reply, ret_fd, ret_fd != NULL, err);
	if (r == -ETIMEDOUT && files->pidfd >= 0)
		fd_kill(files->pidfd, SIGKILL);
	return r;
}

static int begin(struct strbuf *request, enum ct_job_file what, const char *path,
                 struct error **err)
{
	if (strlen(path) >= MAX_PATH)
		return error_set(err, 400, "Path is too long");
	bytes_put_u8(request, what);
	put_text(request, path);
	return 0;
}

static void put_attr(struct strbuf *request, const struct instance_file_attr *attr)
{
	bytes_put_le32(request, (uint32_t)attr->mode);
	bytes_put_le64(request, (uint64_t)attr->uid);
	bytes_put_le64(request, (uint64_t)attr->gid);
}

static void read_info(struct bytes *b, struct instance_file_info *ret_info)
{
	*ret_info = (struct instance_file_info){
		.type = bytes_u8(b),
		.mode = bytes_le32(b),
		.uid = bytes_le32(b),
		.gid = bytes_le32(b),
		.size = bytes_le64(b),
		.modified = (int64_t)bytes_le64(b),
	};
}

int instance_files_stat(struct instance_files *files, const char *path,
                        struct instance_file_info *ret_info, struct error **err)
{
	scoped(strbuf_done) struct strbuf request = { 0 }, reply = { 0 };

	int r = begin(&request, CT_JOB_FILE_STAT, path, err);
	if (r == 0)
		r = call(files, &request, -1, &reply, NULL, err);
	if (r < 0)
		return r;
	struct bytes b = { .data = (const uint8_t *)reply.text, .size = reply.size };
	read_info(&b, ret_info);
	return 0;
}

/* A directory may have more names than one packet holds: they come as a file in memory. */
static int read_names(int fd, char ***ret_names, struct error **err)
{
	scoped_free char *text = NULL;
	size_t size = 0;

	int r = fd_read_all(fd, 64 << 20, &text, &size);
	if (r < 0)
		return error_set_errno(err, r, "Failed reading the directory");
	char **names = NULL;
	for (size_t at = 0; at < size; at += strlen(text + at) + 1)
		strv_add(&names, text + at);
	if (!names)
		names = xcalloc(1, sizeof(*names));
	*ret_names = names;
	return 0;
}

int instance_files_get(struct instance_files *files, const char *path,
                       struct instance_file_info *ret_info, int *ret_fd, char ***ret_names,
                       struct error **err)
{
	scoped(strbuf_done) struct strbuf request = { 0 }, reply = { 0 };
	scoped_fd int fd = -1;

	int r = begin(&request, CT_JOB_FILE_GET, path, err);
	if (r == 0)
		r = call(files, &request, -1, &reply, &fd, err);
	if (r < 0)
		return r;

	struct bytes b = { .data = (const uint8_t *)reply.text, .size = reply.size };
	read_info(&b, ret_info);
	*ret_fd = -1;
	*ret_names = NULL;
	switch (ret_info->type) {
	case INSTANCE_FILE_DIRECTORY:
		return read_names(fd, ret_names, err);
	case INSTANCE_FILE_SYMLINK:
		*ret_names = strv_new(bytes_text(&b), NULL);
		return 0;
	case INSTANCE_FILE_REGULAR:
		*ret_fd = TAKE_FD(fd);
		return 0;
	case INSTANCE_FILE_OTHER:
		break;
	}

	return error_set(err, 400, "not a regular file");
}

int instance_files_put(struct instance_files *files, const char *path, int fd,
                       const struct instance_file_attr *attr, enum instance_file_write how,
                       struct error **err)
{
	scoped(strbuf_done) struct strbuf request = { 0 }, reply = { 0 };

	int r = begin(&request, CT_JOB_FILE_PUT, path, err);
	if (r < 0)
		return r;
	put_attr(&request, attr);
	bytes_put_u8(&request, how == INSTANCE_FILE_APPEND);
	return call(files, &request, fd, &reply, NULL, err);
}

int instance_files_mkdir(struct instance_files *files, const char *path,
                         const struct instance_file_attr *attr, struct error **err)
{
	scoped(strbuf_done) struct strbuf request = { 0 }, reply = { 0 };

	int r = begin(&request, CT_JOB_FILE_MKDIR, path, err);
	if (r < 0)
		return r;
	put_attr(&request, attr);
	return call(files, &request, -1, &reply, NULL, err);
}

int instance_files_symlink(struct instance_files *files, const char *path, const char *target,
                           const struct instance_file_attr *attr, struct error **err)
{
	scoped(strbuf_done) struct strbuf request = { 0 }, reply = { 0 };

	if (strlen(target) >= MAX_PATH)
		return error_set(err, 400, "Link target is too long");
	int r = begin(&request, CT_JOB_FILE_SYMLINK, path, err);
	if (r < 0)
		return r;
	put_attr(&request, attr);
	put_text(&request, target);
	return call(files, &request, -1, &reply, NULL, err);
}

int instance_files_delete(struct instance_files *files, const char *path, bool recursive,
                          struct error **err)
{
	scoped(strbuf_done) struct strbuf request = { 0 }, reply = { 0 };

	int r = begin(&request, CT_JOB_FILE_DELETE, path, err);
	if (r < 0)
		return r;
	bytes_put_u8(&request, recursive);
	return call(files, &request, -1, &reply, NULL, err);
}
