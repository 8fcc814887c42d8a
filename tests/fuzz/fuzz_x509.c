/* Certificates that clients send: as DER, PEM and base64. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/net/x509.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int r, struct x509 *cert, struct error *err)
{
	if ((r == 0) != (cert != NULL) || (r < 0) != (err != NULL))
		abort();
	if (cert) {
		scoped_free char *pem = x509_to_pem(cert->der, cert->der_size);
		(void)pem;
	}
	x509_free(cert);
	error_free(err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	scoped_free char *text = xmalloc(size + 1);
	struct x509 *cert = NULL;
	struct error *err = NULL;

	memcpy(text, data, size);
	text[size] = '\0';
	int r = x509_parse_der(data, size, &cert, &err);
	check(r, cert, err);
	cert = NULL;
	err = NULL;
	r = x509_parse_base64(text, &cert, &err);
	check(r, cert, err);
	return 0;
}
