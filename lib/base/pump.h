/*
 * Copying a stream from one fd to another, for as long as it lasts.
 *
 * Unlike fd_copy() it can be cancelled while it waits, has a rate, and gives up on a peer that is
 * silent for too long. The fds may be files, pipes, sockets and terminals, blocking or not.
 */
#pragma once

#include <stdint.h>

#include "lib/base/cancel.h"

struct pump_options {
	uint64_t max_rate;     /* Bytes a second; 0: no limit. */
	uint64_t max_bytes;    /* More is -EFBIG; 0: no limit. */
	int64_t idle_ms;       /* Longest wait for either side; more is -ETIMEDOUT. 0: no limit. */
	struct cancel *cancel; /* Or NULL. */
	void (*progress)(uint64_t bytes, void *arg); /* Total so far; or NULL. */
	void *arg;
};

/* Copies to the end of 'from'. Returns the count of bytes or a negative errno. */
int64_t pump_run(int from, int to, const struct pump_options *options);
