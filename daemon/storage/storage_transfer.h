/*
 * Volumes on their way to another member.
 *
 * Both sides hold one connected stream socket (an upgraded HTTP connection) and call these
 * functions with it, one call each per pass. The functions speak a small protocol of their own: the
 * source says what its pool can send and which snapshots there are, the sink answers with the
 * stream that both can and what it has already, then the data goes in frames, then the sink
 * confirms that all is on its disk. So when the source's call returns success, the sink has
 * everything.
 *
 * Evacuation: pass 0 while the instance runs, further ones while it changes less and less, the last
 * one after it stopped. A single copy is one pass with 'is_last'. No rows are written on either
 * side; the caller does that when it commits.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/storage/storage_instance.h"
#include "lib/base/error.h"

struct storage_send {
	const char *const *snapshots; /* Names, oldest first, ends with NULL; NULL for none. */
	const char *snapshot;         /* Send the state of this one, not that of now; or NULL. */
	unsigned int pass;
	bool is_last;
	bool refresh;              /* The target may have an older copy; ask it. */
	bool allow_inconsistent;   /* Files that vanish are no error. */
	uint64_t bytes_per_second; /* Limit, or 0. The pool's "rsync.bwlimit" holds as well. */
};

struct storage_volume_id;

struct storage_sent {
	uint64_t bytes;         /* That went over the wire in this pass. */
	_Atomic uint64_t *live; /* Input: where to say so while it runs, or NULL. */
};

/* 'fd' stays open. Progress goes to the operation as "fs_progress" of the metadata. 'ret_sent' may
 * be NULL. */
int storage_transfer_send(struct state *state, struct operation *operation,
                          const struct storage_instance *inst, const struct storage_send *send,
                          int fd, struct storage_sent *ret_sent, struct error **err);

/*
 * The other side. In pass 0 the volume must not exist unless the source refreshes; when a pass
 * fails, what pass 0 made stays for a retry until storage_transfer_abort(), or the next pass 0.
 */
int storage_transfer_receive(struct state *state, struct operation *operation,
                             const struct storage_instance *inst, int fd,
                             struct storage_sent *ret_received, struct error **err);

/*
 * Forgets what passes keep on this side. 'remove_volume' (on the sink, when the move will not be):
 * removes what was received as well. Safe to repeat.
 */
int storage_transfer_abort(struct state *state, const struct storage_instance *inst,
                           bool remove_volume, struct error **err);

/*
 * The same protocol for custom volumes. The sink's row is there already, and what lies under its
 * name is a leftover unless the source refreshes; 'size' is its limit, or 0.
 */
int storage_transfer_send_custom(struct state *state, struct operation *operation,
                                 const struct storage_volume_id *id,
                                 const struct storage_send *send, int fd,
                                 struct storage_sent *ret_sent, struct error **err);
int storage_transfer_receive_custom(struct state *state, struct operation *operation,
                                    const struct storage_volume_id *id, uint64_t size, int fd,
                                    struct storage_sent *ret_received, struct error **err);
