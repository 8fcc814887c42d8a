/*
 * Who is on the other end of a connection.
 *
 * The unix socket is guarded by its mode and group: whoever could connect is an administrator. Over
 * TLS the certificate's fingerprint decides: that of a member, of a trusted client, or of nobody.
 * It is looked up for each request, in memory, so that trust ends with the row and not with the
 * connection; the row's change is announced to all members before it is answered.
 */
#pragma once

#include <stdbool.h>

#include "lib/base/error.h"

struct http_exchange;
struct requestor;
struct state;

/* The header by which a member tells for whom it asks; its value is made by auth_forward_header().
 */
#define AUTH_REQUESTOR_HEADER "X-Muster-Requestor"

/*
 * '*ret_requestor' is owned by the caller. '*ret_is_peer' tells that a member asks for itself.
 * '*ret_is_forwarded', that it asks for somebody: who that is, is in '*ret_requestor'. 400 for a
 * broken header.
 */
int auth_identify(struct state *state, struct http_exchange *exchange,
                  struct requestor **ret_requestor, bool *ret_is_peer, bool *ret_is_forwarded,
                  struct error **err);

/* The value of AUTH_REQUESTOR_HEADER for 'requestor', owned by the caller. */
char *auth_forward_header(const struct requestor *requestor) MUST_CHECK;

/* Reads the certificates again: after a change, here and (by a call of theirs) on other members. */
int auth_refresh(struct state *state, struct error **err);

/* Ends the streams of this member that a client has open: events, commands, consoles. */
void auth_end_streams(struct state *state, const char *fingerprint);

/* Refreshes here and on all members that are alive, and ends what 'fingerprint' has open. */
void auth_announce(struct state *state, const char *fingerprint);
