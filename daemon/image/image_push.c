/* Sending an image to another server, as an upload that its client could have made. */
#include <stdlib.h>
#include <string.h>

#include "daemon/core/operation.h"
#include "daemon/core/state.h"
#include "daemon/image/image_export.h"
#include "daemon/image/image_remote.h"
#include "daemon/image/image_remote_private.h"
#include "daemon/storage/storage_service.h"
#include "drivers/host/op.h"
#include "lib/base/alloc.h"
#include "lib/base/fd.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/data/jv.h"
#include "lib/data/jv_parse.h"
#include "lib/net/http_client.h"
#include "lib/net/url.h"

struct sending {
	struct state *state;
	const struct image_push *push;
	struct http_client *client;
	struct op op;
};

static void report(uint64_t sent, uint64_t received, uint64_t total, void *arg)
{
	struct sending *s = arg;

	(void)received;
	op_report(&s->op, &(struct op_progress){ .stage = "upload",
	                                         .what = "image",
	                                         .bytes = sent,
	                                         .total_bytes = total });
}

/* The body of the upload, and its content type. */
static int make_body(struct sending *s, int *ret_fd, uint64_t *ret_size, char **ret_type,
                     struct error **err)
{
	scoped(image_export_done) struct image_export files = { .meta_fd = -1, .rootfs_fd = -1 };

	int r = image_export_open(s->state, s->push->project, s->push->fingerprint, &files, err);
	if (r < 0)
		return r;
	if (files.rootfs_fd >= 0)
		return image_export_multipart(s->state, &files, ret_fd, ret_size, ret_type, err);
	*ret_fd = TAKE_FD(files.meta_fd);
	*ret_size = files.meta_size;
	*ret_type = xstrdup("application/octet-stream");
	return 0;
}

/* Any request to the other server; the whole envelope of what it answers. */
static int ask(struct sending *s, const struct http_request *req, struct json_object **ret_envelope,
               struct error **err)
{
	scoped(http_response_done) struct http_response res = { 0 };

	int r = http_client_do(s->client, req, &res, err);
	if (r == 0 && res.status >= 400)
		r = http_client_error_of(&res, err);
	return r < 0 ? r : jv_parse_object(res.body, res.size, ret_envelope, err);
}

static char **headers_of(const struct sending *s, const char *type)
{
	struct url_query aliases = { 0 };
	char **headers = NULL;

	strv_addf(&headers, "Content-Type: %s", type);
	strv_addf(&headers, "X-LXD-fingerprint: %s", s->push->fingerprint);
	if (!str_is_empty(s->push->secret))
		strv_addf(&headers, "X-LXD-secret: %s", s->push->secret);
	for (const char *const *a = s->push->aliases; a && *a; a++)
		url_query_add(&aliases, "alias", *a);
	scoped_free char *text = url_query_build(&aliases);
	if (*text)
		strv_addf(&headers, "X-LXD-aliases: %s", text);
	url_query_done(&aliases);
	return headers;
}

static int upload(struct sending *s, char **ret_operation, struct error **err)
{
	scoped(jv_unrefp) struct json_object *envelope = NULL;
	scoped(strv_freep) char **headers = NULL;
	scoped_free char *type = NULL;
	scoped_free char *path = image_remote_path("/1.0/images", s->push->target_project, NULL);
	scoped_fd int fd = -EBADF;

	uint64_t size;

	int r = make_body(s, &fd, &size, &type, err);
	if (r < 0)
		return r;
	headers = headers_of(s, type);
	const struct http_request req = {
		.method = "POST",
		.path = path,
		.headers = (const char *const *)headers,
		.body_fd = fd,
		.has_body_fd = true,
		.body_size = size,
		.cancel = op_cancel(&s->op),
		.progress = report,
		.progress_arg = s,
	};
	r = ask(s, &req, &envelope, err);
	if (r < 0)
		return r;
	const char *url = str_or_empty(jv_text(envelope, "operation"));
	const char *id = str_after(url, "/1.0/operations/");
	if (!id || strpbrk(id, "/?#"))
		return error_set(err, 502, "The other server's answer is damaged");
	*ret_operation = xstrdup(id);
	return 0;
}

/* The other server checks and stores it as an operation of its own. */
static int wait_for(struct sending *s, const char *id, struct error **err)
{
	scoped(jv_unrefp) struct json_object *envelope = NULL;
	scoped_free char *plain = url_path("1.0", "operations", id, "wait", NULL);
	scoped_free char *path = image_remote_path(plain, NULL, s->push->secret);
	const struct http_request req = { .path = path, .cancel = op_cancel(&s->op) };

	int r = ask(s, &req, &envelope, err);
	if (r < 0)
		return r;
	struct json_object *operation = jv_member(envelope, "metadata");
	if (jv_number(operation, "status_code") != OPERATION_SUCCESS)
		return error_set(err, 400, "%s", str_or_empty(jv_text(operation, "err")));
	return 0;
}

int image_push(struct state *state, struct operation *op, const struct image_push *push,
               struct error **err)
{
	scoped(http_client_unrefp) struct http_client *client =
		image_remote_client(push->target, push->certificate);
	struct sending s = { state, push, client, storage_service_op(op) };
	scoped_free char *id = NULL;

	int r = upload(&s, &id, err);
	if (r == 0)
		r = wait_for(&s, id, err);
	return r < 0 ? error_wrap(err, "Failed sending the image to \"%s\"", push->target) : 0;
}
