/* A server on a unix socket, TLS and plain TCP on loopback, for tests of what talks HTTP. */
#pragma once

#include <stdint.h>

#include "lib/net/http_client.h"
#include "lib/net/http_server.h"
#include "lib/net/stream.h"

struct net_server {
	struct loop *loop;
	struct worker *worker;
	struct http_server *server;
	char dir[64];
	char *unix_path;
	char *cert_path, *key_path;               /* The server's. */
	char *client_cert_path, *client_key_path; /* A client's. */
	char *cert_pem;
	char *client_fingerprint;
	uint16_t tls_port, plain_port;
	int spool_dir; /* Descriptor of 'dir'. */
};

/* 'config' has a handler and what differs from the defaults; loop and worker are filled in. */
void net_server_start(struct net_server *s, const struct http_server_config *config);

/* Fails if anything is left in its directory but its own files. */
void net_server_stop(struct net_server *s);

/* Non-blocking sockets. */
int net_server_dial_plain(const struct net_server *s);
int net_server_dial_unix(const struct net_server *s);

/* A handshake done, with the client's certificate or none, on TCP or (STARTTLS) the unix socket. */
struct stream *net_server_dial_tls(const struct net_server *s, bool has_cert);
struct stream *net_server_dial_starttls(const struct net_server *s);

/* A client of the TLS port with its certificate pinned and one of its own. */
struct http_client *net_server_client(const struct net_server *s);
struct http_client *net_server_unix_client(const struct net_server *s);

/* Sends 'text' and returns all that comes back until the end, or until 'until' was seen. Owned. */
char *net_server_talk(struct stream *s, const void *text, size_t size, const char *until);
