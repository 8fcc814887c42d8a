/* /1.0/instances/{name}/files: its files, one at a time; .../sftp: all of them as a stream. */
#include "daemon/api/instance_files.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "daemon/api/instances_owner.h"
#include "daemon/api/route.h"
#include "daemon/core/lifecycle.h"
#include "daemon/core/request.h"
#include "daemon/core/response.h"
#include "daemon/core/state.h"
#include "daemon/instance/instance_file.h"
#include "lib/base/alloc.h"
#include "lib/base/fd.h"
#include "lib/base/parse.h"
#include "lib/base/path.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/base/worker.h"
#include "lib/data/jv.h"
#include "lib/net/http_exchange.h"
#include "lib/net/stream_pump.h"

#define MAX_LINK 4095

/* ?path=, absolute; relative ones begin at the root. Owned by the caller. NULL with an error. */
static char *get_path(struct request *req, struct error **err)
{
	const char *path = request_query(req, "path");

	if (str_is_empty(path)) {
		error_set(err, 400, "Missing path argument");
		return NULL;
	}

	return path_join("/", path, NULL);
}

static int open_files(struct request *req, struct instance_file **ret_file, struct error **err)
{
	return instance_file_open(req->state, req->project, request_param(req, "name"),
	                          request_cancel(req), ret_file, err);
}

static void send_event(struct request *req, const struct instance_file *file, const char *action,
                       const char *path)
{
	struct json_object *context = jv_object();

	jv_set_string(context, "path", path);
	lifecycle_send_for(req, action, req->project, instance_file_instance(file)->url, context);
}

/* --- Reading --- */

static void add_headers(struct response *res, const struct instance_file_info *info)
{
	char text[64];
	time_t modified = (time_t)info->modified;
	struct tm tm;

	snprintf(text, sizeof(text), "%u", info->uid);
	response_header(res, "X-LXD-uid", text);
	snprintf(text, sizeof(text), "%u", info->gid);
	response_header(res, "X-LXD-gid", text);
	snprintf(text, sizeof(text), "%04o", info->mode);
	response_header(res, "X-LXD-mode", text);
	if (gmtime_r(&modified, &tm) &&
	    strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S +0000 UTC", &tm) > 0)
		response_header(res, "X-LXD-modified", text);
	response_header(res, "X-LXD-type", instance_files_type_name(info->type));
}

/* A pipe, if the guest's filesystem is one that may hang. */
static void answer_content(struct response *res, const char *path, int fd_take)
{
	struct stat st;

	if (fstat(fd_take, &st) == 0 && S_ISREG(st.st_mode))
		response_file(res, NULL, path_base(path), fd_take, (uint64_t)st.st_size);
	else
		response_pipe(res, NULL, path_base(path), fd_take);
}

/* Where a link leads, as an absolute path: that is what clients have always been told. */
static void answer_target(struct response *res, const char *path, const char *target)
{
	scoped_free char *dir = path_dir(path);
	char *resolved =
		path_is_absolute(target) ? path_clean(target) : path_join(dir, target, NULL);

	response_raw(res, 200, "application/octet-stream", resolved, strlen(resolved));
}

static int files_get(struct request *req, struct response *res, struct error **err)
{
	scoped(instance_file_closep) struct instance_file *file = NULL;
	scoped(strv_freep) char **names = NULL;
	scoped_free char *path = get_path(req, err);
	struct instance_file_info info;
	scoped_fd int fd = -1;

	if (!path)
		return (*err)->code;
	int r = open_files(req, &file, err);
	if (r < 0)
		return r;
	r = instance_files_get(instance_file_session(file), path, &info, &fd, &names, err);
	if (r < 0)
		return error_wrap(err, "Failed accessing \"%s\" in instance \"%s\"", path,
		                  request_param(req, "name"));

	if (str_equals(req->method, "GET"))
		send_event(req, file, "instance-file-retrieved", path);
	add_headers(res, &info);
	switch (info.type) {
	case INSTANCE_FILE_REGULAR:
		answer_content(res, path, TAKE_FD(fd));
		break;
	case INSTANCE_FILE_DIRECTORY:
		response_sync(res, jv_of_strv(names));
		break;
	case INSTANCE_FILE_SYMLINK:
		answer_target(res, path, names ? names[0] : "");
		break;
	case INSTANCE_FILE_OTHER:
		return error_set(err, 400, "\"%s\" is not a regular file", path);
	}

	return 0;
}

/* --- Writing --- */

static int header_id(struct request *req, const char *name, int64_t *ret_id, struct error **err)
{
	const char *text = request_header(req, name);
	uint32_t id;

	*ret_id = -1;
	if (str_is_empty(text) || str_equals(text, "-1"))
		return 0;
	if (parse_uint32(text, &id) < 0 || id == UINT32_MAX)
		return error_set(err, 400, "Invalid %s \"%s\"", name, text);

	*ret_id = id;
	return 0;
}

static int header_mode(struct request *req, int *ret_mode, struct error **err)
{
	const char *text = request_header(req, "X-LXD-mode");
	unsigned mode;

	*ret_mode = -1;
	if (str_is_empty(text) || str_equals(text, "-1"))
		return 0;
	if (parse_mode(text, &mode) < 0)
		return error_set(err, 400, "Invalid X-LXD-mode \"%s\"", text);

	*ret_mode = (int)mode;
	return 0;
}

/* "uid,gid,mode": what is changed of a file that exists. */
static int header_changes(struct request *req, struct instance_file_push *push, struct error **err)
{
	scoped(strv_freep) char **words =
		strv_split_trimmed(str_or_empty(request_header(req, "X-LXD-modify-perm")), ',');

	STRV_FOREACH (word, words) {
		if (str_equals(word, "mode"))
			push->sets_mode = true;
		else if (str_equals(word, "uid"))
			push->sets_uid = true;
		else if (str_equals(word, "gid"))
			push->sets_gid = true;
		else
			return error_set(err, 400, "Invalid X-LXD-modify-perm \"%s\"", word);
	}

	return 0;
}

static int header_type(struct request *req, struct instance_file_push *push, struct error **err)
{
	static const enum instance_file_type types[] = { INSTANCE_FILE_REGULAR,
		                                         INSTANCE_FILE_DIRECTORY,
		                                         INSTANCE_FILE_SYMLINK };
	const char *type = request_header(req, "X-LXD-type");
	const char *how = request_header(req, "X-LXD-write");
	size_t i = 0;

	while (!str_is_empty(type) && i < COUNT_OF(types) &&
	       !str_equals(type, instance_files_type_name(types[i])))
		i++;
	if (i == COUNT_OF(types))
		return error_set(err, 400, "Bad file type \"%s\"", type);
	if (!str_is_empty(how) && !str_equals(how, "overwrite") && !str_equals(how, "append"))
		return error_set(err, 400, "Bad file write mode \"%s\"", how);

	push->type = types[i];
	push->how = str_equals(how, "append") ? INSTANCE_FILE_APPEND : INSTANCE_FILE_OVERWRITE;
	return 0;
}

static int read_headers(struct request *req, struct instance_file_push *push, struct error **err)
{
	if (header_type(req, push, err) < 0 || header_mode(req, &push->attr.mode, err) < 0 ||
	    header_id(req, "X-LXD-uid", &push->attr.uid, err) < 0 ||
	    header_id(req, "X-LXD-gid", &push->attr.gid, err) < 0 ||
	    header_changes(req, push, err) < 0)
		return (*err)->code;

	return 0;
}

/* The body is the file, or the target of the link. */
static int read_body(struct request *req, struct instance_file_push *push, char **ret_target,
                     struct error **err)
{
	scoped_free char *text = NULL;
	uint64_t size;
	size_t n;

	if (push->type == INSTANCE_FILE_DIRECTORY)
		return 0;
	int r = request_body_fd(req, &push->fd, &size, err);
	if (r < 0 || push->type == INSTANCE_FILE_REGULAR)
		return r;

	r = fd_read_all(push->fd, MAX_LINK, &text, &n);
	if (r < 0 || n == 0 || strlen(text) != n)
		return error_set(err, 400, "Invalid target of a link");
	push->target = *ret_target = TAKE_PTR(text);
	return 0;
}

static int files_post(struct request *req, struct response *res, struct error **err)
{
	scoped(instance_file_closep) struct instance_file *file = NULL;
	struct instance_file_push push = { .fd = -1 };
	scoped_free char *path = get_path(req, err);
	scoped_free char *target = NULL;

	if (!path)
		return (*err)->code;
	int r = read_headers(req, &push, err);
	if (r == 0)
		r = read_body(req, &push, &target, err);
	if (r == 0)
		r = open_files(req, &file, err);
	if (r < 0)
		return r;
	r = instance_file_put(file, path, &push, err);
	if (r < 0)
		return error_wrap(err, "Failed writing \"%s\" in instance \"%s\"", path,
		                  request_param(req, "name"));

	send_event(req, file, "instance-file-pushed", path);
	response_empty(res);
	return 0;
}

static int files_delete(struct request *req, struct response *res, struct error **err)
{
	scoped(instance_file_closep) struct instance_file *file = NULL;
	scoped_free char *path = get_path(req, err);
	bool is_forced = false;

	if (!path)
		return (*err)->code;
	int r = request_query_bool(req, "force", &is_forced, err);
	if (r == 0)
		r = open_files(req, &file, err);
	if (r < 0)
		return r;
	is_forced = is_forced || parse_is_true(request_header(req, "X-LXD-force"));
	r = instance_files_delete(instance_file_session(file), path, is_forced, err);
	if (r < 0)
		return error_wrap(err, "Failed removing \"%s\" in instance \"%s\"", path,
		                  request_param(req, "name"));

	send_event(req, file, "instance-file-deleted", path);
	response_empty(res);
	return 0;
}

/* --- All of them --- */

/* An upgraded connection, and what it is pumped to. */
struct sftp {
	struct state *state;
	struct instance_file *file;
	int fd;
};

/* Unmounting may block. */
static void close_files(void *arg)
{
	struct sftp *s = arg;

	instance_file_close(s->file);
	free(s);
}

static void pumped(int status, void *arg)
{
	struct sftp *s = arg;

	(void)status;
	/* A daemon that is ending takes no more work; then this thread may as well. */
	if (atomic_load(&s->state->is_shutting_down) ||
	    worker_submit(s->state->jobs, close_files, s) < 0)
		close_files(s);
}

static void upgraded(struct stream *stream, void *arg)
{
	struct sftp *s = arg;

	if (!stream) {
		close(s->fd);
		pumped(0, s);
		return;
	}

	stream_pump_take(s->state->loop, stream, stream_new_fd_take(s->fd), pumped, s);
}

static int sftp_get(struct request *req, struct response *res, struct error **err)
{
	struct instance_file *file = NULL;
	int fd = -1;

	if (!http_exchange_wants_upgrade(req->exchange, "sftp"))
		return error_set(err, 400, "Missing or invalid upgrade header");
	int r = instance_file_sftp(req->state, req->project, request_param(req, "name"),
	                           request_cancel(req), &fd, &file, err);
	if (r < 0)
		return r;

	struct sftp *s = xcalloc(1, sizeof(*s));

	*s = (struct sftp){ .state = req->state, .file = file, .fd = fd };
	response_upgrade(res, "sftp", upgraded, s);
	return 0;
}

/* clang-format off */
static const struct route routes[] = {
	{ "GET",    "/1.0/instances/{name}/files", files_get,    ACCESS_ENTITLED, "instance", "can_access_files", ON_OWNER, "instances",   instances_owner, ROUTE_BODY_JSON, true },
	{ "POST",   "/1.0/instances/{name}/files", files_post,   ACCESS_ENTITLED, "instance", "can_access_files", ON_OWNER, "instances",   instances_owner, ROUTE_BODY_FILE, false },
	{ "DELETE", "/1.0/instances/{name}/files", files_delete, ACCESS_ENTITLED, "instance", "can_access_files", ON_OWNER, "file_delete", instances_owner, ROUTE_BODY_JSON, false },
	{ "GET",    "/1.0/instances/{name}/sftp",  sftp_get,     ACCESS_ENTITLED, "instance", "can_connect_sftp", ON_OWNER, NULL,          instances_owner, ROUTE_BODY_JSON, false },
};
/* clang-format on */

const struct route_table instance_files_routes = ROUTE_TABLE(routes);
