/*
 * Projects: what a project has of its own, and what it shares with the project "default".
 *
 * A feature that is off means that objects of that kind live in "default": whoever asks for
 * profiles of such a project gets those of "default". project_effective() is the one place that
 * knows.
 */
#pragma once

#include <stdbool.h>

#include "lib/base/error.h"

struct conf_key;
struct db_project;
struct db_tx;
struct db_view;
struct json_object;
struct request;
struct state;

enum project_feature {
	PROJECT_INSTANCES, /* Always its own. */
	PROJECT_IMAGES,
	PROJECT_PROFILES,
	PROJECT_VOLUMES,
	PROJECT_BUCKETS,
	PROJECT_NETWORKS,
	PROJECT_ZONES,
	PROJECT_N_FEATURES,
};

/* Every key of a project's config; ends with a row without a name. Borrowed. */
const struct conf_key *project_conf_table(void);

/*
 * The project in which 'project' keeps objects of a kind: itself or "default". Borrowed from 'view'
 * (which holds DB_PROJECTS) or static. 404 'Failed loading project "p": Project not found'.
 */
int project_effective(const struct db_view *view, const char *project, enum project_feature feature,
                      const char **ret_project, struct error **err);

/* Whether the project has objects of that kind of its own. */
bool project_has(const struct db_project *project, enum project_feature feature);

/* The same as project_effective() within a transaction; owned by the caller. */
int project_effective_in(struct db_tx *tx, const char *project, enum project_feature feature,
                         char **ret_project, struct error **err);

/*
 * Names of objects: 400 with LXD's sentence for empty ones, slashes, "." and "..", blanks where
 * they may not be. 'kind' begins the sentence: "Project" or "Profile".
 */
int project_check_name(const char *kind, const char *name, struct error **err);
int project_check_profile_name(const char *name, struct error **err);

/* As the API shows it, used_by included; owned by the caller. The view holds PROJECT_SHOWN. */
#define PROJECT_SHOWN \
	(DB_PROJECTS | DB_PROFILES | DB_INSTANCES | DB_IMAGES | DB_VOLUMES | DB_PLACEMENT_GROUPS)
struct json_object *project_json(const struct db_view *view, const struct db_project *project);

/* GET /1.0/projects/NAME/state: usage and limits. The view holds PROJECT_SHOWN. */
struct json_object *project_state_json(const struct db_view *view,
                                       const struct db_project *project);

/* What the ETag of a project is made of; owned by the caller. */
struct json_object *project_etag(const struct db_project *project);

/* The verbs of the API; each checks, writes and sends the event. */
int project_create(struct request *req, struct json_object *body, char **ret_url,
                   struct error **err);
int project_update(struct request *req, const char *name, struct json_object *body, bool is_patch,
                   struct error **err);
int project_rename(struct request *req, const char *name, const char *new_name, struct error **err);

/* Only an empty one, unless 'is_forced': then what only rows know of goes with it. */
int project_delete(struct request *req, const char *name, bool is_forced, struct error **err);
