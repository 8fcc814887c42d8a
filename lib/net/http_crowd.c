#include "lib/net/http_crowd.h"

#include <stdlib.h>

#include "lib/base/alloc.h"

struct http_crowd_peer {
	struct http_crowd_peer *next;
	uint64_t kind, key;
	unsigned count;
};

static struct http_crowd_peer **bucket_of(struct http_crowd *crowd, uint64_t kind, uint64_t key)
{
	uint64_t hash = (key ^ kind << 56) * UINT64_C(0x9e3779b97f4a7c15);

	return &crowd->buckets[hash >> 56];
}

struct http_crowd_peer *http_crowd_enter(struct http_crowd *crowd, uint64_t kind, uint64_t key,
                                         unsigned max)
{
	struct http_crowd_peer **bucket = bucket_of(crowd, kind, key), *peer = *bucket;

	while (peer && (peer->kind != kind || peer->key != key))
		peer = peer->next;

	if (!peer) {
		peer = xcalloc(1, sizeof(*peer));
		*peer = (struct http_crowd_peer){ .next = *bucket, .kind = kind, .key = key };
		*bucket = peer;
	}
	if (peer->count >= max)
		return NULL;
	peer->count++;
	return peer;
}

void http_crowd_leave(struct http_crowd *crowd, struct http_crowd_peer *peer)
{
	if (!peer || --peer->count > 0)
		return;

	struct http_crowd_peer **at = bucket_of(crowd, peer->kind, peer->key);
	while (*at != peer)
		at = &(*at)->next;
	*at = peer->next;
	free(peer);
}
