/*
 * A websocket to descriptors and back, as LXD's exec, console and log streams have it.
 *
 * Data goes in binary messages. An empty text message ends one direction: from the peer it is the
 * end of the process's input, to the peer the end of its output; a close frame or a broken
 * connection ends both. Runs on the loop; pipes, sockets and pseudo-terminals do, regular files do
 * not.
 */
#pragma once

#include <stdbool.h>

#include "lib/base/error.h"
#include "lib/net/websocket.h"

struct ws_bridge;

struct ws_bridge_config {
	enum websocket_role role;
	int fd_write; /* Gets what the peer sends; -1: dropped. Owned; closed at the peer's end. */
	int fd_read;  /* Sent to the peer; -1: none. Owned. May be a dup of fd_write (a pty). */

	/*
	 * A pseudo-terminal's master says EIO when its last user is gone: that is an end, not a
	 * failure. For a pty 'fd_write' stays open until the bridge ends even when the peer's end
	 * arrives.
	 */
	bool is_pty;

	/* After the end of fd_read the websocket is closed with 1000, once all is sent. Else the
	 * peer closes. LXD does so for the output channels of exec. */
	bool close_at_end;

	/*
	 * fd_read is at its end and all of it is sent to the socket. Once at most, on the loop
	 * thread, before on_done.
	 */
	void (*on_output_end)(struct ws_bridge *b, void *arg);

	/* The websocket is closed and the descriptors too. Exactly once and last, on the loop
	 * thread. */
	void (*on_done)(struct ws_bridge *b, void *arg);
	void *arg;
};

/* Takes the stream and the descriptors. Any thread. The caller owns a reference. */
struct ws_bridge *ws_bridge_new_take(struct loop *loop, struct stream *s,
                                     const struct ws_bridge_config *config) MUST_CHECK;
void ws_bridge_unref(struct ws_bridge *b);
DEFINE_SCOPED(struct ws_bridge *, ws_bridge_unref);

/*
 * For when the process is gone but a child of it may hold the pipe open: reads what is there now
 * and takes that as the end of output. Any thread.
 */
void ws_bridge_finish(struct ws_bridge *b);

/* Ends it in order: what is queued is sent, then a close frame with 1000. Any thread. */
void ws_bridge_close(struct ws_bridge *b);

/* Ends it at once. Any thread. */
void ws_bridge_abort(struct ws_bridge *b);
