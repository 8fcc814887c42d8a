/*
 * libmicrohttpd, behind the front: it writes the answers that are streams. One that lies in memory
 * is sent by the connection itself (http_conn_output.c), without a detour through the kernel.
 *
 * MHD runs on the loop thread, on one end of a socketpair each; such a pair is a lane. When an
 * answer is ready, a lane that is free is given a request line of ours and the answer; MHD frames
 * it (status, Date, lengths or chunks, HEAD, HTTP/1.0, keep-alive or close) and the connection
 * passes the bytes on. Clients never reach MHD: its parser is lax, its TLS burns CPU on stalled
 * peers and cannot upgrade (0.9.75), and a connection that is idle or slow in asking should not
 * cost it anything. So lanes are few: one per answer that is being sent. All on the loop thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "lib/base/macro.h"
#include "lib/net/http_reply.h"

struct http_lane;
struct http_lanes;
struct loop;
struct worker;

struct http_lanes *http_lanes_new(struct loop *loop, struct worker *io) MUST_CHECK;

/* All lanes must have been released. */
void http_lanes_free(struct http_lanes *lanes);

/*
 * Begins to send '*reply', whose body or source is moved out; it must outlive the lane's use.
 * 'readable' is called on the loop after http_lane_read() said -EAGAIN.
 */
struct http_lane *http_lane_start(struct http_lanes *lanes, struct http_reply *reply,
                                  const struct http_reply_wish *wish, void (*readable)(void *arg),
                                  void *arg) MUST_CHECK;

/* Bytes of the answer for the wire; 0: it was all; -EAGAIN; -EPIPE: its body failed half-way. */
ssize_t http_lane_read(struct http_lane *lane, void *data, size_t size);

/* 'readable' is called once more from the loop, even if nothing is new: to go on later. */
void http_lane_again(struct http_lane *lane);

/* At any time: an answer that is not complete is given up. */
void http_lane_release(struct http_lane *lane);
