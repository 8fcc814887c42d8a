#include "db/config.h"

#include <string.h>

#define SQL_SET                           \
	"INSERT INTO config (key, value)" \
	" VALUES (?, ?)"                  \
	" ON CONFLICT (key) DO UPDATE SET value = excluded.value"

static int load_key(const struct db_row *row, void *arg, struct error **err)
{
	(void)err;
	smap_set(arg, db_row_text(row, 0), db_row_text(row, 1));
	return 0;
}

int db_config_load(struct db_tx *tx, struct smap *ret_config, struct error **err)
{
	scoped(smap_done) struct smap config = { 0 };

	int r = db_each(tx, "SELECT key, value FROM config ORDER BY key", DB_NO_ARGS, load_key,
	                &config, err);
	if (r < 0)
		return r;

	*ret_config = smap_take(&config);
	return 0;
}

int db_config_set(struct db_tx *tx, const char *key, const char *value, struct error **err)
{
	if (!value || !*value)
		return db_exec(tx, "DELETE FROM config WHERE key = ?", DB_ARGS(db_text(key)), err);
	return db_exec(tx, SQL_SET, DB_ARGS(db_text(key), db_text(value)), err);
}

int db_config_store(struct db_tx *tx, const struct smap *config, struct error **err)
{
	scoped(smap_done) struct smap now = { 0 };

	int r = db_config_load(tx, &now, err);
	if (r < 0)
		return r;

	SMAP_FOREACH (e, &now) {
		r = smap_has(config, e->key) ? 0 : db_config_set(tx, e->key, NULL, err);
		if (r < 0)
			return r;
	}
	SMAP_FOREACH (e, config) {
		const char *old = smap_get(&now, e->key);

		r = old && strcmp(old, e->value) == 0 ? 0
		                                      : db_config_set(tx, e->key, e->value, err);
		if (r < 0)
			return r;
	}

	return 0;
}
