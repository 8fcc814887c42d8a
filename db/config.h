/* The server's config that all members share: rows of "config". */
#pragma once

#include "db/db.h"

int db_config_load(struct db_tx *tx, struct smap *ret_config, struct error **err) MUST_CHECK;

/* Replaces the whole config; only what differs is written. */
int db_config_store(struct db_tx *tx, const struct smap *config, struct error **err) MUST_CHECK;

/* Sets one key; NULL or "" removes it. */
int db_config_set(struct db_tx *tx, const char *key, const char *value, struct error **err)
	MUST_CHECK;
