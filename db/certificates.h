/* Trusted certificates, each an identity: rows of "certificates" with the projects they may use. */
#pragma once

#include "db/db.h"

enum db_certificate_type {
	DB_CERTIFICATE_CLIENT = 1,
	DB_CERTIFICATE_SERVER,
	DB_CERTIFICATE_METRICS
};

struct db_certificate {
	int64_t id;
	char *fingerprint; /* SHA-256 of the DER form, 64 hex digits. */
	int64_t type;      /* enum db_certificate_type */
	char *name;
	char *description;
	char *certificate; /* PEM */
	bool restricted;
	int64_t created;
	char **projects; /* Names, sorted; counts only if restricted. */
};

struct db_certificates {
	struct db_certificate *rows;
	size_t n;
};

void db_certificate_done(struct db_certificate *row);
void db_certificate_list_done(struct db_certificates *rows);

/* Sorted by fingerprint. */
int db_certificate_list(struct db_tx *tx, struct db_certificates *ret_rows, struct error **err)
	MUST_CHECK;

/* By the beginning of the fingerprint: 404 without a match, 400 with more than one. */
int db_certificate_find(struct db_tx *tx, const char *prefix, struct db_certificate *ret_row,
                        struct error **err) MUST_CHECK;
int db_certificate_create(struct db_tx *tx, const struct db_certificate *row, int64_t *ret_id,
                          struct error **err) MUST_CHECK;

/* Sets all but the id: type, name, description, restricted, projects, certificate, fingerprint. */
int db_certificate_update(struct db_tx *tx, const struct db_certificate *row, struct error **err)
	MUST_CHECK;
int db_certificate_delete(struct db_tx *tx, int64_t id, struct error **err) MUST_CHECK;
