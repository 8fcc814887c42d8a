/* Digests as the API shows them: SHA-256 and HMAC in one shot or piece by piece, in hex. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/macro.h"
#include "lib/base/scoped.h"

#define DIGEST_SHA256_SIZE 32
#define DIGEST_SHA256_HEX_SIZE (2 * DIGEST_SHA256_SIZE + 1)

/* Piece by piece. digest_finish() writes DIGEST_SHA256_SIZE bytes and starts anew. */
struct digest;
struct digest *digest_new(void) MUST_CHECK;
void digest_free(struct digest *digest);
DEFINE_SCOPED(struct digest *, digest_free);
void digest_add(struct digest *digest, const void *data, size_t size);
void digest_finish(struct digest *digest, uint8_t ret_sum[DIGEST_SHA256_SIZE]);

void digest_sha256(const void *data, size_t size, uint8_t ret_sum[DIGEST_SHA256_SIZE]);

/* Lower-case hex with a final NUL. */
void digest_sha256_hex(const void *data, size_t size, char ret_hex[DIGEST_SHA256_HEX_SIZE]);

/* All that 'fd' has from its position on. Returns 0 or a negative errno. */
int digest_sha256_fd(int fd, uint8_t ret_sum[DIGEST_SHA256_SIZE]);

void digest_hmac_sha256(const void *key, size_t key_size, const void *data, size_t size,
                        uint8_t ret_sum[DIGEST_SHA256_SIZE]);

/* Writes 2 * size characters and a NUL. */
void digest_hex(const void *data, size_t size, char *ret_hex);

/* The WebSocket handshake still wants SHA-1 (RFC 6455, 4.2.2); nothing else here may. */
void digest_sha1(const void *data, size_t size, uint8_t ret_sum[20]);

/* Compares secrets in a time that tells nothing of where they differ. NULL equals nothing. */
bool digest_equal_secret(const char *a, const char *b);
