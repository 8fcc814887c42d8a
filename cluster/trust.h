/*
 * Members' certificates: who may speak as a member.
 *
 * The certificates of type "server" are kept in memory and in a file of the state directory, so
 * that members recognise each other before, and without, the database. The leader sends the list
 * with its heartbeats.
 */
#pragma once

#include <stdbool.h>

#include "lib/base/error.h"
#include "lib/base/macro.h"

struct cluster;
struct db_tx;
struct json_object;

/* True if a TLS client with this SHA-256 fingerprint (hexadecimal) is a member. Does not block. */
bool trust_is_member(struct cluster *cluster, const char *fingerprint);

/* Reads the file; none is an empty one. */
int trust_load(struct cluster *cluster, struct error **err);

/* Reads the certificates of type "server" again; to be called when certificates changed. */
int trust_refresh(struct cluster *cluster, struct error **err);

/* Forgets all members: this server is standalone again. */
void trust_clear(struct cluster *cluster);

/* Adds a member's certificate (PEM) as row, replacing another one of that name. */
int trust_add(struct db_tx *tx, const char *name, const char *cert, struct error **err);

/* Removes the certificates of a member. */
int trust_remove(struct db_tx *tx, const char *name, struct error **err);
int trust_rename(struct db_tx *tx, const char *name, const char *new_name, struct error **err);

/* The fingerprints as a JSON array, and back (ignored if it is none). */
struct json_object *trust_to_json(struct cluster *cluster) MUST_CHECK;
void trust_of_json(struct cluster *cluster, struct json_object *fingerprints);
