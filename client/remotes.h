/*
 * The remotes file: which servers there are, which one is the default, and the user's aliases.
 *
 * config.yml has the shape that lxc uses, so a file can be copied from one to the other; what is
 * not understood in it is kept.
 */
#pragma once

#include <stdbool.h>

#include <json-c/json.h>

#include "lib/base/error.h"
#include "lib/base/scoped.h"

#define REMOTES_LOCAL "local"

struct remotes;

/* $MUSTER_CONF, else ~/.config/muster. Owned by the caller. */
char *remotes_default_dir(void);

/* Reads config.yml of 'dir'; without one there is the local remote only. */
int remotes_load(const char *dir, struct remotes **ret_remotes, struct error **err);
void remotes_free(struct remotes *remotes);
DEFINE_SCOPED(struct remotes *, remotes_free);

/* Writes the file, and its directory if needed. */
int remotes_save(const struct remotes *remotes, struct error **err);

/* The directory, borrowed. */
const char *remotes_dir(const struct remotes *remotes);

const char *remotes_default(const struct remotes *remotes);
void remotes_set_default(struct remotes *remotes, const char *name);

/* "addr", "protocol", "auth_type", "project", "public", "static"; borrowed, NULL if unknown. */
struct json_object *remotes_get(const struct remotes *remotes, const char *name);

/* All of them by name, borrowed; and the aliases. */
struct json_object *remotes_all(const struct remotes *remotes);
struct json_object *remotes_aliases(struct remotes *remotes);

/* Takes the object. */
void remotes_set_take(struct remotes *remotes, const char *name, struct json_object *remote);
void remotes_remove(struct remotes *remotes, const char *name);

/*
 * Splits "remote:rest" at the first colon. Without one it is the default remote and the whole word.
 * '*ret_name' is owned by the caller, '*ret_rest' borrowed from 'word'. 404 for an unknown remote.
 */
int remotes_split(const struct remotes *remotes, const char *word, char **ret_name,
                  const char **ret_rest, struct error **err);

/* Where the pinned certificate of a remote is kept. Owned by the caller. */
char *remotes_certificate_path(const struct remotes *remotes, const char *name);
