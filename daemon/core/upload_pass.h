/*
 * Secrets with which strangers may send what is large.
 *
 * How much of a body is read is decided on the loop, from the head and without the database. What a
 * trusted client gave somebody a secret for is therefore noted here, on the member that it was
 * asked of, as digests; the secret itself is a token's (token.h), checked and used up later.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/macro.h"

struct upload_passes;

struct upload_passes *upload_passes_new(void) MUST_CHECK;
void upload_passes_free(struct upload_passes *passes);

/* Notes a secret until the monotonic time 'deadline' (date_deadline()); the oldest one makes room.
 */
void upload_pass_add(struct upload_passes *passes, const char *secret, int64_t deadline);

/* Once it was used, so that whoever had it sends nothing large again. */
void upload_pass_forget(struct upload_passes *passes, const char *secret);

/* Does not block. */
bool upload_pass_is_known(struct upload_passes *passes, const char *secret);
