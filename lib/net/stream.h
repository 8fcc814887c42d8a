/*
 * A byte stream both ways over a plain descriptor or a TLS session, with half-close.
 *
 * What a connection becomes after an upgrade, and what a client gets from http_client_upgrade().
 * Reads and writes never block; stream_wait() and the *_full functions do, for code on worker
 * threads. One thread at a time may use a stream.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "lib/base/error.h"
#include "lib/base/macro.h"
#include "lib/base/scoped.h"

struct loop;
struct stream;
struct tls_session;

/* Over a socket (or pipe end), which it owns from now on and makes non-blocking. */
struct stream *stream_new_fd_take(int fd) MUST_CHECK;

/*
 * Over TLS, handshake done; owns both. 'surplus' bytes were read already and come first (copied;
 * NULL if none).
 */
struct stream *stream_new_tls_take(struct tls_session *tls, int fd) MUST_CHECK;

/* Puts bytes that were read already before what comes next. Copied. */
void stream_unread(struct stream *s, const void *data, size_t size);

/* Closes it: close_notify is tried once, nothing is waited for. NULL is fine. */
void stream_free(struct stream *s);
DEFINE_SCOPED(struct stream *, stream_free);

/* The descriptor of a plain stream without surplus, which is freed; else -EBUSY and it stays. */
int stream_take_plain_fd(struct stream *s);

/* Bytes read, 0 at the end, -EAGAIN when there are none yet, else a negative errno. */
ssize_t stream_read(struct stream *s, void *data, size_t size);

/* Bytes written (may be fewer), -EAGAIN: offer the same bytes again when writable. */
ssize_t stream_write(struct stream *s, const void *data, size_t size);

/* Ends our direction; the other one stays open. 0 or -EAGAIN (call again when writable). */
int stream_shutdown(struct stream *s);

/* To poll. Poll only when stream_pending() is false: buffered bytes make no descriptor readable. */
int stream_fd(const struct stream *s);
bool stream_has_pending(const struct stream *s);

/* What to poll for after -EAGAIN of a read or a write: TLS may want the other direction. */
short stream_read_events(const struct stream *s);
short stream_write_events(const struct stream *s);

/* Blocking helpers for worker threads. Negative timeout: for ever. -ETIMEDOUT, or another errno. */
int stream_wait(struct stream *s, short events, int timeout_ms);
int stream_read_full(struct stream *s, void *data, size_t size, int timeout_ms); /* -ENODATA: end */
int stream_write_full(struct stream *s, const void *data, size_t size, int timeout_ms);

/* A peer certificate's DER, borrowed, or NULL. */
const void *stream_peer_der(const struct stream *s, size_t *ret_size);
