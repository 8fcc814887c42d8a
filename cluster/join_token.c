#include "cluster/join_token.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/base64.h"
#include "lib/base/date.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/data/jv.h"
#include "lib/data/jv_parse.h"
#include "lib/data/jv_print.h"

#define TEXT_MAX (64 * 1024)
#define NEVER "0001-01-01T00:00:00Z"

void join_token_done(struct join_token *token)
{
	free(token->uuid);
	free(token->server_name);
	free(token->fingerprint);
	strv_free(token->addresses);
	free(token->secret);
	free(token->expires_at);
	*token = (struct join_token){ 0 };
}

static int read_fields(struct json_object *o, struct join_token *token, struct error **err)
{
	const char *server_name = NULL, *fingerprint = NULL, *secret = NULL, *expires_at = NULL;
	int64_t date = 0;

	int r = jv_need_string(o, "server_name", &server_name, err);
	if (r >= 0)
		r = jv_need_string(o, "fingerprint", &fingerprint, err);
	if (r >= 0)
		r = jv_need_string(o, "secret", &secret, err);
	if (r >= 0)
		r = jv_get_string(o, "expires_at", &expires_at, err);
	if (r >= 0)
		r = jv_get_strv(o, "addresses", &token->addresses, err);
	if (r < 0)
		return r;
	if (strv_len(token->addresses) == 0)
		return error_set(err, 400, "No addresses in it");
	if (!str_is_empty(expires_at) && date_parse(expires_at, &date) < 0)
		return error_set(err, 400, "No date in it");

	token->server_name = xstrdup(server_name);
	token->fingerprint = str_lower(fingerprint);
	token->secret = xstrdup(secret);
	token->expires_at = xstrdup(str_equals(expires_at, NEVER) ? "" : str_or_empty(expires_at));
	return 0;
}

int join_token_parse(const char *text, struct join_token *ret_token, struct error **err)
{
	scoped_free uint8_t *data = NULL;
	scoped(jv_unrefp) struct json_object *o = NULL;
	scoped(error_freep) struct error *cause = NULL;
	struct join_token token = { 0 };
	size_t size = 0, len = strlen(text);

	if (len > TEXT_MAX || base64_decode(text, len, &data, &size) < 0 ||
	    jv_parse_object((const char *)data, size, &o, &cause) < 0)
		return error_set(err, 400, "Invalid cluster join token");
	if (read_fields(o, &token, &cause) < 0) {
		join_token_done(&token);
		return error_set(err, 400, "Invalid cluster join token: %s", cause->msg);
	}

	*ret_token = token;
	return 0;
}

char *join_token_format(const struct join_token *token)
{
	scoped(jv_unrefp) struct json_object *o = jv_object();
	size_t size = 0;

	jv_set_string(o, "server_name", token->server_name);
	jv_set_string(o, "fingerprint", token->fingerprint);
	jv_set_strv(o, "addresses", token->addresses);
	jv_set_string(o, "secret", token->secret);
	jv_set_string(o, "expires_at", str_is_empty(token->expires_at) ? NEVER : token->expires_at);
	scoped_free char *text = jv_print_text(o, &size);

	return base64_encode(text, size);
}

bool join_token_is_expired(const struct join_token *token, int64_t now)
{
	int64_t expires = 0;

	if (str_is_empty(token->expires_at) || date_parse(token->expires_at, &expires) < 0)
		return false;

	return now >= expires;
}

struct json_object *join_token_metadata(const struct join_token *token)
{
	struct json_object *o = jv_object();

	jv_set_strv(o, "addresses", token->addresses);
	jv_set_string(o, "expiresAt", str_is_empty(token->expires_at) ? NEVER : token->expires_at);
	jv_set_string(o, "fingerprint", token->fingerprint);
	jv_set_string(o, "secret", token->secret);
	jv_set_string(o, "serverName", token->server_name);

	return o;
}
