/*
 * A server of the SSH File Transfer Protocol, version 3 (draft-ietf-secsh-filexfer-02).
 *
 * What clients use to copy trees to and from an instance. It knows a root and packets; the helper
 * that confines it brings both. One packet, one answer: nothing is queued, and what a client can
 * make it hold is bounded: a packet, an answer, SFTP_MAX_HANDLES open files.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/base/strbuf.h"

/* The largest packet, without the length before it. */
#define SFTP_MAX_PACKET (256 * 1024 + 1024)
#define SFTP_MAX_HANDLES 256

struct sftp;

/* 'root' is borrowed; all names are resolved beneath it. */
struct sftp *sftp_new(int root);
void sftp_free(struct sftp *sftp);

/*
 * Does what a packet (type and payload, no length) asks for and puts the answer, with its length,
 * at the end of 'reply'. -EPROTO when the client does not speak the protocol: hang up.
 */
int sftp_handle(struct sftp *sftp, const uint8_t *packet, size_t size, struct strbuf *reply);
