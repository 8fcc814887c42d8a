#include "lib/net/seal.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

#include "lib/base/alloc.h"
#include "lib/base/base64.h"
#include "lib/base/random.h"
#include "lib/base/scoped.h"
#include "lib/net/digest.h"

#define NONCE_SIZE 12
#define TAG_SIZE 16

static gnutls_aead_cipher_hd_t cipher_of(const char *secret, const char *label)
{
	uint8_t key[DIGEST_SHA256_SIZE];
	gnutls_aead_cipher_hd_t cipher;

	digest_hmac_sha256(secret, strlen(secret), label, strlen(label), key);
	int r = gnutls_aead_cipher_init(&cipher, GNUTLS_CIPHER_AES_256_GCM,
	                                &(gnutls_datum_t){ key, sizeof(key) });
	gnutls_memset(key, 0, sizeof(key));
	/* Without memory or the cipher there is no going on. */
	if (r < 0)
		abort();
	return cipher;
}

char *seal_close(const char *secret, const char *label, const char *text)
{
	gnutls_aead_cipher_hd_t cipher = cipher_of(secret, label);
	size_t text_size = strlen(text), size = text_size + TAG_SIZE;
	scoped_free uint8_t *sealed = xmalloc(NONCE_SIZE + size);

	random_bytes(sealed, NONCE_SIZE);
	int r = gnutls_aead_cipher_encrypt(cipher, sealed, NONCE_SIZE, NULL, 0, TAG_SIZE, text,
	                                   text_size, sealed + NONCE_SIZE, &size);
	gnutls_aead_cipher_deinit(cipher);
	if (r < 0)
		abort();
	return base64_encode(sealed, NONCE_SIZE + size);
}

char *seal_open(const char *secret, const char *label, const char *sealed)
{
	scoped_free uint8_t *data = NULL;
	size_t size = 0;

	if (base64_decode(sealed, strlen(sealed), &data, &size) < 0 || size < NONCE_SIZE + TAG_SIZE)
		return NULL;

	gnutls_aead_cipher_hd_t cipher = cipher_of(secret, label);
	size_t text_size = size - NONCE_SIZE - TAG_SIZE;
	scoped_free char *text = xcalloc(1, size);
	int r = gnutls_aead_cipher_decrypt(cipher, data, NONCE_SIZE, NULL, 0, TAG_SIZE,
	                                   data + NONCE_SIZE, size - NONCE_SIZE, text, &text_size);
	gnutls_aead_cipher_deinit(cipher);
	return r < 0 ? NULL : TAKE_PTR(text);
}
