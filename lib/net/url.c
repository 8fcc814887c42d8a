#include "lib/net/url.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/strbuf.h"

enum { MAX_PAIRS = 256 };

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static bool is_unreserved(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '.' || c == '_' || c == '~';
}

int url_decode(const char *text, size_t size, bool plus_is_space, char **ret_text)
{
	scoped_free char *out = xmalloc(size + 1);
	size_t n = 0;

	for (size_t i = 0; i < size; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c < 0x20 || c == 0x7f)
			return -EINVAL;

		if (c == '%') {
			int high = i + 2 < size ? hex_value(text[i + 1]) : -1;
			int low = high >= 0 ? hex_value(text[i + 2]) : -1;
			if (low < 0 || high + low == 0)
				return -EINVAL;
			c = (unsigned char)(high * 16 + low);
			i += 2;
		} else if (c == '+' && plus_is_space) {
			c = ' ';
		}
		out[n++] = (char)c;
	}

	out[n] = '\0';
	*ret_text = TAKE_PTR(out);
	return 0;
}

static void add_escaped(struct strbuf *buf, const char *text)
{
	static const char digits[] = "0123456789ABCDEF";

	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;
		if (is_unreserved(c))
			strbuf_add_char(buf, (char)c);
		else
			strbuf_add_n(buf, (char[]){ '%', digits[c >> 4], digits[c & 15] }, 3);
	}
}

char *url_escape(const char *text)
{
	struct strbuf buf = { 0 };

	add_escaped(&buf, text);
	return strbuf_take(&buf);
}

char *url_path(const char *first, ...)
{
	struct strbuf buf = { 0 };
	va_list args;

	va_start(args, first);
	for (const char *part = first; part; part = va_arg(args, const char *)) {
		strbuf_add_char(&buf, '/');
		add_escaped(&buf, part);
	}
	va_end(args);
	return strbuf_take(&buf);
}

static void take_pair(struct url_query *query, char *key, char *value)
{
	query->pairs = realloc(query->pairs, (query->n_pairs + 1) * sizeof(*query->pairs));
	if (!query->pairs)
		abort();
	query->pairs[query->n_pairs++] = (struct url_pair){ .key = key, .value = value };
}

int url_query_parse(const char *text, struct url_query *ret_query)
{
	scoped(url_query_done) struct url_query query = { 0 };

	for (const char *at = text ? text : ""; *at;) {
		size_t size = strcspn(at, "&");
		const char *equals = memchr(at, '=', size);
		size_t key_size = equals ? (size_t)(equals - at) : size;

		if (size > 0) {
			if (query.n_pairs == MAX_PAIRS)
				return -E2BIG;

			scoped_free char *key = NULL, *value = NULL;
			int r = url_decode(at, key_size, true, &key);
			if (r == 0 && equals)
				r = url_decode(equals + 1, size - key_size - 1, true, &value);
			if (r < 0)
				return r;
			if (!value)
				value = xstrdup("");
			take_pair(&query, TAKE_PTR(key), TAKE_PTR(value));
		}
		at += size + (at[size] == '&');
	}

	*ret_query = query;
	query = (struct url_query){ 0 };
	return 0;
}

void url_query_done(struct url_query *query)
{
	for (size_t i = 0; i < query->n_pairs; i++) {
		free(query->pairs[i].key);
		free(query->pairs[i].value);
	}
	free(query->pairs);
	*query = (struct url_query){ 0 };
}

const char *url_query_value(const struct url_query *query, const char *key)
{
	for (size_t i = 0; i < query->n_pairs; i++)
		if (strcmp(query->pairs[i].key, key) == 0)
			return query->pairs[i].value;
	return NULL;
}

void url_query_add(struct url_query *query, const char *key, const char *value)
{
	if (value)
		take_pair(query, xstrdup(key), xstrdup(value));
}

char *url_query_build(const struct url_query *query)
{
	struct strbuf buf = { 0 };

	for (size_t i = 0; i < query->n_pairs; i++) {
		if (i > 0)
			strbuf_add_char(&buf, '&');
		add_escaped(&buf, query->pairs[i].key);
		strbuf_add_char(&buf, '=');
		add_escaped(&buf, query->pairs[i].value);
	}
	return strbuf_take(&buf);
}

static int parse_authority(const char *text, size_t size, struct url *url)
{
	const char *end = text + size, *host_end, *port = NULL;

	if (memchr(text, '@', size))
		return -EINVAL;

	if (size > 0 && *text == '[') {
		host_end = memchr(text, ']', size);
		if (!host_end)
			return -EINVAL;
		url->host = xasprintf("%.*s", (int)(host_end - text - 1), text + 1);
		host_end++;
		if (host_end < end && *host_end != ':')
			return -EINVAL;
	} else {
		host_end = memchr(text, ':', size);
		if (!host_end)
			host_end = end;
		url->host = xasprintf("%.*s", (int)(host_end - text), text);
	}
	if (host_end < end)
		port = host_end + 1;

	for (; port && port < end; port++) {
		if (!isdigit((unsigned char)*port))
			return -EINVAL;
		url->port = url->port * 10 + (unsigned)(*port - '0');
		if (url->port > 65535)
			return -EINVAL;
	}
	return 0;
}

int url_parse(const char *text, struct url *ret_url)
{
	scoped(url_done) struct url url = { 0 };
	size_t size = strcspn(text, "#");

	for (size_t i = 0; i < size; i++)
		if ((unsigned char)text[i] <= ' ' || text[i] == 0x7f)
			return -EINVAL;

	const char *mark = strstr(text, "://");
	if (!mark || mark == text || mark > text + size)
		return -EINVAL;
	url.scheme = xasprintf("%.*s", (int)(mark - text), text);
	for (char *c = url.scheme; *c; c++) {
		if (!isalnum((unsigned char)*c) && *c != '+' && *c != '-' && *c != '.')
			return -EINVAL;
		*c = (char)tolower((unsigned char)*c);
	}

	const char *authority = mark + 3, *end = text + size;
	size_t authority_size = strcspn(authority, "/?#");
	if (parse_authority(authority, authority_size, &url) < 0)
		return -EINVAL;

	const char *path = authority + authority_size;
	const char *query = memchr(path, '?', (size_t)(end - path));
	url.path = xasprintf("%.*s", (int)((query ? query : end) - path), path);
	if (query)
		url.query = xasprintf("%.*s", (int)(end - query - 1), query + 1);

	*ret_url = url;
	url = (struct url){ 0 };
	return 0;
}

void url_done(struct url *url)
{
	free(url->scheme);
	free(url->host);
	free(url->path);
	free(url->query);
	*url = (struct url){ 0 };
}
