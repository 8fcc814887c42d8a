/*
 * The shared shape of all *_config and *_devices tables: read, replace.
 *
 * A list of N owners takes one query for all their config and one for all their devices, which are
 * merged into the owners by id; never one per owner. A replacement writes the difference only.
 */
#pragma once

#include <stddef.h>

#include "db/db.h"
#include "db/device_rows.h"
#include "lib/base/smap.h"

/*
 * One family of such tables. What is written goes as one argument, a JSON object, however much it
 * is: each statement is a round trip to the leader, made while the whole cluster waits to write.
 * The statements are literals of the module that owns the tables. */
struct db_config_table {
	const char *select_sql; /* owner, key, value of many owners, ordered by owner and key. */
	const char *insert_sql; /* Arguments: owner, {key: value}; replaces the keys' values. */
	const char *delete_sql; /* Arguments: owner, {key: anything}. */
};

struct db_device_table {
	const char *select_sql; /* owner, device, key, value, ordered by owner, device and key. */
	const char *insert_sql; /* Arguments: owner, {device: {key: value}}. */
	const char *delete_sql; /* Arguments: owner, {device: anything}; removes all keys. */
};

/* Where the owners are: n rows of 'row_size' bytes, sorted ascending by the int64_t at 'id_offset'.
 */
struct db_owners {
	void *rows;
	size_t n;
	size_t row_size;
	size_t id_offset;
	size_t field_offset; /* Of the struct smap, struct db_devices or char ** to fill. */
};

/* Runs 'select_sql' with 'args' and adds to the owners' maps; rows of other owners are skipped. */
int db_config_merge(struct db_tx *tx, const char *select_sql, struct db_args args,
                    const struct db_owners *owners, struct error **err) MUST_CHECK;
int db_config_merge_devices(struct db_tx *tx, const char *select_sql, struct db_args args,
                            const struct db_owners *owners, struct error **err) MUST_CHECK;

/* Calls 'fn' with the owner and each of its rows, whose first column is the owner's id. */
int db_config_merge_each(struct db_tx *tx, const char *select_sql, struct db_args args,
                         const struct db_owners *owners,
                         void (*fn)(void *owner, const struct db_row *row), struct error **err)
	MUST_CHECK;

/* For (owner, text) rows: appends to the owners' vectors, in the order of the rows. An owner
 * without any gets a vector of none. */
int db_config_merge_names(struct db_tx *tx, const char *select_sql, struct db_args args,
                          const struct db_owners *owners, struct error **err) MUST_CHECK;

/* The config of one owner, with a statement that takes its id and gives owner, key, value. */
int db_config_read(struct db_tx *tx, const char *select_sql, int64_t owner, struct smap *config,
                   struct error **err) MUST_CHECK;

/* Sets the keys of 'config'; those with an empty value are removed. */
int db_config_patch(struct db_tx *tx, const struct db_config_table *table, int64_t owner,
                    const struct smap *config, struct error **err) MUST_CHECK;

/* Makes the stored config of 'owner' what 'wanted' says, given what it is 'now'. NULL: empty. */
int db_config_replace(struct db_tx *tx, const struct db_config_table *table, int64_t owner,
                      const struct smap *now, const struct smap *wanted, struct error **err)
	MUST_CHECK;
int db_config_replace_devices(struct db_tx *tx, const struct db_device_table *table, int64_t owner,
                              const struct db_devices *now, const struct db_devices *wanted,
                              struct error **err) MUST_CHECK;
