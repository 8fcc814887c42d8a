/*
 * A websocket for a program with one thread and a poll() of its own.
 *
 * The caller polls ws_fd() for ws_events() and calls ws_process() when something is there (or when
 * ws_has_pending()); messages come through the callback.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "client/server.h"
#include "lib/base/error.h"
#include "lib/base/scoped.h"

struct ws;

/* A whole message; an empty text is LXD's end of a stream. */
typedef void ws_on_message(void *arg, bool is_text, const char *data, size_t size);

/* Opens the websocket at a path of server_path(). */
int ws_dial(struct server *server, const char *path, ws_on_message *on_message, void *arg,
            struct ws **ret_ws, struct error **err);
void ws_free(struct ws *ws);
DEFINE_SCOPED(struct ws *, ws_free);

int ws_fd(const struct ws *ws);
short ws_events(const struct ws *ws);
bool ws_has_pending(const struct ws *ws);

/* Reads and writes what is possible. False once the connection is over. */
bool ws_process(struct ws *ws);
bool ws_is_closed(const struct ws *ws);

/* Queues a message. */
void ws_send(struct ws *ws, bool is_text, const void *data, size_t size);

/* Bytes that still wait to be sent. */
size_t ws_queued(const struct ws *ws);
