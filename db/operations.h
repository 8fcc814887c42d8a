/*
 * Operations of all members, so that each can list them and knows whom to ask: rows of
 * "operations". The member that runs one owns its row; it removes it some time after the end.
 */
#pragma once

#include "db/db.h"

struct db_operation {
	int64_t id;
	char *uuid;
	char *member;
	char *project;     /* "" for an operation of the server. */
	char *class;       /* "task", "websocket" or "token". */
	char *description; /* "Creating instance". */
	int64_t status;    /* As in the API: 103 running, 200 success, ... */
	int64_t created;
	int64_t updated;
	bool may_cancel;
	char *resources; /* JSON object. */
	char *metadata;  /* JSON object. */
	char *requestor; /* JSON object, or "". */
	char *error;
	int64_t error_code;
};

struct db_operations {
	struct db_operation *rows;
	size_t n;
};

void db_operation_done(struct db_operation *row);
void db_operation_list_done(struct db_operations *rows);

/* Of one project and one member, or of all where NULL; in order of creation. */
int db_operation_list(struct db_tx *tx, const char *project, const char *member,
                      struct db_operations *ret_rows, struct error **err) MUST_CHECK;
int db_operation_get(struct db_tx *tx, const char *uuid, struct db_operation *ret_row,
                     struct error **err) MUST_CHECK;
int db_operation_create(struct db_tx *tx, const struct db_operation *row, struct error **err)
	MUST_CHECK;

/* Sets status, updated, may_cancel, resources, metadata, error and error code of row->uuid. */
int db_operation_update(struct db_tx *tx, const struct db_operation *row, struct error **err)
	MUST_CHECK;
int db_operation_delete(struct db_tx *tx, const char *uuid, struct error **err) MUST_CHECK;

/* Removes the rows of a member: its daemon starts, or it has left. */
int db_operation_delete_of(struct db_tx *tx, const char *member, struct error **err) MUST_CHECK;
