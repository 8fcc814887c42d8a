#include "client/image_transfer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/follow.h"
#include "lib/base/alloc.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/macro.h"
#include "lib/base/path.h"
#include "lib/base/random.h"
#include "lib/base/scoped.h"
#include "lib/base/str.h"

static int open_file(const char *path, uint64_t *ret_size, struct error **err)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) < 0)
		return error_set_errno(err, -errno, "Failed opening \"%s\"", path);
	if (!S_ISREG(st.st_mode) || !st.st_size) {
		close(fd);
		return error_set(err, 400, "\"%s\" is no file with something in it", path);
	}
	*ret_size = (uint64_t)st.st_size;
	return fd;
}

/* Where big files may lie for a while. */
static int open_temporary(struct error **err)
{
	const char *dir = getenv("TMPDIR");
	int fd = open(dir && *dir ? dir : "/var/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd < 0)
		error_set_errno(err, -errno, "Failed making a temporary file");
	return fd;
}

static int add_part(int to, const char *boundary, const char *name, const char *path,
                    struct error **err)
{
	uint64_t size;
	scoped_free char *head =
		xasprintf("--%s\r\n"
	                  "Content-Disposition: form-data; name=\"%s\"; filename=\"%s\"\r\n"
	                  "Content-Type: application/octet-stream\r\n\r\n",
	                  boundary, name, path_base(path));
	scoped_fd int from = open_file(path, &size, err);

	if (from < 0)
		return from;
	int r = fd_write_full(to, head, strlen(head));
	int64_t n = r < 0 ? r : fd_copy(from, to, UINT64_MAX);
	if (n >= 0)
		r = fd_write_full(to, "\r\n", 2);
	if (n < 0 || r < 0)
		return error_set_errno(err, n < 0 ? (int)n : r, "Failed copying \"%s\"", path);
	return 0;
}

int image_transfer_open(const char *metadata, const char *rootfs, int *ret_fd, uint64_t *ret_size,
                        char **ret_type, struct error **err)
{
	int r;

	if (!rootfs) {
		r = open_file(metadata, ret_size, err);
		if (r < 0)
			return r;
		*ret_fd = r;
		*ret_type = xstrdup("application/octet-stream");
		return 0;
	}
	scoped_free char *boundary = random_hex(16);
	scoped_free char *tail = xasprintf("--%s--\r\n", boundary);
	scoped_fd int fd = open_temporary(err);
	if (fd < 0)
		return fd;
	r = add_part(fd, boundary, "metadata", metadata, err);
	if (r == 0)
		r = add_part(fd, boundary, "rootfs", rootfs, err);
	if (r == 0 && fd_write_full(fd, tail, strlen(tail)) < 0)
		r = error_set(err, 500, "Failed writing a temporary file");
	if (r < 0)
		return r;
	*ret_size = (uint64_t)lseek(fd, 0, SEEK_CUR);
	lseek(fd, 0, SEEK_SET);
	*ret_type = xasprintf("multipart/form-data; boundary=%s", boundary);
	*ret_fd = TAKE_FD(fd);
	return 0;
}

/* The value of 'key="..."' in a header, owned by the caller; NULL if there is none. */
static char *header_field(const char *header, size_t len, const char *key)
{
	scoped_free char *text = xasprintf("%.*s", (int)len, header);
	scoped_free char *start = xasprintf("%s=", key);
	char *p = strstr(text, start);

	if (!p)
		return NULL;
	p += strlen(start);
	if (*p == '"')
		return xasprintf("%.*s", (int)strcspn(p + 1, "\""), p + 1);
	return xasprintf("%.*s", (int)strcspn(p, "; \r\n"), p);
}

/* What follows the fingerprint in a file name: ".tar.gz". */
static const char *suffix_of(const char *file_name)
{
	const char *tar = strstr(file_name, ".tar"), *dot = strrchr(file_name, '.');

	return tar ? tar : dot ? dot : "";
}

/* The path for a file that the server calls 'server_name'. */
static char *path_for(const char *target, const char *fingerprint, const char *server_name,
                      bool is_rootfs, bool is_split)
{
	const char *suffix = suffix_of(server_name ? path_base(server_name) : "");
	const char *meta = is_split && !is_rootfs ? "meta-" : "";

	if (!target || file_is_dir(target) || str_ends(target, "/")) {
		scoped_free char *name = xasprintf("%s%s%s", meta, fingerprint, suffix);

		return path_join(target ? target : ".", name, NULL);
	}
	return xasprintf("%s%s%s", target, is_rootfs ? ".root" : "", suffix);
}

static int write_part(const char *path, const char *data, size_t size, struct error **err)
{
	scoped_fd int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	int r = fd < 0 ? -errno : fd_write_full(fd, data, size);

	return r < 0 ? error_set_errno(err, r, "Failed writing \"%s\"", path) : 0;
}

/* One part of a form: headers, an empty line, the file. */
static int take_part(const char *part, size_t size, const char *fingerprint, const char *target,
                     struct error **err)
{
	const char *end = memmem(part, size, "\r\n\r\n", 4);

	if (!end)
		return error_set(err, 502, "The server's form is damaged");
	size_t head = (size_t)(end - part);
	scoped_free char *name = header_field(part, head, "; name");
	scoped_free char *file_name = header_field(part, head, "filename");
	scoped_free char *path =
		path_for(target, fingerprint, file_name, str_starts(name, "rootfs"), true);

	return write_part(path, end + 4, size - head - 4, err);
}

static int take_form(const char *data, size_t size, const char *boundary, const char *fingerprint,
                     const char *target, struct error **err)
{
	scoped_free char *mark = xasprintf("--%s", boundary);
	size_t len = strlen(mark);
	const char *end = data + size, *p = memmem(data, size, mark, len);

	while (p && p + len + 2 <= end && memcmp(p + len, "--", 2) != 0) {
		const char *part = p + len + 2;
		const char *next = memmem(part, (size_t)(end - part), mark, len);

		if (!next || next - part < 2)
			return error_set(err, 502, "The server's form is damaged");
		int r = take_part(part, (size_t)(next - part) - 2, fingerprint, target, err);
		if (r < 0)
			return r;
		p = next;
	}
	return p ? 0 : error_set(err, 502, "The server's form is damaged");
}

static int take_file(int fd, size_t size, const struct http_answer *answer, const char *fingerprint,
                     const char *target, struct error **err)
{
	const char *type = str_or_empty(http_header(answer, "Content-Type"));
	const char *disposition = str_or_empty(http_header(answer, "Content-Disposition"));
	char *data = size ? mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
	int r;

	if (data == MAP_FAILED)
		return error_set(err, 502, "The server has sent nothing");
	if (str_starts(type, "multipart/form-data")) {
		scoped_free char *boundary = header_field(type, strlen(type), "boundary");

		r = boundary ? take_form(data, size, boundary, fingerprint, target, err)
		             : error_set(err, 502, "The server's form is damaged");
	} else {
		scoped_free char *name = header_field(disposition, strlen(disposition), "filename");
		scoped_free char *path = path_for(target, fingerprint, name, false, false);

		r = write_part(path, data, size, err);
	}
	munmap(data, size);
	return r;
}

int image_transfer_download(const struct client *client, struct server *server,
                            const char *fingerprint, const char *target, struct error **err)
{
	struct follow_transfer progress = { .label = "Exporting the image" };
	scoped_free char *path = server_path(server, "/1.0/images/%s/export", fingerprint);
	struct server_answer answer;
	struct stat st;
	scoped_fd int fd = open_temporary(err);

	if (fd < 0)
		return fd;
	struct server_call call = { .sink_fd = fd,
		                    .has_sink = true,
		                    .progress = follow_is_shown(client) ? follow_transfer : NULL,
		                    .progress_arg = &progress };
	int r = server_call(server, &call, path, &answer, err);
	if (call.progress)
		follow_show_line(NULL, NULL);
	if (r < 0)
		return r;
	if (fstat(fd, &st) < 0)
		r = error_set_errno(err, -errno, "Failed reading a temporary file");
	else
		r = take_file(fd, (size_t)st.st_size, &answer.http, fingerprint, target, err);
	server_answer_done(&answer);
	return r;
}
