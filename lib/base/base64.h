/* Base64, plain (with padding) and URL-safe (without). */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/base/macro.h"

char *base64_encode(const void *data, size_t size) MUST_CHECK;
char *base64_encode_url(const void *data, size_t size) MUST_CHECK;

/*
 * Decodes 'size' characters of either form, padding optional; '*ret_data' is owned by the caller
 * and has a NUL behind it. Line breaks are skipped. -EINVAL if it is no base64.
 */
int base64_decode(const char *s, size_t size, uint8_t **ret_data, size_t *ret_size) NONNULL;
