/* Requests that end in a stream: the answer is a 101, and the connection is the caller's. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <json-c/json.h>

#include "lib/base/alloc.h"
#include "lib/base/date.h"
#include "lib/base/strbuf.h"
#include "lib/net/http_client_impl.h"
#include "lib/net/http_head.h"
#include "lib/net/websocket.h"

enum { ERROR_MAX = 64 * 1024 };

static char *write_head(const struct http_client *client, const struct http_request *req,
                        const char *host, const char *protocol, const char *key)
{
	struct strbuf head = { 0 };

	strbuf_addf(&head, "%s %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: %s\r\n",
	            req->method ? req->method : "GET", req->path, host, client->user_agent);
	strbuf_addf(&head, "Connection: Upgrade\r\nUpgrade: %s\r\n", protocol);
	if (key)
		strbuf_addf(&head, "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n", key);
	for (const char *const *h = req->headers; h && *h; h++)
		strbuf_addf(&head, "%s\r\n", *h);
	if (req->body_size > 0)
		strbuf_addf(&head, "Content-Length: %llu\r\n", (unsigned long long)req->body_size);
	strbuf_add(&head, "\r\n");
	return strbuf_take(&head);
}

/* The answer was another one than 101: reads its body for the reason. */
static void read_error_body(struct stream *s, struct http_wait wait, struct http_response *res)
{
	const struct http_request req = { .response_max = ERROR_MAX };
	bool is_open;
	int failure;

	/* The status is worth telling without it too. */
	(void)http_client_io_read_body(s, &req, wait, res, &is_open, &failure);
}

static int check_answer(const struct http_client *client, const struct http_response *res,
                        const char *protocol, const char *key, struct error **err)
{
	const char *upgrade = http_response_header(res, "Upgrade");

	if (!http_head_has_token(upgrade, protocol))
		return error_set(err, 502, "Answer of \"%s\" names another protocol",
		                 http_client_name(client));
	if (!key)
		return 0;

	scoped_free char *wanted = websocket_accept_key(key);
	const char *accept = http_response_header(res, "Sec-WebSocket-Accept");
	if (!accept || strcmp(accept, wanted) != 0)
		return error_set(err, 502, "Answer of \"%s\" is to another websocket key",
		                 http_client_name(client));
	return 0;
}

int http_client_upgrade(struct http_client *client, const struct http_request *req,
                        const char *protocol, struct stream **ret_stream, struct error **err)
{
	struct http_wait wait = { .deadline = DEADLINE_NEVER, .cancel = req->cancel };
	scoped(http_link_freep) struct http_link *link = NULL;
	scoped(http_response_done) struct http_response res = { 0 };
	scoped_free char *key = strcasecmp(protocol, "websocket") == 0 ? websocket_new_key() : NULL;
	bool is_empty;

	if (req->timeout_ms)
		wait.deadline = date_deadline(req->timeout_ms);
	int r = http_client_dial(client, wait, &link, err);
	if (r < 0)
		return r;

	struct stream *s = link->stream;
	scoped_free char *text = write_head(client, req, link->host, protocol, key);
	r = http_client_io_write(s, text, strlen(text), wait);
	if (r == 0 && req->body_size > 0)
		r = http_client_io_write(s, req->body, (size_t)req->body_size, wait);
	if (r == 0)
		r = http_client_io_read_head(s, wait, &res, &is_empty);
	if (r < 0)
		return http_client_dial_fail(http_client_name(client), r, NULL, err);

	if (res.status != 101) {
		read_error_body(s, wait, &res);
		r = http_client_error_of(&res, err);
		if (r == 0)
			r = error_set(err, 502, "Server \"%s\" did not upgrade",
			              http_client_name(client));
		return r;
	}
	r = check_answer(client, &res, protocol, key, err);
	if (r < 0)
		return r;

	*ret_stream = TAKE_PTR(link->stream);
	return 0;
}
