/*
 * The body of an answer that is made while it is sent: files, pull callbacks, pipes.
 *
 * Callbacks and files may block, so worker threads fill one buffer while the loop sends another; no
 * thread is held while the client is slow. Pipes are polled on the loop. Used on the loop thread,
 * but for making one.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/net/http_exchange.h"

struct http_source;
struct loop;
struct worker;

struct http_source *http_source_new_pull(const struct http_pull *pull) MUST_CHECK;
struct http_source *http_source_new_fd_take(int fd, uint64_t offset, uint64_t size) MUST_CHECK;
struct http_source *http_source_new_pipe_take(int fd) MUST_CHECK;

/* Any thread, for one that was never started; else the loop thread, also while a job of it runs. */
void http_source_free(struct http_source *s);

/* Begins to read ahead. 'ready' is called on the loop thread after http_source_read() said -EAGAIN.
 */
void http_source_start(struct http_source *s, struct loop *loop, struct worker *io,
                       void (*ready)(void *arg), void *arg);

/* Bytes read, 0 at the end, -EAGAIN, or why there will be no more. */
ssize_t http_source_read(struct http_source *s, void *data, size_t size);
