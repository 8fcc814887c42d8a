/*
 * Who asks, and what that one may reach.
 *
 * daemon/auth fills it from the connection; operations, events and logs show it; the authorizer
 * reads it. It is counted, since an operation and a stream live longer than their request.
 */
#pragma once

#include <stdbool.h>

#include "lib/base/error.h"

struct json_object;

enum requestor_kind {
	REQUESTOR_GUEST,   /* Nobody that we know: sees what is public. */
	REQUESTOR_METRICS, /* A metrics certificate: reads /1.0/metrics, otherwise a guest. */
	REQUESTOR_CLIENT,  /* A trusted client certificate, perhaps restricted to some projects. */
	REQUESTOR_ADMIN,   /* Root or the group on the unix socket, and the daemon itself. */
	REQUESTOR_PEER,    /* Another member of this cluster, perhaps asking for somebody else. */
};

struct requestor {
	enum requestor_kind kind;
	char *username;     /* A fingerprint, or a user name on the unix socket. */
	char *protocol;     /* "tls", "unix" or "cluster". */
	char *address;      /* "192.0.2.1:50044", or "@" on the unix socket. */
	char *fingerprint;  /* SHA-256 of the client certificate in hex, or NULL. */
	bool is_restricted; /* Only with REQUESTOR_CLIENT: may reach 'projects' and no others. */
	char **projects;    /* Ends with NULL; NULL means none. */
};

/* A requestor with one reference; strings are copied and may be NULL. */
struct requestor *access_new(enum requestor_kind kind, const char *username, const char *protocol,
                             const char *address) MUST_CHECK;

struct requestor *access_ref(const struct requestor *requestor);
void access_unref(struct requestor *requestor);
DEFINE_SCOPED(struct requestor *, access_unref);

/* The daemon acting by itself; borrowed, never freed, shown nowhere. */
const struct requestor *access_daemon(void);

/* Whether 'requestor' is trusted at all: a client, an administrator or a member. */
bool access_is_trusted(const struct requestor *requestor);

/* Whether it may do everything: not a guest, not restricted. */
bool access_is_admin(const struct requestor *requestor);

/* Whether it may see anything in 'project'. */
bool access_may_enter(const struct requestor *requestor, const char *project);

/* {"username": ..., "protocol": ..., "address": ...}; NULL for the daemon. Owned by the caller. */
struct json_object *access_json(const struct requestor *requestor);
