#include "client/instance_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/data/jv.h"
#include "lib/net/url.h"

static const char *const types[] = { [INSTANCE_FILE] = "file",
	                             [INSTANCE_DIRECTORY] = "directory",
	                             [INSTANCE_SYMLINK] = "symlink" };

static char *path_of(const struct instance_path *at)
{
	return server_path(at->server, "/1.0/instances/%s/files?path=%s", at->instance, at->path);
}

static int64_t header_number(const struct http_answer *answer, const char *name, int base)
{
	const char *text = http_header(answer, name);

	return text ? strtoll(text, NULL, base) : -1;
}

static void read_headers(const struct http_answer *answer, struct instance_file *file)
{
	const char *type = http_header(answer, "X-LXD-type");

	file->type = INSTANCE_FILE;
	for (size_t i = 0; i < COUNT_OF(types); i++) {
		if (str_equals(type, types[i]))
			file->type = (enum instance_file_type)i;
	}
	file->uid = header_number(answer, "X-LXD-uid", 10);
	file->gid = header_number(answer, "X-LXD-gid", 10);
	file->mode = (int)header_number(answer, "X-LXD-mode", 8);
}

int instance_file_get(const struct instance_path *at, int sink_fd, struct instance_file *ret_file,
                      char **ret_text, struct json_object **ret_names, struct error **err)
{
	scoped_free char *path = path_of(at);
	struct server_answer answer;
	struct server_call call = { .sink_fd = sink_fd, .has_sink = sink_fd >= 0 };
	int r = server_call(at->server, &call, path, &answer, err);

	if (r < 0)
		return r;
	if (ret_file)
		read_headers(&answer.http, ret_file);
	if (ret_text)
		*ret_text = TAKE_PTR(answer.http.body);
	if (ret_names)
		*ret_names = jv_ref(jv_member(answer.envelope, "metadata"));
	server_answer_done(&answer);
	return 0;
}

static char **headers_of(const struct instance_file *file)
{
	char **headers = NULL;

	strv_addf(&headers, "X-LXD-type: %s", types[file->type]);
	strv_add(&headers, "X-LXD-write: overwrite");
	strv_add(&headers, "Content-Type: application/octet-stream");
	if (file->uid >= 0)
		strv_addf(&headers, "X-LXD-uid: %lld", (long long)file->uid);
	if (file->gid >= 0)
		strv_addf(&headers, "X-LXD-gid: %lld", (long long)file->gid);
	if (file->mode >= 0)
		strv_addf(&headers, "X-LXD-mode: %04o", (unsigned)file->mode & 07777U);
	return headers;
}

int instance_file_put(const struct instance_path *at, const struct instance_file *file, int fd,
                      uint64_t size, struct error **err)
{
	scoped(strv_freep) char **headers = headers_of(file);
	scoped_free char *path = path_of(at);
	struct server_answer answer;
	struct server_call call = { .method = "POST",
		                    .headers = (const char *const *)headers,
		                    .body_fd = fd,
		                    .body_fd_size = size };
	int r = server_call(at->server, &call, path, &answer, err);

	if (r == 0)
		server_answer_done(&answer);
	return r;
}

int instance_file_make(const struct instance_path *at, const struct instance_file *file,
                       const char *target, struct error **err)
{
	FILE *text = target && *target ? tmpfile() : NULL;
	size_t size = target ? strlen(target) : 0;
	int r;

	if (!text)
		return instance_file_put(at, file, -1, 0, err);
	if (fwrite(target, 1, size, text) != size || fflush(text) != 0 ||
	    lseek(fileno(text), 0, SEEK_SET) < 0)
		r = error_set(err, 500, "Failed writing a temporary file");
	else
		r = instance_file_put(at, file, fileno(text), size, err);
	fclose(text);
	return r;
}

int instance_file_delete(const struct instance_path *at, bool force, struct error **err)
{
	scoped(strv_freep) char **headers = NULL;
	scoped_free char *path = path_of(at);
	struct server_answer answer;

	if (force)
		strv_add(&headers, "X-LXD-force: true");
	struct server_call call = { .method = "DELETE", .headers = (const char *const *)headers };
	int r = server_call(at->server, &call, path, &answer, err);
	if (r == 0)
		server_answer_done(&answer);
	return r;
}

int instance_file_make_parents(const struct instance_path *at, const struct instance_file *like,
                               struct error **err)
{
	scoped_free char *path = xstrdup(at->path);
	struct instance_file dir = { INSTANCE_DIRECTORY, like->uid, like->gid, 0755 };

	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		scoped(error_freep) struct error *missing = NULL;
		struct instance_path parent = { at->server, at->instance, path };

		*slash = '\0';
		int r = instance_file_get(&parent, -1, NULL, NULL, NULL, &missing);
		if (r < 0 && missing->status != 404 && missing->status != 500) {
			*err = TAKE_PTR(missing);
			return r;
		}
		if (r < 0 && instance_file_make(&parent, &dir, NULL, err) < 0)
			return error_wrap(err, "Failed making the directory \"%s\"", path);
		*slash = '/';
	}
	return 0;
}
