/*
 * Where a request's body goes: memory while it is small, then an unlinked file.
 *
 * Files are written by worker threads while the loop collects the next piece; a body that comes
 * faster than the disk is held back, not hoarded. Used on the loop thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/net/http_server.h"

struct http_sink;

/*
 * 'expected' is the body's size, or UINT64_MAX if unknown. 'ready' is called on the loop thread
 * when a full sink has room again and when http_sink_finish() has said -EAGAIN and should be called
 * again.
 */
struct http_sink *http_sink_new(struct loop *loop, struct worker *io,
                                const struct http_body_limit *limit, uint64_t expected,
                                void (*ready)(void *arg), void *arg) MUST_CHECK;

/* Also while a job runs. */
void http_sink_free(struct http_sink *s);

/* Takes all of 'data'. -EFBIG over the limit, else why the file cannot be written. */
int http_sink_write(struct http_sink *s, const void *data, size_t size);

/* No more should be written before 'ready'. */
bool http_sink_is_full(struct http_sink *s);

/* 0: complete. -EAGAIN: after 'ready', again. Else why the file cannot be written. */
int http_sink_finish(struct http_sink *s);

/* What was collected, after it is complete; each moves out what it returns. */
uint64_t http_sink_size(const struct http_sink *s);
char *http_sink_take_memory(struct http_sink *s); /* Ends with a NUL; NULL if it is in a file. */
int http_sink_take_fd(struct http_sink *s);       /* At position 0; -1 if in memory. */
