/*
 * Messages over a socket to a node, with as few calls of the kernel as there can be.
 *
 * An exchange is one send() and one recv(): what has come is read into a buffer, however many
 * messages that is, and the wait for it is that of recv() itself, whose timeout is changed only
 * when the deadline needs it.
 */
#pragma once

#include "db/wire.h"

struct db_stream {
	int fd; /* Blocking; belongs to the owner of the struct. */
	uint8_t *data;
	size_t capacity;
	size_t begin; /* What was received and not yet handed out. */
	size_t end;
	int timeout_ms; /* As the socket has it; 0: none yet. */
};

/* Does not close the socket. */
void db_stream_done(struct db_stream *stream);

/* Sends all of it, or fails with -errno; -ETIMEDOUT after 'deadline'. */
int db_stream_send(struct db_stream *stream, const void *data, size_t size, int64_t deadline)
	MUST_CHECK;

/* Receives one message; its body is borrowed until the next call. -errno, also -EBADMSG. */
int db_stream_receive(struct db_stream *stream, int64_t deadline, struct wire_header *ret_header,
                      struct bytes *ret_body) MUST_CHECK;

/* Gives a buffer back that a big message has made big. */
void db_stream_shrink(struct db_stream *stream);
