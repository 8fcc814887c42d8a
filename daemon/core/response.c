#include "daemon/core/response.h"

#include <stdio.h>
#include <string.h>

#include "daemon/core/kept_answers.h"
#include "daemon/core/operation.h"
#include "daemon/core/request.h"
#include "daemon/core/state.h"
#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/base/strbuf.h"
#include "lib/data/jv.h"
#include "lib/data/jv_print.h"
#include "lib/net/digest.h"
#include "lib/net/http_exchange.h"
#include "lib/net/stream.h"

/* The seven fields, in the order in which LXD writes them. */
struct envelope {
	const char *type;
	const char *status;
	int status_code;
	const char *operation;
	int error_code;
	const char *error;
	struct json_object *metadata;
};

#define END "}\n"

/* All but the metadata and END. */
static void print_begin(const struct envelope *e, struct strbuf *b)
{
	strbuf_addf(b,
	            "{\"type\":\"%s\",\"status\":\"%s\",\"status_code\":%d,\"operation\":\"%s\",",
	            e->type, e->status, e->status_code, e->operation);
	strbuf_addf(b, "\"error_code\":%d,\"error\":", e->error_code);
	jv_print_string(e->error, strlen(e->error), b);
	strbuf_add(b, ",\"metadata\":");
}

static char *print(const struct envelope *e, size_t *ret_size)
{
	scoped(strbuf_done) struct strbuf b = { 0 };

	print_begin(e, &b);
	jv_print(e->metadata, &b);
	strbuf_add(&b, END);
	*ret_size = b.size;
	return strbuf_take(&b);
}

/* Every answer begins here. */
static void begin(struct response *res)
{
	assert(!res->is_sent);
	res->is_sent = true;
	if (res->request)
		request_let_go(res->request);
	res->request = NULL;
}

static void send_json(struct response *res, int status, const struct envelope *e)
{
	size_t size;
	char *text = print(e, &size);

	begin(res);
	http_exchange_add_header(res->exchange, "Content-Type", "application/json");
	http_exchange_reply_take(res->exchange, status, text, size);
}

static struct envelope success(struct json_object *metadata)
{
	return (struct envelope){
		.type = "sync",
		.status = "Success",
		.status_code = 200,
		.operation = "",
		.error = "",
		.metadata = metadata,
	};
}

static void send_sync(struct response *res, int status, struct json_object *metadata)
{
	const struct envelope e = success(metadata);

	send_json(res, status, &e);
}

void response_sync(struct response *res, struct json_object *metadata_take)
{
	send_sync(res, 200, metadata_take);
	jv_unref(metadata_take);
}

void response_sync_etag(struct response *res, struct json_object *metadata_take,
                        struct json_object *etag_source)
{
	scoped_free char *etag = response_etag(etag_source);
	scoped_free char *quoted = xasprintf("\"%s\"", etag);

	http_exchange_add_header(res->exchange, "ETag", quoted);
	response_sync(res, metadata_take);
}

struct kept_answer *response_keep(struct json_object *metadata, struct json_object *etag_source)
{
	const struct envelope e = success(metadata);
	size_t size;
	scoped_free char *text = print(&e, &size);
	scoped_free char *etag = response_etag(etag_source);
	struct kept_answer *answer = xmalloc(sizeof(*answer) + size);

	refs_init(&answer->refs);
	str_copy(answer->etag, sizeof(answer->etag), etag);
	answer->size = size;
	memcpy(answer->text, text, size);
	return answer;
}

static void add_etag(struct response *res, const char *etag)
{
	char quoted[DIGEST_SHA256_HEX_SIZE + 2];

	snprintf(quoted, sizeof(quoted), "\"%s\"", etag);
	http_exchange_add_header(res->exchange, "ETag", quoted);
}

void response_text_begin(struct strbuf *b)
{
	const struct envelope e = success(NULL);

	print_begin(&e, b);
}

void response_text(struct response *res, struct strbuf *b, const char *etag)
{
	strbuf_add(b, END);
	if (etag)
		add_etag(res, etag);
	begin(res);
	http_exchange_add_header(res->exchange, "Content-Type", "application/json");
	size_t size = b->size;
	http_exchange_reply_take(res->exchange, 200, strbuf_take(b), size);
}

void response_kept(struct response *res, const struct kept_answer *answer)
{
	add_etag(res, answer->etag);
	begin(res);
	http_exchange_add_header(res->exchange, "Content-Type", "application/json");
	http_exchange_reply(res->exchange, 200, answer->text, answer->size);
}

void response_empty(struct response *res)
{
	response_sync(res, jv_object());
}

void response_created(struct response *res, const char *location)
{
	http_exchange_add_header(res->exchange, "Location", location);
	send_sync(res, 201, NULL);
}

void response_async(struct response *res, const char *url, struct json_object *metadata_take)
{
	const struct envelope e = {
		.type = "async",
		.status = "Operation created",
		.status_code = 100,
		.operation = url,
		.error = "",
		.metadata = metadata_take,
	};

	http_exchange_add_header(res->exchange, "Location", url);
	send_json(res, 202, &e);
	jv_unref(metadata_take);
}

int response_operation(struct response *res, struct operation *op, struct error **err)
{
	scoped_free char *url = operation_url(op);

	int r = operation_start(op, err);
	if (r < 0)
		return r;

	response_async(res, url, operation_json(op, true));
	return 0;
}

int response_operation_done(struct response *res, struct operation *op, struct error **err)
{
	scoped_free char *url = operation_url(op);

	int r = operation_run_here(op, err);
	if (r < 0)
		return r;

	response_async(res, url, operation_json(op, true));
	return 0;
}

void response_raw(struct response *res, int status, const char *content_type, void *data_take,
                  size_t size)
{
	begin(res);
	if (content_type)
		http_exchange_add_header(res->exchange, "Content-Type", content_type);
	http_exchange_reply_take(res->exchange, status, data_take, size);
}

/* A quoted file name that no byte of can end the quotes or the header. */
static void name_file(struct response *res, const char *content_type, const char *filename)
{
	http_exchange_add_header(res->exchange, "Content-Type",
	                         content_type ? content_type : "application/octet-stream");
	if (!filename)
		return;

	scoped(strbuf_done) struct strbuf b = { 0 };

	strbuf_add(&b, "inline;filename=\"");
	for (const char *c = filename; *c; c++)
		strbuf_add_char(&b, (unsigned char)*c < 0x20 || *c == '"' || *c == 0x7f ? '_' : *c);
	strbuf_add_char(&b, '"');
	http_exchange_add_header(res->exchange, "Content-Disposition", strbuf_text(&b));
}

void response_file(struct response *res, const char *content_type, const char *filename,
                   int fd_take, uint64_t size)
{
	begin(res);
	name_file(res, content_type, filename);
	http_exchange_reply_fd_take(res->exchange, 200, fd_take, 0, size);
}

void response_pipe(struct response *res, const char *content_type, const char *filename,
                   int fd_take)
{
	begin(res);
	name_file(res, content_type, filename);
	http_exchange_reply_pipe_take(res->exchange, 200, fd_take);
}

void response_upgrade(struct response *res, const char *protocol, response_upgraded *fn, void *arg)
{
	begin(res);
	http_exchange_upgrade(res->exchange, protocol, fn, arg);
}

int response_websocket(struct response *res, response_upgraded *fn, void *arg, struct error **err)
{
	assert(!res->is_sent);

	struct request *req = res->request;

	if (req)
		request_let_go(req);

	int r = http_exchange_upgrade_websocket(res->exchange, fn, arg, err);
	if (r < 0)
		return r;

	res->request = NULL;
	res->is_sent = true;
	return 0;
}

struct response_later {
	struct response res;
	bool has_gone;
};

struct response_later *response_defer(struct response *res)
{
	struct response_later *later = xcalloc(1, sizeof(*later));

	begin(res);
	later->res = *res;
	later->res.is_sent = false;
	http_exchange_defer(res->exchange);
	return later;
}

void response_later_on_gone(struct response_later *later, response_gone *gone, void *arg)
{
	later->has_gone = true;
	http_exchange_on_gone(later->res.exchange, gone, arg);
}

void response_later_send(struct response_later *later_take, struct json_object *metadata_take,
                         struct error *err_take)
{
	if (later_take->has_gone)
		http_exchange_forget_gone(later_take->res.exchange);
	if (err_take)
		response_error(&later_take->res, err_take);
	else
		response_sync(&later_take->res, metadata_take);

	if (err_take)
		jv_unref(metadata_take);
	error_free(err_take);
	free(later_take);
}

void response_header(struct response *res, const char *name, const char *value)
{
	http_exchange_add_header(res->exchange, name, value);
}

static int compare_keys(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Members of objects by name, so that the order of making does not count. */
static void canonical(struct json_object *o, struct strbuf *b)
{
	if (json_object_is_type(o, json_type_array)) {
		for (size_t i = 0; i < jv_len(o); i++) {
			strbuf_add_char(b, i == 0 ? '[' : ',');
			canonical(jv_item(o, i), b);
		}
		strbuf_add_char(b, ']');
		return;
	}

	if (!json_object_is_type(o, json_type_object)) {
		jv_print(o, b);
		return;
	}

	size_t n = (size_t)json_object_object_length(o), i = 0;
	const char **keys = xcalloc(n + 1, sizeof(*keys));

	JV_FOREACH (o, key, value) {
		(void)value;
		keys[i++] = key;
	}
	qsort(keys, n, sizeof(*keys), compare_keys);
	for (i = 0; i < n; i++) {
		strbuf_add_char(b, i == 0 ? '{' : ',');
		jv_print_string(keys[i], strlen(keys[i]), b);
		strbuf_add_char(b, ':');
		canonical(jv_member(o, keys[i]), b);
	}
	strbuf_add_char(b, '}');
	free(keys);
}

char *response_etag(struct json_object *etag_source)
{
	scoped(strbuf_done) struct strbuf b = { 0 };
	char hex[DIGEST_SHA256_HEX_SIZE];

	canonical(etag_source, &b);
	digest_sha256_hex(strbuf_text(&b), b.size, hex);
	return xstrdup(hex);
}

char *response_error_text(int status, const char *message, size_t *ret_size)
{
	scoped_free char *sentence = xstrdup(str_is_empty(message) ? "Unknown error" : message);

	/* It may quote what a client sent; on a terminal or in a log that must be one line. */
	for (char *c = sentence; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';

	const struct envelope e = {
		.type = "error",
		.status = "",
		.operation = "",
		.error_code = status,
		.error = sentence,
	};

	return print(&e, ret_size);
}

void response_error(struct response *res, const struct error *err)
{
	size_t size;
	char *text = response_error_text(err->status, err->msg, &size);

	begin(res);
	http_exchange_add_header(res->exchange, "Content-Type", "application/json");
	http_exchange_reply_take(res->exchange, err->status, text, size);
}
