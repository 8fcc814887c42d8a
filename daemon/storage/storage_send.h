/*
 * Custom volumes between members: the member that wants one asks the one that has it for a stream
 * (POST /internal/storage-volumes/send, upgraded) and receives it (storage_transfer.h).
 *
 * Old clients do not know that members do that among themselves: they ask the source for an offer
 * of a migration, an operation with secrets, and bring that to the sink. The sink claims the offer
 * with the secret, learns what it is an offer of, and copies as it always does.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "daemon/storage/storage_volume.h"
#include "lib/base/error.h"

struct operation;
struct request;
struct state;
struct stream;

/* What is sent. */
struct storage_send_volume {
	struct storage_volume_id id;
	const char *snapshot; /* The state of this one alone, or NULL. */
	bool is_alone;        /* Without snapshots. */
	bool is_refresh;      /* The sink may have an older copy. */
};

/* Sends on a worker of its own. Everything but the stream is copied. */
void storage_send_start(struct state *state, const struct storage_send_volume *send,
                        struct stream *stream_take);

/*
 * Upgrades 'path' of the member to what storage_transfer_receive() reads from: an fd of the caller.
 * The path is one that sends a volume, of an instance or a custom one.
 */
int storage_send_connect(struct state *state, struct operation *operation, const char *member,
                         const char *path, struct error **err);

/*
 * Receives the volume of 'member' into 'to', whose row is there already; files only. After a
 * failure files may be left.
 */
int storage_send_receive(struct state *state, struct operation *operation, const char *member,
                         const struct storage_send_volume *send, const struct storage_volume_id *to,
                         uint64_t size, struct error **err);

/* The operation that offers a volume of this member, with the secrets "control" and "fs". */
int storage_send_offer(struct request *req, const struct storage_send_volume *send,
                       struct operation **ret_op, struct error **err);

/* What another member claimed; owned. */
struct storage_send_claim {
	char *project, *pool, *name; /* The name is "volume/snapshot" for a snapshot. */
	bool is_alone;
};

void storage_send_claim_done(struct storage_send_claim *claim);

/* Spends the secret "fs" of an offer of this member: 404, 403. Ends the operation. */
int storage_send_claim(struct state *state, const char *operation_id, const char *secret,
                       struct storage_send_claim *ret_claim, struct error **err);
