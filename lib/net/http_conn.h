/*
 * One connection of the server, from accept to its end or upgrade.
 *
 *	sniff -> handshake -> head -> body -> running -> replying -> head ...
 *
 * A state machine on the loop thread: it reads only what it may use at once, never waits, and has a
 * deadline wherever it depends on the peer.
 */
#pragma once

#include "lib/net/http_server_impl.h"

struct http_conn;

/* Takes 'fd', just accepted by a listener of 'kind'. */
void http_conn_start_take(struct http_server *server, enum http_listener_kind kind, int fd,
                          const struct netaddr *peer);

/* Closes idle connections; the others end after their answer. */
void http_conn_drain_all(struct http_server *server);

/* Closes all. */
void http_conn_cut_all(struct http_server *server);

/* Closes the connection that has been idle longest. Returns whether there was one. */
bool http_conn_evict_idle(struct http_server *server);

/* Makes the server's deadlines act on connections. */
void http_conn_init_deadlines(struct http_server *server);
