#include "lib/net/x509.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

#include <gnutls/abstract.h>
#include <gnutls/x509.h>

#include "lib/base/alloc.h"
#include "lib/base/base64.h"
#include "lib/base/file.h"
#include "lib/base/random.h"

enum { FILE_MAX = 1024 * 1024, DAY = 24 * 3600 };

DEFINE_SCOPED(gnutls_x509_crt_t, gnutls_x509_crt_deinit);
DEFINE_SCOPED(gnutls_x509_privkey_t, gnutls_x509_privkey_deinit);
DEFINE_SCOPED(gnutls_pubkey_t, gnutls_pubkey_deinit);

static int fail(struct error **err, int status, const char *what, int r)
{
	return error_set(err, status, "Failed %s: %s", what, gnutls_strerror(r));
}

static char *take_datum(gnutls_datum_t *datum)
{
	char *text = xasprintf("%.*s", (int)datum->size, (const char *)datum->data);

	gnutls_free(datum->data);
	return text;
}

static int add_names(gnutls_x509_crt_t crt, const struct x509_wish *wish)
{
	int r = 0;

	for (const char *const *name = wish->dns_names; name && *name && r >= 0; name++)
		r = gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_DNSNAME, *name,
		                                         (unsigned)strlen(*name),
		                                         GNUTLS_FSAN_APPEND);

	for (const char *const *text = wish->addresses; text && *text && r >= 0; text++) {
		uint8_t address[16];
		unsigned size = strchr(*text, ':') ? 16 : 4;
		if (inet_pton(size == 16 ? AF_INET6 : AF_INET, *text, address) != 1)
			continue;
		r = gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_IPADDRESS, address, size,
		                                         GNUTLS_FSAN_APPEND);
	}
	return r;
}

static int fill(gnutls_x509_crt_t crt, gnutls_x509_privkey_t key, const struct x509_wish *wish)
{
	const char *organization = wish->organization ? wish->organization : "Muster";
	const char *purpose = wish->is_client ? GNUTLS_KP_TLS_WWW_CLIENT : GNUTLS_KP_TLS_WWW_SERVER;
	time_t now = time(NULL);
	uint8_t serial[16];

	random_bytes(serial, sizeof(serial));
	serial[0] &= 0x7f; /* Positive, and not zero. */
	serial[0] |= 0x40;

	int r = gnutls_x509_crt_set_version(crt, 3);
	if (r >= 0)
		r = gnutls_x509_crt_set_serial(crt, serial, sizeof(serial));
	if (r >= 0)
		r = gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_ORGANIZATION_NAME, 0,
		                                  organization, (unsigned)strlen(organization));
	if (r >= 0)
		r = gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0,
		                                  wish->common_name,
		                                  (unsigned)strlen(wish->common_name));
	if (r >= 0)
		r = gnutls_x509_crt_set_activation_time(crt, now);
	if (r >= 0)
		r = gnutls_x509_crt_set_expiration_time(
			crt, now + (time_t)(wish->years ? wish->years : 10) * 365 * DAY);
	if (r >= 0)
		r = gnutls_x509_crt_set_basic_constraints(crt, 0, -1);
	if (r >= 0)
		r = gnutls_x509_crt_set_key_usage(crt, GNUTLS_KEY_DIGITAL_SIGNATURE);
	if (r >= 0)
		r = gnutls_x509_crt_set_key_purpose_oid(crt, purpose, 0);
	if (r >= 0 && !wish->is_client)
		r = gnutls_x509_crt_set_key_purpose_oid(crt, GNUTLS_KP_TLS_WWW_CLIENT, 0);
	if (r >= 0)
		r = add_names(crt, wish);
	if (r >= 0)
		r = gnutls_x509_crt_set_key(crt, key);
	if (r >= 0)
		r = gnutls_x509_crt_sign2(crt, crt, key, GNUTLS_DIG_SHA256, 0);
	return r;
}

int x509_generate(const struct x509_wish *wish, char **ret_cert_pem, char **ret_key_pem,
                  struct error **err)
{
	scoped(gnutls_x509_privkey_deinitp) gnutls_x509_privkey_t key = NULL;
	scoped(gnutls_x509_crt_deinitp) gnutls_x509_crt_t crt = NULL;

	int r = gnutls_x509_privkey_init(&key);
	if (r >= 0)
		r = gnutls_x509_privkey_generate(
			key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);
	if (r >= 0)
		r = gnutls_x509_crt_init(&crt);
	if (r >= 0)
		r = fill(crt, key, wish);

	gnutls_datum_t cert_pem = { 0 }, key_pem = { 0 };
	if (r >= 0)
		r = gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &cert_pem);
	if (r >= 0)
		r = gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &key_pem);
	if (r < 0) {
		gnutls_free(cert_pem.data);
		return fail(err, 500, "generating a certificate", r);
	}

	*ret_cert_pem = take_datum(&cert_pem);
	*ret_key_pem = take_datum(&key_pem);
	return 0;
}

int x509_ensure_files(const char *cert_path, const char *key_path, bool is_client,
                      struct error **err)
{
	bool has_cert = file_exists(cert_path), has_key = file_exists(key_path);
	if (has_cert && has_key)
		return 0;
	if (has_cert)
		return error_set(err, 500, "Certificate \"%s\" has no key \"%s\"", cert_path,
		                 key_path);

	char host[256] = "localhost";
	gethostname(host, sizeof(host) - 1);
	struct passwd *user = getpwuid(getuid());
	scoped_free char *common_name = xasprintf("%s@%s", user ? user->pw_name : "root", host);
	const struct x509_wish wish = {
		.common_name = common_name,
		.dns_names = (const char *[]){ host, NULL },
		.addresses = (const char *[]){ "127.0.0.1", "::1", NULL },
		.is_client = is_client,
	};

	scoped_free char *cert = NULL, *key = NULL;
	int r = x509_generate(&wish, &cert, &key, err);
	if (r < 0)
		return r;

	/* The key first: a certificate without one would be an error the next time. */
	r = file_replace(key_path, key, strlen(key), 0600);
	if (r < 0)
		return error_set_errno(err, r, "Failed writing \"%s\"", key_path);
	r = file_replace(cert_path, cert, strlen(cert), 0644);
	if (r < 0)
		return error_set_errno(err, r, "Failed writing \"%s\"", cert_path);
	return 0;
}

/* A certificate whose key cannot be read would be of no use. */
static int check_key(gnutls_x509_crt_t crt)
{
	scoped(gnutls_pubkey_deinitp) gnutls_pubkey_t key = NULL;

	int r = gnutls_pubkey_init(&key);
	return r < 0 ? r : gnutls_pubkey_import_x509(key, crt, 0);
}

static int new_from(gnutls_x509_crt_t crt, struct x509 **ret_cert, struct error **err)
{
	gnutls_datum_t der;
	int r = check_key(crt);
	if (r >= 0)
		r = gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_DER, &der);
	if (r < 0)
		return fail(err, 400, "reading the certificate", r);

	struct x509 *cert = xcalloc(1, sizeof(*cert));
	cert->der = xmalloc(der.size);
	memcpy(cert->der, der.data, der.size);
	cert->der_size = der.size;
	gnutls_free(der.data);
	digest_sha256_hex(cert->der, cert->der_size, cert->fingerprint);
	cert->not_before = gnutls_x509_crt_get_activation_time(crt);
	cert->not_after = gnutls_x509_crt_get_expiration_time(crt);

	char name[256] = "";
	size_t size = sizeof(name);
	if (gnutls_x509_crt_get_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, 0, name, &size) < 0)
		name[0] = '\0';
	cert->common_name = xstrdup(name);

	*ret_cert = cert;
	return 0;
}

static int parse(const void *data, size_t size, gnutls_x509_crt_fmt_t format,
                 struct x509 **ret_cert, struct error **err)
{
	scoped(gnutls_x509_crt_deinitp) gnutls_x509_crt_t crt = NULL;
	gnutls_datum_t datum = { .data = (void *)(uintptr_t)data, .size = (unsigned)size };

	if (size > FILE_MAX)
		return error_set(err, 400, "Certificate is too large");

	int r = gnutls_x509_crt_init(&crt);
	if (r >= 0)
		r = gnutls_x509_crt_import(crt, &datum, format);
	if (r < 0)
		return fail(err, 400, "reading the certificate", r);
	return new_from(crt, ret_cert, err);
}

int x509_parse_pem(const char *pem, size_t size, struct x509 **ret_cert, struct error **err)
{
	return parse(pem, size, GNUTLS_X509_FMT_PEM, ret_cert, err);
}

int x509_parse_der(const void *der, size_t size, struct x509 **ret_cert, struct error **err)
{
	return parse(der, size, GNUTLS_X509_FMT_DER, ret_cert, err);
}

int x509_parse_base64(const char *text, struct x509 **ret_cert, struct error **err)
{
	if (strstr(text, "-----BEGIN"))
		return x509_parse_pem(text, strlen(text), ret_cert, err);

	scoped_free uint8_t *der = NULL;
	size_t size;
	if (base64_decode(text, strlen(text), &der, &size) < 0)
		return error_set(err, 400, "Certificate is not base64");
	return x509_parse_der(der, size, ret_cert, err);
}

int x509_load(const char *path, struct x509 **ret_cert, struct error **err)
{
	scoped_free char *pem = NULL;
	size_t size;

	int r = file_read(path, FILE_MAX, &pem, &size);
	if (r < 0)
		return error_set_errno(err, r, "Failed reading \"%s\"", path);
	r = x509_parse_pem(pem, size, ret_cert, err);
	return r < 0 ? error_wrap(err, "File \"%s\"", path) : 0;
}

void x509_free(struct x509 *cert)
{
	if (!cert)
		return;

	free(cert->der);
	free(cert->common_name);
	free(cert);
}

char *x509_to_pem(const void *der, size_t size)
{
	gnutls_datum_t in = { .data = (void *)(uintptr_t)der, .size = (unsigned)size }, out;

	if (gnutls_pem_base64_encode2("CERTIFICATE", &in, &out) < 0)
		abort();
	return take_datum(&out);
}

bool x509_key_matches(const char *cert_pem, const char *key_pem)
{
	gnutls_certificate_credentials_t cred;
	gnutls_datum_t cert = { .data = (void *)(uintptr_t)cert_pem,
		                .size = (unsigned)strlen(cert_pem) };
	gnutls_datum_t key = { .data = (void *)(uintptr_t)key_pem,
		               .size = (unsigned)strlen(key_pem) };

	if (gnutls_certificate_allocate_credentials(&cred) < 0)
		abort();
	int r = gnutls_certificate_set_x509_key_mem(cred, &cert, &key, GNUTLS_X509_FMT_PEM);
	gnutls_certificate_free_credentials(cred);
	return r >= 0;
}

bool x509_is_valid_now(const struct x509 *cert, const char **ret_reason)
{
	time_t now = time(NULL);
	const char *reason = now < cert->not_before  ? "is not valid yet"
	                     : now > cert->not_after ? "has expired"
	                                             : NULL;

	if (ret_reason)
		*ret_reason = reason;
	return !reason;
}
