#include "cluster/certificate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/cluster_private.h"
#include "cluster/connect.h"
#include "cluster/notify.h"
#include "lib/base/alloc.h"
#include "lib/base/file.h"
#include "lib/base/path.h"
#include "lib/base/str.h"
#include "lib/data/jv.h"
#include "lib/net/x509.h"

#define PEM_MAX (256 * 1024)

void certificate_free(struct certificate *certificate)
{
	if (!certificate)
		return;

	free(certificate->cert);
	free(certificate->key);
	free(certificate->fingerprint);
	free(certificate);
}

int certificate_new(const char *cert, const char *key, struct certificate **ret_certificate,
                    struct error **err)
{
	scoped(x509_freep) struct x509 *parsed = NULL;
	scoped(error_freep) struct error *cause = NULL;

	if (x509_parse_pem(cert, strlen(cert), &parsed, &cause) < 0)
		return error_set(err, 400, "Certificate must be PEM-encoded X.509 certificate");
	if (!x509_key_matches(cert, key))
		return error_set(err, 400, "The key does not belong to the certificate");

	struct certificate *certificate = xcalloc(1, sizeof(*certificate));
	certificate->cert = xstrdup(cert);
	certificate->key = xstrdup(key);
	certificate->fingerprint = xstrdup(parsed->fingerprint);
	*ret_certificate = certificate;

	return 0;
}

struct certificate *certificate_copy(const struct certificate *from)
{
	struct certificate *copy = xcalloc(1, sizeof(*copy));

	copy->cert = xstrdup(from->cert);
	copy->key = xstrdup(from->key);
	copy->fingerprint = xstrdup(from->fingerprint);

	return copy;
}

static char *path_of(const char *dir, const char *name, const char *extension)
{
	scoped_free char *file = xasprintf("%s%s", name, extension);

	return path_join(dir, file, NULL);
}

int certificate_load(const char *dir, const char *name, struct certificate **ret_certificate,
                     struct error **err)
{
	scoped_free char *cert_path = path_of(dir, name, ".crt");
	scoped_free char *key_path = path_of(dir, name, ".key");
	scoped_free char *cert = NULL, *key = NULL;

	int r = file_read(cert_path, PEM_MAX, &cert, NULL);
	if (r == -ENOENT && !file_exists(key_path)) {
		(void)error_set(err, 404, "Certificate \"%s\" not found", cert_path);
		return -ENOENT;
	}
	if (r < 0)
		return error_set_errno(err, r, "Failed reading \"%s\"", cert_path);
	r = file_read(key_path, PEM_MAX, &key, NULL);
	if (r < 0)
		return error_set_errno(err, r, "Failed reading \"%s\"", key_path);

	r = certificate_new(cert, key, ret_certificate, err);
	if (r < 0)
		return error_wrap(err, "Failed loading \"%s\"", cert_path);

	return 0;
}

int certificate_store(const char *dir, const char *name, const struct certificate *certificate,
                      struct error **err)
{
	scoped_free char *cert_path = path_of(dir, name, ".crt");
	scoped_free char *key_path = path_of(dir, name, ".key");

	int r = file_replace(key_path, certificate->key, strlen(certificate->key), 0600);
	if (r < 0)
		return error_set_errno(err, r, "Failed writing \"%s\"", key_path);
	r = file_replace(cert_path, certificate->cert, strlen(certificate->cert), 0644);
	if (r < 0)
		return error_set_errno(err, r, "Failed writing \"%s\"", cert_path);

	return 0;
}

struct certificate *certificate_of_listener(struct cluster *cluster)
{
	mutex_lock(&cluster->lock);
	struct certificate *copy =
		certificate_copy(cluster->shared ? cluster->shared : cluster->server);
	mutex_unlock(&cluster->lock);

	return copy;
}

char *certificate_fingerprint_of_listener(struct cluster *cluster)
{
	mutex_lock(&cluster->lock);
	const struct certificate *shown = cluster->shared ? cluster->shared : cluster->server;
	char *fingerprint = xstrdup(shown ? shown->fingerprint : "");
	mutex_unlock(&cluster->lock);

	return fingerprint;
}

/* Stores it and takes it over: listeners, and calls to other members from here on. */
static int take_over(struct cluster *cluster, struct certificate *certificate, struct error **err)
{
	int r = certificate_store(cluster->dir, "cluster", certificate, err);
	if (r < 0)
		return r;

	mutex_lock(&cluster->lock);
	struct certificate *old = cluster->shared;
	cluster->shared = certificate_copy(certificate);
	map_clear(cluster->clients);
	mutex_unlock(&cluster->lock);
	certificate_free(old);
	HOOK(cluster, certificate_changed, certificate->cert, certificate->key);

	return 0;
}

int certificate_update(struct cluster *cluster, const char *cert, const char *key,
                       struct error **err)
{
	scoped(certificate_freep) struct certificate *certificate = NULL;
	int r = certificate_new(cert, key, &certificate, err);
	if (r < 0)
		return r;
	if (!cluster_is_enabled(cluster))
		return error_set(err, 400, "This server is not clustered");

	/* All first, while they still know each other by the old one. */
	scoped(jv_unrefp) struct json_object *body = jv_object();
	jv_set_string(body, "cluster_certificate", cert);
	jv_set_string(body, "cluster_certificate_key", key);
	const struct connect_call call = { .method = "PUT",
		                           .path = "/internal/cluster/certificate",
		                           .body = body };
	r = notify_members(cluster, NOTIFY_ALL, &call, NULL, err);
	if (r < 0)
		return error_wrap(err, "Failed updating the cluster certificate");
	r = take_over(cluster, certificate, err);
	if (r < 0)
		return r;

	HOOK(cluster, lifecycle, "cluster-certificate-updated", "/1.0/cluster/certificate", NULL);
	return 0;
}

int certificate_local_receive(struct cluster *cluster, const char *cert, const char *key,
                              struct error **err)
{
	scoped(certificate_freep) struct certificate *certificate = NULL;
	int r = certificate_new(cert, key, &certificate, err);
	if (r < 0)
		return r;
	if (!cluster_is_enabled(cluster))
		return error_set(err, 400, "This server is not clustered");

	return take_over(cluster, certificate, err);
}
