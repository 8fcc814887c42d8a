/*
 * The server's configuration: PUT /1.0.
 *
 * Keys are rows of a table; the values of all members are in the cluster's database, those of this
 * member alone (core.https_address, cluster.https_address) in its local file. Reads come from
 * memory, which is refreshed when the revision of the database's table changes.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/error.h"

struct conf_key;
struct db_view;
struct json_object;
struct request;
struct server_conf;
struct state;

/* Every key that the server knows; ends with a row without a name. Borrowed. */
const struct conf_key *server_conf_table(void);

struct server_conf *server_conf_new(struct state *state) MUST_CHECK;
void server_conf_free(struct server_conf *conf);

/* For tables of keys: what images and backups can be compressed with. 400. */
int server_conf_check_compression(const char *value, struct error **err);

/* Reads the local database. Cluster-wide keys are read when they are asked for. */
int server_conf_load(struct state *state, struct error **err);

/* A value, its default, or "". Owned by the caller. 'key' must be a row of the table. */
char *server_conf_string(struct state *state, const char *key) MUST_CHECK;
int64_t server_conf_int(struct state *state, const char *key);
bool server_conf_bool(struct state *state, const char *key);

/*
 * What is set, as /1.0 shows it: {"core.https_address": ...}. Owned by the caller. The cluster's
 * keys are those of 'view', which has DB_CONFIG.
 */
struct json_object *server_conf_json(struct state *state, const struct db_view *view);

/* How often this member's own keys changed: while it is the same, so are they. */
uint64_t server_conf_local_changes(struct state *state);

/*
 * Sets the whole configuration (PUT) or some keys of it (PATCH) from an object of strings. Checks
 * everything first (400), writes, and then calls whoever must act on a change.
 */
int server_conf_replace(struct request *req, struct json_object *values, bool is_patch,
                        struct error **err);

/* Sets one key as the daemon itself: for init, join and tests. NULL takes it away. */
int server_conf_set(struct state *state, const char *key, const char *value, struct error **err);

/*
 * Carries out a change of 'key' to 'value' ("" when unset), before it is stored: when it fails the
 * client is told and nothing is stored. Called without a lock, on this member, also for a change
 * that came from another one (then it is stored already and a failure is logged).
 */
typedef int server_conf_apply(struct state *state, const char *key, const char *value, void *arg,
                              struct error **err);

/* During startup only. 'prefix' selects the keys: "core.https_" or a whole one. */
void server_conf_on_change(struct state *state, const char *prefix, server_conf_apply *fn,
                           void *arg);

/* Another member changed 'keys' (an object of strings): carries them out here. */
void server_conf_take_over(struct state *state, struct json_object *keys);
