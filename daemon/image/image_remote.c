#include "daemon/image/image_remote.h"

#include <string.h>

#include "daemon/image/image_remote_private.h"
#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/net/http_client.h"
#include "lib/net/url.h"
#include "lib/net/x509.h"

int image_remote_check(const char *server, const char *certificate, struct error **err)
{
	scoped(url_done) struct url url = { 0 };
	scoped(x509_freep) struct x509 *cert = NULL;

	if (url_parse(str_or_empty(server), &url) < 0 || strcmp(url.scheme, "https") != 0 ||
	    *url.host == '\0')
		return error_set(err, 400, "Invalid server URL \"%s\"", str_or_empty(server));
	if (str_is_empty(certificate))
		return 0;
	return x509_parse_pem(certificate, strlen(certificate), &cert, err);
}

struct http_client *image_remote_client(const char *server, const char *certificate)
{
	const struct http_client_config config = {
		.address = server,
		.server_cert_pem = str_is_empty(certificate) ? NULL : certificate,
		.trust_system = str_is_empty(certificate),
	};

	return http_client_new(&config);
}

char *image_remote_path(const char *path, const char *project, const char *secret)
{
	struct url_query query = { 0 };

	url_query_add(&query, "project", str_is_empty(project) ? NULL : project);
	url_query_add(&query, "secret", str_is_empty(secret) ? NULL : secret);
	scoped_free char *text = url_query_build(&query);
	url_query_done(&query);
	return *text ? xasprintf("%s?%s", path, text) : xstrdup(path);
}
