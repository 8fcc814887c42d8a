/*
 * Images: rows of "images" with properties, source, profiles, aliases, and the members that hold
 * their files.
 */
#pragma once

#include "db/db.h"

struct db_image_alias {
	int64_t id;
	char *project;
	char *name;
	char *description;
	char *fingerprint; /* Of the image. */
	int64_t type;      /* enum db_instance_type of the image. */
};

struct db_image_aliases {
	struct db_image_alias *rows;
	size_t n;
};

struct db_image {
	int64_t id;
	char *project;
	char *fingerprint;
	char *filename;
	char *architecture;
	int64_t type; /* enum db_instance_type */
	int64_t size;
	bool public;
	bool auto_update;
	bool cached;
	int64_t created;
	int64_t expires;
	int64_t uploaded;
	int64_t last_used;
	/* Where it came from; an empty server means that it was uploaded. */
	char *source_server;
	char *source_protocol;
	char *source_certificate;
	char *source_alias;
	char *source_type;
	struct smap properties;
	char **profiles;                 /* Names; in the project that owns the profiles. */
	char **members;                  /* Which hold the files; sorted. */
	struct db_image_aliases aliases; /* Sorted by name. */
};

struct db_images {
	struct db_image *rows;
	size_t n;
};

void db_image_done(struct db_image *row);
void db_image_list_done(struct db_images *rows);

/* Of one project, or of all if it is NULL; sorted by project and fingerprint. */
int db_image_list(struct db_tx *tx, const char *project, struct db_images *ret_rows,
                  struct error **err) MUST_CHECK;

/* By the whole fingerprint. */
int db_image_get(struct db_tx *tx, const char *project, const char *fingerprint,
                 struct db_image *ret_row, struct error **err) MUST_CHECK;

/* By the beginning of the fingerprint: 404 without a match, 400 with more than one. */
int db_image_find(struct db_tx *tx, const char *project, const char *prefix,
                  struct db_image *ret_row, struct error **err) MUST_CHECK;

/*
 * Adds an image with properties, profiles and members (aliases are made apart). 'profile_project'
 * is the one that owns the profiles of the project. 409 if the project has the fingerprint already.
 */
int db_image_create(struct db_tx *tx, const struct db_image *row, const char *profile_project,
                    int64_t *ret_id, struct error **err) MUST_CHECK;

/* Sets public, auto_update, cached, expires, properties and profiles of row->id. */
int db_image_update(struct db_tx *tx, const struct db_image *row, const char *profile_project,
                    struct error **err) MUST_CHECK;
int db_image_set_last_used(struct db_tx *tx, int64_t id, int64_t time, struct error **err)
	MUST_CHECK;
int db_image_delete(struct db_tx *tx, int64_t id, struct error **err) MUST_CHECK;

/* The member holds, or no longer holds, the files of this fingerprint (in all projects). */
int db_image_add_member(struct db_tx *tx, const char *fingerprint, const char *member,
                        struct error **err) MUST_CHECK;
int db_image_remove_member(struct db_tx *tx, const char *fingerprint, const char *member,
                           struct error **err) MUST_CHECK;

void db_image_alias_done(struct db_image_alias *row);
void db_image_alias_list_done(struct db_image_aliases *rows);
int db_image_alias_list(struct db_tx *tx, const char *project, struct db_image_aliases *ret_rows,
                        struct error **err) MUST_CHECK;
int db_image_alias_get(struct db_tx *tx, const char *project, const char *name,
                       struct db_image_alias *ret_row, struct error **err) MUST_CHECK;
int db_image_alias_create(struct db_tx *tx, const char *project, const char *name,
                          const char *description, int64_t image_id, struct error **err) MUST_CHECK;
int db_image_alias_update(struct db_tx *tx, int64_t id, const char *description, int64_t image_id,
                          struct error **err) MUST_CHECK;
int db_image_alias_rename(struct db_tx *tx, int64_t id, const char *new_name, struct error **err)
	MUST_CHECK;
int db_image_alias_delete(struct db_tx *tx, int64_t id, struct error **err) MUST_CHECK;
