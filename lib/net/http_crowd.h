/* How many connections each peer has: an address (of IPv6 the /64), or a user. On the loop thread.
 */
#pragma once

#include <stdint.h>

#include "lib/base/macro.h"

struct http_crowd_peer;

struct http_crowd {
	struct http_crowd_peer *buckets[256];
};

/* Counts one more of 'key', which says kind and number. Returns NULL if it had 'max' of them. */
struct http_crowd_peer *http_crowd_enter(struct http_crowd *crowd, uint64_t kind, uint64_t key,
                                         unsigned max) MUST_CHECK;
void http_crowd_leave(struct http_crowd *crowd, struct http_crowd_peer *peer);
