/*
 * Custom volumes: create, change, copy, rename, move, delete, and their snapshots.
 *
 * A volume belongs to a project (its effective one, resolved by the caller through
 * daemon/project) and lies on one member. The caller forwards a request to that member; these
 * functions run where the volume is.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "drivers/storage/storage_driver.h"
#include "lib/base/error.h"

struct smap;
struct db_storage_volume;
struct db_view;
struct json_object;
struct operation;
struct request;
struct state;

struct storage_volume_id {
	const char *project;
	const char *pool;
	const char *name;
};

/*
 * The custom volume's row on 'member', or a shared one; NULL: on any, if it is the only one.
 * Borrowed from the view, which holds DB_VOLUMES. 404 "Storage volume not found", 400 if there are
 * several.
 */
int storage_volume_find(const struct db_view *view, const struct storage_volume_id *id,
                        const char *member, const struct db_storage_volume **ret_row,
                        struct error **err);

struct storage_volume_new {
	struct storage_volume_id id;
	const char *description; /* NULL is "". */
	enum storage_content content;
	const struct smap *config; /* NULL is empty. */

	/* A copy, if 'source.name' is set; "vol/snap" copies a snapshot. */
	struct storage_volume_id source;
	const char *source_member; /* Whose; NULL: this member's, or that of the only other one. */
	bool volume_only;          /* Leave the source's snapshots. */
	bool refresh; /* It may exist, and becomes what the source is; snapshots as well. */
};

/* The API's word for the content of a volume, and back; handlers see no drivers. */
const char *storage_volume_content_name(enum storage_content content);
bool storage_volume_parse_content(const char *word, struct storage_volume_new *vol);

/* 400, 404, 409 before an operation exists. */
int storage_volume_check_new(struct state *state, const struct storage_volume_new *vol,
                             struct error **err);
int storage_volume_create(struct state *state, struct operation *operation,
                          const struct storage_volume_new *vol, struct error **err);

/* A volume from an uploaded file: an ISO image as it is, or a tarball of files to unpack. */
int storage_volume_import_iso(struct state *state, struct operation *operation,
                              const struct storage_volume_id *id, int fd, struct error **err);
int storage_volume_import_tar(struct state *state, struct operation *operation,
                              const struct storage_volume_id *id, int fd, struct error **err);

struct storage_volume_change {
	const char *description;   /* NULL leaves it. */
	const struct smap *config; /* NULL leaves it. */
	bool merge;                /* PATCH. */
	const char *restore;       /* Name of a snapshot to go back to, or NULL. */
	bool is_stopped;           /* The caller sees to it that nobody uses it meanwhile. */
	const struct request *req; /* Its If-Match is checked in the transaction; or NULL. */
};

/* What the ETag of a volume is made of; owned by the caller. */
struct json_object *storage_volume_etag(const struct db_storage_volume *row);

int storage_volume_update(struct state *state, struct operation *operation,
                          const struct storage_volume_id *id,
                          const struct storage_volume_change *change, struct error **err);

/* 404, or 400 "The storage volume is still in use". */
int storage_volume_check_delete(struct state *state, const struct storage_volume_id *id,
                                struct error **err);
int storage_volume_delete(struct state *state, struct operation *operation,
                          const struct storage_volume_id *id, struct error **err);

int storage_volume_rename(struct state *state, struct operation *operation,
                          const struct storage_volume_id *id, const char *new_name,
                          struct error **err);

/*
 * To another pool or project, or to this member from 'member' (NULL: it is here), with its
 * snapshots.
 */
int storage_volume_move(struct state *state, struct operation *operation,
                        const struct storage_volume_id *id, const char *member,
                        const struct storage_volume_id *to, struct error **err);

/* Used and total bytes. 0 where the pool cannot tell. */
int storage_volume_space(struct state *state, const struct storage_volume_id *id,
                         struct storage_space *ret_space, struct error **err);

/*
 * For disk devices: makes the volume usable and returns what to bind into the instance; counted,
 * until storage_volume_unmount(). 404 if it is on another member.
 */
struct storage_attached {
	char *path; /* Of the directory, or of the image file of a block volume. */
	bool is_block;
	bool is_readonly; /* ISO. */

	/*
	 * Owners on disk are shown as they are: "security.unmapped", or a pool that cannot be
	 * mounted with id maps. Everything else is bound with the map of each instance, so that all
	 * of them see the same owners, with "security.shifted" or without.
	 */
	bool is_bound_as_is;
};
void storage_attached_done(struct storage_attached *attached);
int storage_volume_mount(struct state *state, const struct storage_volume_id *id,
                         struct storage_attached *ret_attached, struct error **err);
int storage_volume_unmount(struct state *state, const struct storage_volume_id *id,
                           struct error **err);
