/*
 * Frames: how several programs' streams, one after the other, share one socket between two members.
 *
 * A frame is a type, a length and so many bytes. A message is one frame of text that the two sides
 * read themselves. A stream is any number of data frames and an end frame, in each direction at its
 * own pace; both sides pump it between the socket and a program, and know without closing anything
 * where it ends. Nothing is read beyond the frame at hand, so whoever reads next finds the next
 * frame. A side that gives up sends an error frame with its reason instead of what was due.
 *
 *	byte 0     enum storage_frame_type
 *	bytes 1-4  length, big-endian, at most 1 MiB
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "drivers/host/op.h"
#include "lib/base/error.h"

enum storage_frame_type {
	STORAGE_FRAME_DATA = 1,
	STORAGE_FRAME_END = 2,
	STORAGE_FRAME_MESSAGE = 3,
	STORAGE_FRAME_ERROR = 4,
};

#define STORAGE_FRAME_MAX ((size_t)1024 * 1024)

/* Sends one message. */
int storage_frame_send(int fd, const char *text, struct error **err);

/*
 * Receives one message, waiting for it as long as 'op' lets it. Owned by the caller,
 * NUL-terminated. 400 if something else comes; what the other side sent as its error becomes the
 * error.
 */
int storage_frame_receive(int fd, struct op *op, char **ret_text, struct error **err);

/* Tells the other side that this one gives up. Failing to is of no interest any more. */
void storage_frame_send_error(int fd, const char *message);

struct storage_frame_pump {
	int fd;     /* The socket; blocking, borrowed. */
	int input;  /* Of the program, taken and closed when the stream ends; -1: what comes must be
	               empty. */
	int output; /* Of the program, taken and closed at its end; -1: nothing is sent. */

	int release; /* Socket to shut down when the other side's stream has ended; 0: none. */

	const char *stage, *what;  /* For op_progress. */
	uint64_t bytes_per_second; /* Limit of what is sent, or 0. */
	uint64_t sent, received;   /* What came of it. */
};

/* Runs until both directions have ended. */
int storage_frame_pump(struct storage_frame_pump *pump, struct op *op, struct error **err);
