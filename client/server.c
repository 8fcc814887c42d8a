#include "client/server.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/dial.h"
#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/base/strbuf.h"
#include "lib/base/strv.h"
#include "lib/data/jv.h"
#include "lib/data/jv_parse.h"
#include "lib/data/jv_print.h"
#include "lib/net/url.h"

struct server {
	struct server_place place;
	char *project;
	char *target;
	struct stream *stream; /* Kept alive between requests; NULL if there is none. */
	struct json_object *info;
};

struct server *server_new(const struct server_place *place)
{
	struct server *s = xcalloc(1, sizeof(*s));

	s->place = *place;
	s->project = place->project ? xstrdup(place->project) : NULL;
	return s;
}

void server_free(struct server *server)
{
	if (!server)
		return;
	stream_free(server->stream);
	jv_unref(server->info);
	free(server->project);
	free(server->target);
	free(server);
}

void server_set_target(struct server *server, const char *target)
{
	free(server->target);
	server->target = str_is_empty(target) ? NULL : xstrdup(target);
}

void server_set_project(struct server *server, const char *project)
{
	char *copy = str_is_empty(project) ? NULL : xstrdup(project);

	free(server->project);
	server->project = copy;
}

const char *server_project(const struct server *server)
{
	return server->project ? server->project : "default";
}

const char *server_name(const struct server *server)
{
	return server->place.name;
}

static void add_parameter(struct strbuf *b, const char *key, const char *value)
{
	scoped_free char *escaped = NULL;

	if (!value)
		return;
	escaped = url_escape(value);
	strbuf_addf(b, "%c%s=%s", strchr(strbuf_text(b), '?') ? '&' : '?', key, escaped);
}

/* Only %s, which is escaped, %u and %% mean something. */
char *server_vpath(const struct server *server, const char *fmt, va_list args)
{
	scoped(strbuf_done) struct strbuf b = { 0 };

	for (const char *p = fmt; *p; p++) {
		if (*p != '%') {
			strbuf_add_char(&b, *p);
			continue;
		}
		p++;
		if (*p == 's') {
			scoped_free char *escaped = url_escape(va_arg(args, const char *));

			strbuf_add(&b, escaped);
		} else if (*p == 'u') {
			strbuf_addf(&b, "%u", va_arg(args, unsigned));
		} else {
			assert(*p == '%');
			strbuf_add_char(&b, '%');
		}
	}
	if (!strstr(strbuf_text(&b), "project=") && !strstr(strbuf_text(&b), "all-projects="))
		add_parameter(&b, "project", server->project);
	if (!strstr(strbuf_text(&b), "target="))
		add_parameter(&b, "target", server->target);
	return strbuf_take(&b);
}

char *server_path(const struct server *server, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	char *path = server_vpath(server, fmt, args);
	va_end(args);
	return path;
}

char *server_object_path(const struct server *server, const char *collection, const char *name)
{
	scoped(strbuf_done) struct strbuf b = { 0 };
	scoped_free char *escaped = url_escape(name);

	strbuf_addf(&b, "/1.0/%s/%s", collection, escaped);
	add_parameter(&b, "project", server->project);
	add_parameter(&b, "target", server->target);
	return strbuf_take(&b);
}

char *server_collection_path(const struct server *server, const char *collection)
{
	scoped(strbuf_done) struct strbuf b = { 0 };

	strbuf_addf(&b, "/1.0/%s", collection);
	add_parameter(&b, "project", server->project);
	add_parameter(&b, "target", server->target);
	return strbuf_take(&b);
}

int server_dial(struct server *server, struct stream **ret_stream, struct error **err)
{
	const struct server_place *place = &server->place;

	if (place->socket_path)
		return dial_unix(place->socket_path, ret_stream, err);
	return dial_tls(&(struct dial_tls){ .address = place->address,
	                                    .cert_path = place->cert_path,
	                                    .key_path = place->key_path,
	                                    .pinned_path = place->pinned_path },
	                ret_stream, err);
}

/* A kept connection that the server has closed meanwhile, while a user thought, is no use. */
static void drop_if_closed(struct server *server)
{
	char unexpected;

	if (server->stream && stream_read(server->stream, &unexpected, 1) == -EAGAIN)
		return;
	stream_free(server->stream);
	server->stream = NULL;
}

static int exchange(struct server *server, const struct http_message *message,
                    struct http_answer *ret_answer, struct error **err)
{
	drop_if_closed(server);
	/* It may close it just now; what changes nothing can be asked again. */
	bool retry = server->stream && strcmp(message->method, "GET") == 0 && !message->has_sink;

	if (!server->stream) {
		int r = server_dial(server, &server->stream, err);

		if (r < 0)
			return r;
	}
	int r = http_send(server->stream, message, ret_answer, err);
	if (r < 0 || ret_answer->closing) {
		stream_free(server->stream);
		server->stream = NULL;
	}
	if (retry && (r == -ECONNRESET || r == -EPIPE)) {
		error_free(*err);
		*err = NULL;
		return exchange(server, message, ret_answer, err);
	}
	return r;
}

/* An error envelope, or an error status without one, as '*err'. */
static int check_answer(const struct server_answer *answer, struct error **err)
{
	struct json_object *e = answer->envelope;
	int code = (int)jv_number(e, "error_code");

	if (str_equals(jv_text(e, "type"), "error") || code >= 400)
		return error_set(err, code >= 400 ? code : answer->http.status, "%s",
		                 str_is_empty(jv_text(e, "error")) ? "The server gave no reason"
		                                                   : jv_text(e, "error"));
	if (answer->http.status >= 400)
		return error_set(err, answer->http.status, "The server answered with status %d",
		                 answer->http.status);
	return 0;
}

static void debug_body(const char *what, const char *text)
{
	fprintf(stderr, "%s %s\n", what, text);
}

int server_call(struct server *server, const struct server_call *call, const char *path,
                struct server_answer *ret_answer, struct error **err)
{
	scoped_free char *body = NULL;
	scoped(strv_freep) char **headers = NULL;
	struct server_answer answer = { 0 };
	size_t size = 0;

	if (call->body) {
		body = jv_print_text(call->body, &size);
		strv_add(&headers, "Content-Type: application/json");
	}
	if (!str_is_empty(call->etag))
		strv_addf(&headers, "If-Match: %s", call->etag);
	for (size_t i = 0; call->headers && call->headers[i]; i++)
		strv_add(&headers, call->headers[i]);
	struct http_message message = {
		.method = call->method ? call->method : "GET",
		.path = path,
		.headers = (const char *const *)headers,
		.body = body,
		.body_size = size,
		.body_fd = call->body_fd,
		.body_fd_size = call->body_fd_size,
		.sink_fd = call->sink_fd,
		.has_sink = call->has_sink,
		.progress = call->progress,
		.progress_arg = call->progress_arg,
	};
	if (server->place.debug) {
		fprintf(stderr, "> %s %s\n", message.method, path);
		if (body)
			debug_body(">", body);
	}
	int r = exchange(server, &message, &answer.http, err);
	if (r < 0)
		return r;
	const char *type = http_header(&answer.http, "Content-Type");
	if (server->place.debug)
		debug_body("<",
		           type && str_starts(type, "application/json") ? answer.http.body : "...");
	if (type && str_starts(type, "application/json") && answer.http.size) {
		r = jv_parse(answer.http.body, answer.http.size, &answer.envelope, err);
		if (r < 0)
			r = error_wrap(err, "Failed reading the server's answer");
	}
	if (r == 0 && !call->raw)
		r = check_answer(&answer, err);
	if (r < 0) {
		server_answer_done(&answer);
		return r;
	}
	*ret_answer = answer;
	return 0;
}

void server_answer_done(struct server_answer *answer)
{
	jv_unref(answer->envelope);
	answer->envelope = NULL;
	http_answer_done(&answer->http);
}

static int get(struct server *server, const char *path, struct json_object **ret_metadata,
               char **ret_etag, struct error **err)
{
	struct server_answer answer;
	int r = server_call(server, &(struct server_call){ 0 }, path, &answer, err);

	if (r < 0)
		return r;
	*ret_metadata = jv_ref(jv_member(answer.envelope, "metadata"));
	if (ret_etag)
		*ret_etag = xstrdup(str_or_empty(http_header(&answer.http, "ETag")));
	server_answer_done(&answer);
	return 0;
}

int server_get(struct server *server, struct json_object **ret_metadata, struct error **err,
               const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	scoped_free char *path = server_vpath(server, fmt, args);
	va_end(args);
	return get(server, path, ret_metadata, NULL, err);
}

int server_get_etag(struct server *server, struct json_object **ret_metadata, char **ret_etag,
                    struct error **err, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	scoped_free char *path = server_vpath(server, fmt, args);
	va_end(args);
	return get(server, path, ret_metadata, ret_etag, err);
}

/* The operation of an asynchronous answer, or NULL. */
static int start(struct server *server, const struct server_call *call, const char *path,
                 struct json_object **ret_operation, struct error **err)
{
	struct server_answer answer;
	int r = server_call(server, call, path, &answer, err);

	if (r < 0)
		return r;
	bool async = str_equals(jv_text(answer.envelope, "type"), "async");
	*ret_operation = async ? jv_ref(jv_member(answer.envelope, "metadata")) : NULL;
	server_answer_done(&answer);
	return 0;
}

int server_start(struct server *server, const char *method, struct json_object *body,
                 struct json_object **ret_operation, struct error **err, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	scoped_free char *path = server_vpath(server, fmt, args);
	va_end(args);
	return start(server, &(struct server_call){ .method = method, .body = body }, path,
	             ret_operation, err);
}

int server_start_path(struct server *server, const char *method, struct json_object *body,
                      const char *path, struct json_object **ret_operation, struct error **err)
{
	return start(server, &(struct server_call){ .method = method, .body = body }, path,
	             ret_operation, err);
}

int server_wait(struct server *server, const char *uuid, struct json_object **ret_operation,
                struct error **err)
{
	scoped(jv_unrefp) struct json_object *op = NULL;
	int r = server_get(server, &op, err, "/1.0/operations/%s/wait?timeout=-1", uuid);

	if (r < 0)
		return r;
	int64_t code = jv_number(op, "status_code");
	if (code >= 400)
		return error_set(err, code == 401 ? 499 : 400, "%s",
		                 str_is_empty(jv_text(op, "err")) ? "The operation failed"
		                                                  : jv_text(op, "err"));
	if (ret_operation)
		*ret_operation = TAKE_PTR(op);
	return 0;
}

static int send_change(struct server *server, const char *method, struct json_object *body,
                       const char *etag, const char *path, struct error **err)
{
	scoped(jv_unrefp) struct json_object *op = NULL;
	int r = start(server, &(struct server_call){ .method = method, .body = body, .etag = etag },
	              path, &op, err);

	if (r < 0 || !op)
		return r;
	return server_wait(server, str_or_empty(jv_text(op, "id")), NULL, err);
}

int server_send_path(struct server *server, const char *method, struct json_object *body,
                     const char *path, struct error **err)
{
	return send_change(server, method, body, NULL, path, err);
}

int server_send(struct server *server, const char *method, struct json_object *body,
                struct error **err, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	scoped_free char *path = server_vpath(server, fmt, args);
	va_end(args);
	return send_change(server, method, body, NULL, path, err);
}

int server_send_etag(struct server *server, const char *method, struct json_object *body,
                     const char *etag, struct error **err, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	scoped_free char *path = server_vpath(server, fmt, args);
	va_end(args);
	return send_change(server, method, body, etag, path, err);
}

int server_info(struct server *server, struct json_object **ret_info, struct error **err)
{
	if (!server->info) {
		int r = server_get(server, &server->info, err, "/1.0");

		if (r < 0)
			return r;
	}
	*ret_info = server->info;
	return 0;
}

bool server_has(struct server *server, const char *extension)
{
	scoped(error_freep) struct error *err = NULL;
	struct json_object *info;

	if (server_info(server, &info, &err) < 0)
		return false;
	struct json_object *list = jv_member(info, "api_extensions");
	for (size_t i = 0; i < jv_len(list); i++) {
		if (str_equals(jv_string(jv_item(list, i)), extension))
			return true;
	}
	return false;
}

bool server_is_clustered(struct server *server)
{
	scoped(error_freep) struct error *err = NULL;
	struct json_object *info;

	if (server_info(server, &info, &err) < 0)
		return false;
	return jv_flag(jv_member(info, "environment"), "server_clustered");
}
