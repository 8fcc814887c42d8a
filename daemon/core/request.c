#include "daemon/core/request.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cluster/cluster.h"
#include "daemon/core/access.h"
#include "daemon/core/dirs.h"
#include "daemon/core/request_fields.h"
#include "daemon/core/response.h"
#include "daemon/core/state.h"
#include "db/cache.h"
#include "lib/base/alloc.h"
#include "lib/base/cancel.h"
#include "lib/base/fd.h"
#include "lib/base/parse.h"
#include "lib/base/str.h"
#include "lib/data/jv.h"
#include "lib/data/jv_parse.h"
#include "lib/net/http_exchange.h"

#define MAX_PARAMS 8

struct param {
	const char *name; /* Borrowed from the pattern: "name}..." */
	size_t name_len;
	char *value;
};

struct request_private {
	struct param params[MAX_PARAMS];
	size_t n_params;
	char *path;
	char *if_match;
	struct filter *filter;
	struct cancel *cancel;
	struct json_object *body;
	bool is_body_read;
	int body_fd;
};

/* Finds the parts of the path that the pattern names; both have as many segments. */
static int read_params(struct request *req, const char *pattern, struct error **err)
{
	const char *path = http_exchange_path(req->exchange);

	for (;;) {
		size_t want = strcspn(pattern, "/");
		size_t have = strcspn(path, "/");

		if (want > 0 && pattern[0] == '{') {
			struct param *param = &req->private->params[req->private->n_params];

			assert(req->private->n_params < MAX_PARAMS);
			if (url_decode(path, have, false, &param->value) < 0 ||
			    !str_is_utf8(param->value, strlen(param->value))) {
				free(param->value);
				param->value = NULL;
				return error_set(err, 400, "Invalid path \"%s\"", req->path);
			}
			param->name = pattern + 1;
			param->name_len = want - 2;
			req->private->n_params++;
		}

		pattern += want;
		path += have;
		if (*pattern == '\0' || *path == '\0')
			return 0;

		pattern++;
		path++;
	}
}

static int read_recursion(struct request *req, struct error **err)
{
	const char *text = request_query(req, "recursion");

	/* "2;fields=state.disk" asks for some parts of the state only; all of it is allowed too. */
	if (str_is_empty(text))
		return 0;

	scoped_free char *number = strndup(text, strcspn(text, ";"));
	uint32_t value;

	if (parse_uint32(number, &value) < 0)
		return error_set(err, 400, "Invalid recursion \"%s\"", text);

	req->recursion = value > 2 ? 2 : (int)value;
	return 0;
}

/* "W/" and quotes around an ETag are not part of it. */
static char *unquote(const char *etag)
{
	const char *weak = str_after(etag, "W/");
	char *s = str_trim(weak ? weak : etag);
	size_t len = strlen(s);

	if (len >= 2 && s[0] == '"' && s[len - 1] == '"') {
		memmove(s, s + 1, len - 2);
		s[len - 2] = '\0';
	}

	return s;
}

int request_init(struct request *req, struct state *state, struct http_exchange *exchange,
                 const struct route *route, const char *pattern, struct error **err)
{
	*req = (struct request){
		.state = state,
		.exchange = exchange,
		.route = route,
		.method = http_exchange_method(exchange),
		.arrival = http_exchange_arrival(exchange),
		.private = xcalloc(1, sizeof(struct request_private)),
	};
	req->private->body_fd = -EBADF;

	if (url_decode(http_exchange_path(exchange), strlen(http_exchange_path(exchange)), false,
	               &req->private->path) < 0)
		return error_set(err, 400, "Invalid path");
	req->path = req->private->path;

	const struct url_query *query = http_exchange_query(exchange);

	for (size_t i = 0; query && i < query->n_pairs; i++) {
		if (!str_is_utf8(query->pairs[i].key, strlen(query->pairs[i].key)) ||
		    !str_is_utf8(query->pairs[i].value, strlen(query->pairs[i].value)))
			return error_set(err, 400, "The query is not valid UTF-8");
	}

	req->project = request_query(req, "project");
	if (str_is_empty(req->project))
		req->project = "default";

	req->target = request_query(req, "target");
	if (str_is_empty(req->target))
		req->target = NULL;

	const char *if_match = request_header(req, "If-Match");

	if (!str_is_empty(if_match))
		req->private->if_match = unquote(if_match);
	req->if_match = req->private->if_match;

	int r = request_query_bool(req, "all-projects", &req->all_projects, err);
	if (r < 0)
		return r;
	if (req->all_projects && !str_is_empty(request_query(req, "project")))
		return error_set(err, 400, "Cannot specify a project when requesting all projects");

	r = read_recursion(req, err);
	if (r < 0)
		return r;

	const char *filter = request_query(req, "filter");

	if (!str_is_empty(filter)) {
		r = filter_parse(filter, &req->private->filter, err);
		if (r < 0)
			return r;
	}

	return pattern ? read_params(req, pattern, err) : 0;
}

void request_let_go(struct request *req)
{
	if (req->private->cancel && req->exchange)
		http_exchange_forget_gone(req->exchange);

	req->exchange = NULL;
}

void request_done(struct request *req)
{
	if (!req->private)
		return;

	request_let_go(req);
	cancel_unref(req->private->cancel);
	for (size_t i = 0; i < req->private->n_params; i++)
		free(req->private->params[i].value);
	if (req->private->body_fd >= 0)
		close(req->private->body_fd);
	jv_unref(req->private->body);
	filter_free(req->private->filter);
	free(req->private->if_match);
	free(req->private->path);
	free(req->private);
	req->private = NULL;
}

int request_view(const struct request *req, uint32_t families, struct db_view **ret_view,
                 struct error **err)
{
	return db_cache_view_since(req->state->cache, req->arrival, families, ret_view, err);
}

const char *request_param(const struct request *req, const char *name)
{
	for (size_t i = 0; i < req->private->n_params; i++) {
		const struct param *param = &req->private->params[i];

		if (strlen(name) == param->name_len &&
		    strncmp(name, param->name, param->name_len) == 0)
			return param->value;
	}

	assert(!"The route has no such part");
	abort();
}

/* What the old names of the collection of instances say by themselves. */
static const char *type_of_path(const char *path)
{
	if (str_starts(path, "/1.0/containers"))
		return "container";

	return str_starts(path, "/1.0/virtual-machines") ? "virtual-machine" : NULL;
}

const char *request_query(const struct request *req, const char *key)
{
	const char *value = http_exchange_query_value(req->exchange, key);

	if (!value && str_equals(key, "instance-type"))
		value = type_of_path(http_exchange_path(req->exchange));

	return value;
}

int request_query_bool(const struct request *req, const char *key, bool *ret_value,
                       struct error **err)
{
	const char *text = request_query(req, key);
	bool value = false;

	if (!str_is_empty(text) && parse_bool(text, &value) < 0)
		return error_set(err, 400, "Invalid value \"%s\" for \"%s\"", text, key);

	*ret_value = value;
	return 0;
}

static void gone(void *arg)
{
	cancel_fire(arg);
}

struct cancel *request_cancel(struct request *req)
{
	if (!req->private->cancel) {
		req->private->cancel = cancel_new(NULL);
		http_exchange_on_gone(req->exchange, gone, req->private->cancel);
	}

	return req->private->cancel;
}

const char *request_header(const struct request *req, const char *name)
{
	return http_exchange_header(req->exchange, name);
}

static int read_body(struct request *req, struct error **err)
{
	size_t size;
	const char *text = http_exchange_body(req->exchange, &size);

	if (req->private->is_body_read)
		return 0;

	if (http_exchange_body_fd(req->exchange) >= 0)
		return error_set(err, 413, "The request body is too large");

	if (size > 0) {
		int r = jv_parse(text, size, &req->private->body, err);
		if (r < 0)
			return r;
	}

	req->private->is_body_read = true;
	return 0;
}

int request_json(struct request *req, struct json_object **ret_object, struct error **err)
{
	int r = read_body(req, err);
	if (r < 0)
		return r;

	if (!req->private->body && http_exchange_body_size(req->exchange) == 0)
		return error_set(err, 400, "The request has no body");

	r = jv_check_object(req->private->body, "request body", err);
	if (r == 0)
		r = request_fields_check(req->private->body, err);
	if (r < 0)
		return r;

	*ret_object = req->private->body;
	return 0;
}

static int spool(struct request *req, struct error **err)
{
	size_t size;
	const char *data = http_exchange_body(req->exchange, &size);
	scoped_fd int fd = open(req->state->dirs->spool, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd < 0)
		return error_set_errno(err, -errno, "Failed creating a file for the request body");

	int r = fd_write_full(fd, data, size);
	if (r < 0)
		return error_set_errno(err, r, "Failed writing the request body");

	if (lseek(fd, 0, SEEK_SET) < 0)
		return error_set_errno(err, -errno, "Failed rewinding the request body");

	req->private->body_fd = TAKE_FD(fd);
	return 0;
}

int request_body_fd(struct request *req, int *ret_fd, uint64_t *ret_size, struct error **err)
{
	int fd = http_exchange_body_fd(req->exchange);

	if (fd < 0 && req->private->body_fd < 0) {
		int r = spool(req, err);
		if (r < 0)
			return r;
	}

	*ret_fd = fd >= 0 ? fd : req->private->body_fd;
	*ret_size = http_exchange_body_size(req->exchange);
	return 0;
}

int request_body_fd_take(struct request *req, int *ret_fd, uint64_t *ret_size, struct error **err)
{
	int r = request_body_fd(req, ret_fd, ret_size, err);
	if (r < 0)
		return r;

	if (http_exchange_body_fd(req->exchange) >= 0)
		*ret_fd = http_exchange_body_take_fd(req->exchange);
	else
		*ret_fd = TAKE_FD(req->private->body_fd);

	return 0;
}

uint64_t request_body_size(const struct request *req)
{
	return http_exchange_body_size(req->exchange);
}

int request_check_etag(const struct request *req, struct json_object *etag_source,
                       struct error **err)
{
	if (!req || !req->if_match || str_equals(req->if_match, "*"))
		return 0;

	scoped_free char *etag = response_etag(etag_source);

	if (!str_equals(etag, req->if_match))
		return error_set(err, 412, "ETag does not match: %s vs %s", etag, req->if_match);

	return 0;
}

bool request_filter_passes(const struct request *req, struct json_object *item)
{
	return !req->private->filter || jv_matches(item, req->private->filter);
}

bool request_has_filter(const struct request *req)
{
	return req->private->filter;
}

int request_authorize(const struct request *req, const char *entity, const char *entitlement,
                      const char *project, struct error **err)
{
	return req->state->authorize(req->requestor, entity, entitlement, project, err);
}
