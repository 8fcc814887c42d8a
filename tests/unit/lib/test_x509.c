#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/alloc.h"
#include "lib/base/base64.h"
#include "lib/base/file.h"
#include "lib/net/x509.h"

static void generated_ones_are_read_back(void **state)
{
	const struct x509_wish wish = { .common_name = "root@box",
		                        .dns_names = (const char *[]){ "box", NULL },
		                        .addresses = (const char *[]){ "127.0.0.1", "::1", NULL } };
	scoped(error_freep) struct error *err = NULL;
	scoped_free char *pem = NULL, *key = NULL;
	scoped(x509_freep) struct x509 *cert = NULL, *again = NULL, *from_base64 = NULL;

	assert_int_equal(x509_generate(&wish, &pem, &key, &err), 0);
	assert_true(x509_key_matches(pem, key));
	assert_int_equal(x509_parse_pem(pem, strlen(pem), &cert, &err), 0);
	assert_string_equal(cert->common_name, "root@box");
	assert_true(x509_is_valid_now(cert, NULL));
	assert_true(cert->not_after - cert->not_before > 9 * 365 * 24 * 3600L);

	char hex[X509_FINGERPRINT_SIZE];
	digest_sha256_hex(cert->der, cert->der_size, hex);
	assert_string_equal(hex, cert->fingerprint);

	scoped_free char *pem_again = x509_to_pem(cert->der, cert->der_size);
	assert_string_equal(pem_again, pem);
	assert_int_equal(x509_parse_der(cert->der, cert->der_size, &again, &err), 0);
	assert_string_equal(again->fingerprint, cert->fingerprint);
	scoped_free char *text = base64_encode(cert->der, cert->der_size);
	assert_int_equal(x509_parse_base64(text, &from_base64, &err), 0);
	assert_string_equal(from_base64->fingerprint, cert->fingerprint);
}

static void others_are_refused(void **state)
{
	static const char begin[] = "-----BEGIN CERTIFICATE-----\nAAAA\n";
	static const char *const bad[] = { "", "abc", begin };

	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		scoped(error_freep) struct error *err = NULL, *err2 = NULL;
		struct x509 *cert = NULL;
		assert_true(x509_parse_pem(bad[i], strlen(bad[i]), &cert, &err) < 0);
		assert_int_equal(err->status, 400);
		assert_true(x509_parse_base64(bad[i], &cert, &err2) < 0);
		assert_int_equal(err2->status, 400);
	}
}

static void files_are_made_once(void **state)
{
	char dir[] = "/tmp/muster-x509-XXXXXX";
	assert_non_null(mkdtemp(dir));
	scoped_free char *cert_path = xasprintf("%s/server.crt", dir);
	scoped_free char *key_path = xasprintf("%s/server.key", dir);
	scoped(error_freep) struct error *err = NULL;
	scoped(x509_freep) struct x509 *first = NULL, *second = NULL;

	assert_int_equal(x509_ensure_files(cert_path, key_path, false, &err), 0);
	assert_int_equal(x509_load(cert_path, &first, &err), 0);
	assert_int_equal(x509_ensure_files(cert_path, key_path, false, &err), 0);
	assert_int_equal(x509_load(cert_path, &second, &err), 0);
	assert_string_equal(first->fingerprint, second->fingerprint);

	struct stat st;
	assert_int_equal(stat(key_path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);

	unlink(key_path);
	assert_true(x509_ensure_files(cert_path, key_path, false, &err) < 0);
	unlink(cert_path);
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(generated_ones_are_read_back),
		cmocka_unit_test(others_are_refused),
		cmocka_unit_test(files_are_made_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
