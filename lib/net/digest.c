#include "lib/net/digest.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

#include "lib/base/alloc.h"

struct digest {
	gnutls_hash_hd_t hash;
};

/* A failing hash would make every fingerprint wrong; there is no going on. */
static void must(int r)
{
	if (r < 0)
		abort();
}

struct digest *digest_new(void)
{
	struct digest *digest = xcalloc(1, sizeof(*digest));

	must(gnutls_hash_init(&digest->hash, GNUTLS_DIG_SHA256));
	return digest;
}

void digest_free(struct digest *digest)
{
	if (!digest)
		return;

	gnutls_hash_deinit(digest->hash, NULL);
	free(digest);
}

void digest_add(struct digest *digest, const void *data, size_t size)
{
	if (size > 0)
		must(gnutls_hash(digest->hash, data, size));
}

void digest_finish(struct digest *digest, uint8_t ret_sum[DIGEST_SHA256_SIZE])
{
	gnutls_hash_output(digest->hash, ret_sum);
}

void digest_sha256(const void *data, size_t size, uint8_t ret_sum[DIGEST_SHA256_SIZE])
{
	must(gnutls_hash_fast(GNUTLS_DIG_SHA256, data, size, ret_sum));
}

void digest_sha256_hex(const void *data, size_t size, char ret_hex[DIGEST_SHA256_HEX_SIZE])
{
	uint8_t sum[DIGEST_SHA256_SIZE];

	digest_sha256(data, size, sum);
	digest_hex(sum, sizeof(sum), ret_hex);
}

int digest_sha256_fd(int fd, uint8_t ret_sum[DIGEST_SHA256_SIZE])
{
	enum { CHUNK = 128 * 1024 };
	scoped_free char *chunk = xmalloc(CHUNK);
	scoped(digest_freep) struct digest *digest = digest_new();

	for (;;) {
		ssize_t n = read(fd, chunk, CHUNK);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		digest_add(digest, chunk, (size_t)n);
	}

	digest_finish(digest, ret_sum);
	return 0;
}

void digest_hmac_sha256(const void *key, size_t key_size, const void *data, size_t size,
                        uint8_t ret_sum[DIGEST_SHA256_SIZE])
{
	must(gnutls_hmac_fast(GNUTLS_MAC_SHA256, key, key_size, data, size, ret_sum));
}

void digest_hex(const void *data, size_t size, char *ret_hex)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *bytes = data;

	for (size_t i = 0; i < size; i++) {
		ret_hex[2 * i] = digits[bytes[i] >> 4];
		ret_hex[2 * i + 1] = digits[bytes[i] & 15];
	}
	ret_hex[2 * size] = '\0';
}

void digest_sha1(const void *data, size_t size, uint8_t ret_sum[20])
{
	must(gnutls_hash_fast(GNUTLS_DIG_SHA1, data, size, ret_sum));
}

bool digest_equal_secret(const char *a, const char *b)
{
	if (!a || !b)
		return false;

	/* The digests have one length, so not even that of the secret can be measured. */
	uint8_t sum_a[DIGEST_SHA256_SIZE], sum_b[DIGEST_SHA256_SIZE];
	digest_sha256(a, strlen(a), sum_a);
	digest_sha256(b, strlen(b), sum_b);
	return gnutls_memcmp(sum_a, sum_b, sizeof(sum_a)) == 0;
}
