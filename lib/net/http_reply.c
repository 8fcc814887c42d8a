#include "lib/net/http_reply.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <microhttpd.h>

#include "lib/base/alloc.h"
#include "lib/net/http_head.h"

void http_reply_add_field(struct http_reply *reply, const char *name, const char *value)
{
	assert(http_head_is_field(name, value));

	struct http_reply_field *fields =
		realloc(reply->fields, (reply->n_fields + 1) * sizeof(*fields));
	if (!fields)
		abort();
	fields[reply->n_fields++] =
		(struct http_reply_field){ .name = xstrdup(name), .value = xstrdup(value) };
	reply->fields = fields;
}

/* The date of an answer, made once a second. */
static const char *date_now(void)
{
	static const char days[] = "SunMonTueWedThuFriSat",
			  months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	static _Thread_local char text[64];
	static _Thread_local time_t made_at;
	time_t now = time(NULL);
	struct tm tm;

	if (now == made_at || !gmtime_r(&now, &tm))
		return text;

	made_at = now;
	snprintf(text, sizeof(text), "%.3s, %02d %.3s %04d %02d:%02d:%02d GMT",
	         days + (size_t)tm.tm_wday * 3, tm.tm_mday, months + (size_t)tm.tm_mon * 3,
	         tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
	return text;
}

static bool has_length(const struct http_reply *reply)
{
	return reply->status >= 200 && reply->status != 204 && reply->status != 304;
}

bool http_reply_shows_body(const struct http_reply *reply, const struct http_reply_wish *wish)
{
	return has_length(reply) && !wish->is_head && reply->size > 0;
}

void http_reply_print_head(const struct http_reply *reply, const struct http_reply_wish *wish,
                           struct strbuf *head)
{
	strbuf_addf(head, "HTTP/1.%c %d %s\r\nDate: %s\r\n", wish->is_http10 ? '0' : '1',
	            reply->status, MHD_get_reason_phrase_for((unsigned)reply->status), date_now());
	if (!wish->keeps_alive)
		strbuf_add(head, "Connection: close\r\n");
	else if (wish->is_http10)
		strbuf_add(head, "Connection: Keep-Alive\r\n");
	for (size_t i = 0; i < reply->n_fields; i++) {
		strbuf_add(head, reply->fields[i].name);
		strbuf_add(head, ": ");
		strbuf_add(head, reply->fields[i].value);
		strbuf_add(head, "\r\n");
	}
	if (has_length(reply))
		strbuf_addf(head, "Content-Length: %zu\r\n", reply->size);
	strbuf_add(head, "\r\n");
}

void http_reply_done(struct http_reply *reply)
{
	for (size_t i = 0; i < reply->n_fields; i++) {
		free(reply->fields[i].name);
		free(reply->fields[i].value);
	}
	free(reply->fields);
	free(reply->body);
	http_source_free(reply->source);
	*reply = (struct http_reply){ 0 };
}
