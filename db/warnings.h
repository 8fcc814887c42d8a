/* Warnings: rows of "warnings"; one per member, project, type and entity, which counts. */
#pragma once

#include "db/db.h"

enum db_warning_status { DB_WARNING_NEW = 1, DB_WARNING_ACKNOWLEDGED, DB_WARNING_RESOLVED };
enum db_warning_severity { DB_WARNING_LOW = 1, DB_WARNING_MODERATE, DB_WARNING_HIGH };

struct db_warning {
	int64_t id;
	char *uuid;
	char *member;     /* "" if it is about no member. */
	char *project;    /* "" if it is about no project. */
	char *entity_url; /* "" if it is about no entity. */
	char *type;       /* As the API shows it. */
	int64_t severity; /* enum db_warning_severity */
	int64_t status;   /* enum db_warning_status */
	int64_t count;
	int64_t first_seen;
	int64_t last_seen;
	int64_t updated;
	char *message; /* The last one. */
};

struct db_warnings {
	struct db_warning *rows;
	size_t n;
};

void db_warning_done(struct db_warning *row);
void db_warning_list_done(struct db_warnings *rows);

/* Of one project, or of all if it is NULL; by first time. */
int db_warning_list(struct db_tx *tx, const char *project, struct db_warnings *ret_rows,
                    struct error **err) MUST_CHECK;
int db_warning_get(struct db_tx *tx, const char *uuid, struct db_warning *ret_row,
                   struct error **err) MUST_CHECK;

/*
 * Raises a warning: a new row with row->uuid, or, if the same (member, project, type, entity) is
 * there, one more time: count + 1, last time and message of 'row', and "new" if it was resolved.
 */
int db_warning_raise(struct db_tx *tx, const struct db_warning *row, struct error **err) MUST_CHECK;

int db_warning_set_status(struct db_tx *tx, const char *uuid, enum db_warning_status status,
                          struct error **err) MUST_CHECK;

/* Resolves those of a type that were raised by 'member' about 'entity_url' (NULL: any). */
int db_warning_resolve(struct db_tx *tx, const char *member, const char *type,
                       const char *entity_url, struct error **err) MUST_CHECK;
int db_warning_delete(struct db_tx *tx, const char *uuid, struct error **err) MUST_CHECK;
