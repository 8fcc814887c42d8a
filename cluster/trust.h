/*
 * Members' certificates: who may speak as a member.
 *
 * The cluster's table of certificates of type "server" is kept in memory and in the local database,
 * so that members recognise each other before, and without, the cluster's database.
 */
#pragma once

#include <stdbool.h>

#include "lib/base/error.h"

struct cluster;

/* True if a TLS client with this SHA-256 fingerprint (hexadecimal) is a member. Does not block. */
bool trust_is_member(struct cluster *cluster, const char *fingerprint);

/* Adds a joiner's certificate (PEM) under the member's name, in the database and in memory. */
int trust_add(struct cluster *cluster, const char *name, const char *cert, struct error **err);

/* Reads the certificates of type "server" again; called when certificates changed. */
int trust_refresh(struct cluster *cluster, struct error **err);
