#include "lib/net/http_head.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base/alloc.h"

enum { MAX_FIELDS = 128 };

/* Where parsing stands; 'at' moves forward through the copy of the head. */
struct parser {
	char *at, *end;
	struct http_head *head;
	const char *reason;
	unsigned n_hosts, n_lengths, n_encodings;
};

static int refuse(struct parser *p, int status, const char *reason)
{
	p->reason = reason;
	return status;
}

static bool is_token_char(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_value_char(unsigned char c)
{
	return c == '\t' || (c >= ' ' && c != 0x7f);
}

ssize_t http_head_find_end(const char *data, size_t size, size_t *scanned)
{
	size_t from = *scanned;

	/* Garbage is known by its first byte: no need to wait for more of it. */
	if (size > 0 && !is_token_char((unsigned char)data[0]))
		return -EINVAL;

	for (;;) {
		const char *feed = memchr(data + from, '\n', size - from);
		if (!feed)
			break;

		size_t at = (size_t)(feed - data);
		if (at == 0 || data[at - 1] != '\r')
			return -EINVAL;
		if (at >= 3 && data[at - 2] == '\n')
			return (ssize_t)(at + 1);
		from = at + 1;
	}
	*scanned = from;
	return 0;
}

/* Cuts the next line at its CRLF; no other control bytes but tabs may be in it. */
static char *next_line(struct parser *p)
{
	char *line = p->at;

	for (char *c = line; c < p->end; c++) {
		if (*c == '\r' && c + 1 < p->end && c[1] == '\n') {
			*c = '\0';
			p->at = c + 2;
			return line;
		}
		if (!is_value_char((unsigned char)*c))
			return NULL;
	}
	return NULL;
}

static int parse_method(struct parser *p, char *method)
{
	static const char *const known[] = { "GET",   "HEAD",   "POST",   "PUT",
		                             "PATCH", "DELETE", "OPTIONS" };
	size_t size = 0;

	for (; method[size]; size++)
		if (!is_token_char((unsigned char)method[size]))
			return refuse(p, 400, "Malformed method");
	if (size == 0)
		return refuse(p, 400, "Malformed method");

	p->head->method = method;
	p->head->is_head_method = strcmp(method, "HEAD") == 0;
	for (size_t i = 0; i < COUNT_OF(known); i++)
		if (strcmp(known[i], method) == 0)
			return 0;
	if (strcmp(method, "CONNECT") == 0 || strcmp(method, "TRACE") == 0)
		return refuse(p, 405, "Method not allowed");
	return refuse(p, 404, "Method not found");
}

static int parse_target(struct parser *p, char *target)
{
	if (*target != '/')
		return refuse(p, 400, "Malformed request target");

	for (const char *c = target; *c; c++)
		if (*c <= ' ' || *c >= 0x7f || *c == '#')
			return refuse(p, 400, "Malformed request target");

	char *query = strchr(target, '?');
	if (query)
		*query++ = '\0';
	p->head->path = target;
	p->head->query = query;

	scoped_free char *decoded = NULL;
	if (url_decode(target, strlen(target), false, &decoded) < 0)
		return refuse(p, 400, "Malformed escape in the path");
	if (url_query_parse(query, &p->head->pairs) < 0)
		return refuse(p, 400, "Malformed query");
	return 0;
}

static int parse_version(struct parser *p, const char *version)
{
	if (strcmp(version, "HTTP/1.1") == 0)
		return 0;

	if (strcmp(version, "HTTP/1.0") == 0) {
		p->head->is_http10 = true;
		return 0;
	}

	if (strncmp(version, "HTTP/", 5) == 0 && version[5] >= '0' && version[5] <= '9' &&
	    version[6] == '.' && version[7] >= '0' && version[7] <= '9' && !version[8])
		return refuse(p, 505, "HTTP version not supported");
	return refuse(p, 400, "Malformed HTTP version");
}

static int parse_request_line(struct parser *p)
{
	char *method = next_line(p);
	char *target = method ? strchr(method, ' ') : NULL;
	char *version = target ? strchr(target + 1, ' ') : NULL;

	if (!version)
		return refuse(p, 400, "Malformed request line");
	*target++ = '\0';
	*version++ = '\0';

	/* The version first: an HTTP/2 preface ("PRI * HTTP/2.0") is told what it is. */
	int status = parse_version(p, version);
	if (status == 0)
		status = parse_method(p, method);
	return status ? status : parse_target(p, target);
}

static int parse_length(struct parser *p, const char *value)
{
	uint64_t length = 0;
	size_t n = strlen(value);

	if (n == 0 || n > 18)
		return refuse(p, 400, "Malformed Content-Length");
	for (; *value; value++) {
		if (*value < '0' || *value > '9')
			return refuse(p, 400, "Malformed Content-Length");
		length = length * 10 + (unsigned)(*value - '0');
	}
	p->head->length = length;
	return 0;
}

static int parse_host(struct parser *p, const char *value)
{
	for (const char *c = value; *c; c++)
		if (*c <= ' ' || *c >= 0x7f || strchr("/\\?#@,\"<>", *c))
			return refuse(p, 400, "Malformed Host");
	return 0;
}

/* Looks at the headers that decide how the message is framed. */
static int inspect_field(struct parser *p, const struct http_field *field)
{
	const char *value = field->value;

	if (strcasecmp(field->name, "Host") == 0) {
		if (p->n_hosts++ > 0)
			return refuse(p, 400, "More than one Host");
		return parse_host(p, value);
	}
	if (strcasecmp(field->name, "Content-Length") == 0) {
		if (p->n_lengths++ > 0)
			return refuse(p, 400, "More than one Content-Length");
		return parse_length(p, value);
	}
	if (strcasecmp(field->name, "Transfer-Encoding") == 0) {
		if (p->n_encodings++ > 0)
			return refuse(p, 400, "More than one Transfer-Encoding");
		if (strcasecmp(value, "chunked") != 0)
			return refuse(p, 501, "Transfer-Encoding not implemented");
		p->head->is_chunked = true;
	}
	if (strcasecmp(field->name, "Expect") == 0) {
		if (strcasecmp(value, "100-continue") != 0)
			return refuse(p, 417, "Expectation failed");
		p->head->expects_continue = !p->head->is_http10;
	}
	if (strcasecmp(field->name, "Connection") == 0) {
		if (http_head_has_token(value, "close"))
			p->head->keeps_alive = false;
		else if (p->head->is_http10 && http_head_has_token(value, "keep-alive"))
			p->head->keeps_alive = true;
	}
	return 0;
}

static int parse_field(struct parser *p, char *line, struct http_field *ret_field)
{
	char *colon = line;

	while (is_token_char((unsigned char)*colon))
		colon++;
	if (colon == line || *colon != ':')
		return refuse(p, 400, "Malformed header");

	*colon = '\0';
	char *value = colon + 1;
	value += strspn(value, " \t");
	char *end = value + strlen(value);
	while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	*end = '\0';

	*ret_field = (struct http_field){ .name = line, .value = value };
	return 0;
}

static int parse_fields(struct parser *p)
{
	struct http_field fields[MAX_FIELDS];
	size_t n = 0;

	for (;;) {
		char *line = next_line(p);
		if (!line)
			return refuse(p, 400, "Malformed header");
		if (!*line)
			break;
		if (n == MAX_FIELDS)
			return refuse(p, 431, "Too many headers");

		int status = parse_field(p, line, &fields[n]);
		if (status == 0)
			status = inspect_field(p, &fields[n++]);
		if (status)
			return status;
	}
	if (p->at != p->end)
		return refuse(p, 400, "Malformed header");

	p->head->fields = xmalloc((n + 1) * sizeof(*fields));
	memcpy(p->head->fields, fields, n * sizeof(*fields));
	p->head->n_fields = n;
	return 0;
}

/* What no single header shows. */
static int check_whole(struct parser *p, bool needs_host)
{
	struct http_head *head = p->head;

	if (head->is_chunked && (p->n_lengths > 0 || head->is_http10))
		return refuse(p, 400, "Content-Length together with Transfer-Encoding");
	if (needs_host && p->n_hosts == 0 && !head->is_http10)
		return refuse(p, 400, "Host is missing");

	if (!head->is_http10 && http_head_has_token(http_head_field(head, "Connection"), "upgrade"))
		head->upgrade = http_head_field(head, "Upgrade");
	return 0;
}

int http_head_parse(const char *data, size_t size, bool needs_host, struct http_head **ret_head,
                    const char **ret_reason)
{
	scoped(http_head_freep) struct http_head *head = xcalloc(1, sizeof(*head));

	head->text = xmalloc(size + 1);
	memcpy(head->text, data, size);
	head->text[size] = '\0';

	struct parser p = { .at = head->text, .end = head->text + size, .head = head };
	int status = parse_request_line(&p);
	head->keeps_alive = !head->is_http10;
	if (status == 0)
		status = parse_fields(&p);
	if (status == 0)
		status = check_whole(&p, needs_host);
	if (status) {
		*ret_reason = p.reason;
		return status;
	}

	*ret_head = TAKE_PTR(head);
	return 0;
}

void http_head_free(struct http_head *head)
{
	if (!head)
		return;

	url_query_done(&head->pairs);
	free(head->fields);
	free(head->text);
	free(head);
}

const char *http_head_field(const struct http_head *head, const char *name)
{
	for (size_t i = 0; i < head->n_fields; i++)
		if (strcasecmp(head->fields[i].name, name) == 0)
			return head->fields[i].value;
	return NULL;
}

bool http_head_has_token(const char *value, const char *token)
{
	size_t size = strlen(token);

	while (value && *value) {
		value += strspn(value, " \t,");
		size_t n = strcspn(value, ",");
		size_t trimmed = n;
		while (trimmed > 0 && (value[trimmed - 1] == ' ' || value[trimmed - 1] == '\t'))
			trimmed--;
		if (trimmed == size && strncasecmp(value, token, size) == 0)
			return true;
		value += n;
	}
	return false;
}

bool http_head_is_field(const char *name, const char *value)
{
	if (!*name)
		return false;
	for (; *name; name++)
		if (!is_token_char((unsigned char)*name))
			return false;
	for (; *value; value++)
		if (!is_value_char((unsigned char)*value))
			return false;
	return true;
}
