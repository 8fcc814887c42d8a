/*
 * Profiles: create, change, rename, delete; and how they show.
 *
 * A profile's keys and devices are checked as those of an instance are. What a change means for
 * running instances, daemon/instance is told through state->profile_changed on every member.
 */
#pragma once

#include <stdbool.h>

#include "lib/base/error.h"

struct db_profile;
struct db_view;
struct json_object;
struct operation;
struct request;
struct state;

/* As the API shows it, used_by included. 'project' is the one that was asked for. The view holds
 * DB_PROJECTS, DB_PROFILES and DB_INSTANCES. Owned by the caller. */
struct json_object *profile_json(const struct db_view *view, const struct db_profile *profile);

/* What its ETag is made of; owned by the caller. */
struct json_object *profile_etag(const struct db_profile *profile);

int profile_create(struct request *req, struct json_object *body, char **ret_url,
                   struct error **err);
int profile_update(struct request *req, const char *name, struct json_object *body, bool is_patch,
                   struct operation *op, struct error **err);
int profile_rename(struct request *req, const char *name, struct json_object *body, char **ret_url,
                   struct error **err);
int profile_delete(struct request *req, const char *name, struct error **err);
