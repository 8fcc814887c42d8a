/*
 * Texts that only who has a key can read, and nobody can change: AES-256-GCM.
 *
 * The key is derived from a longer secret (a private key's PEM text) and a label, so that what was
 * sealed for one purpose opens for no other.
 */
#pragma once

#include "lib/base/macro.h"

/* Base64 of nonce, ciphertext and tag. Owned by the caller. */
char *seal_close(const char *secret, const char *label, const char *text) MUST_CHECK;

/* The text; NULL if it was sealed otherwise, or is no such thing. Owned by the caller. */
char *seal_open(const char *secret, const char *label, const char *sealed) MUST_CHECK;
