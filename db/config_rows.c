#include "db/config_rows.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/strv.h"
#include "lib/data/jv.h"
#include "lib/data/jv_print.h"

/* Owners and rows are both sorted, so the owner of the next row is never before that of the last.
 */
struct merge {
	const struct db_owners *owners;
	size_t at;
	void (*fn)(void *owner, const struct db_row *row);
};

static void *field_of(struct merge *m, int64_t owner)
{
	const struct db_owners *owners = m->owners;

	for (; m->at < owners->n; m->at++) {
		char *row = (char *)owners->rows + m->at * owners->row_size;
		int64_t id = *(const int64_t *)(const void *)(row + owners->id_offset);

		if (id == owner)
			return row + owners->field_offset;
		if (id > owner)
			break;
	}

	return NULL;
}

static int merge_key(const struct db_row *row, void *arg, struct error **err)
{
	struct smap *config = field_of(arg, db_row_int(row, 0));

	(void)err;
	if (config)
		smap_set(config, db_row_text(row, 1), db_row_text(row, 2));
	return 0;
}

int db_config_merge(struct db_tx *tx, const char *select_sql, struct db_args args,
                    const struct db_owners *owners, struct error **err)
{
	struct merge m = { .owners = owners };

	return owners->n > 0 ? db_each(tx, select_sql, args, merge_key, &m, err) : 0;
}

static int add_key(const struct db_row *row, void *arg, struct error **err)
{
	(void)err;
	smap_set(arg, db_row_text(row, 1), db_row_text(row, 2));
	return 0;
}

int db_config_read(struct db_tx *tx, const char *select_sql, int64_t owner, struct smap *config,
                   struct error **err)
{
	return db_each(tx, select_sql, DB_ARGS(db_int(owner)), add_key, config, err);
}

static int merge_device(const struct db_row *row, void *arg, struct error **err)
{
	struct db_devices *devices = field_of(arg, db_row_int(row, 0));

	(void)err;
	if (!devices)
		return 0;

	struct db_device *device = db_device_add(devices, db_row_text(row, 1));
	const char *key = db_row_text(row, 2);
	if (*key)
		smap_set(&device->config, key, db_row_text(row, 3));
	return 0;
}

int db_config_merge_devices(struct db_tx *tx, const char *select_sql, struct db_args args,
                            const struct db_owners *owners, struct error **err)
{
	struct merge m = { .owners = owners };

	return owners->n > 0 ? db_each(tx, select_sql, args, merge_device, &m, err) : 0;
}

static int merge_any(const struct db_row *row, void *arg, struct error **err)
{
	struct merge *m = arg;
	void *owner = field_of(m, db_row_int(row, 0));

	(void)err;
	if (owner)
		m->fn(owner, row);
	return 0;
}

int db_config_merge_each(struct db_tx *tx, const char *select_sql, struct db_args args,
                         const struct db_owners *owners,
                         void (*fn)(void *owner, const struct db_row *row), struct error **err)
{
	struct merge m = { .owners = owners, .fn = fn };

	return owners->n > 0 ? db_each(tx, select_sql, args, merge_any, &m, err) : 0;
}

static int merge_name(const struct db_row *row, void *arg, struct error **err)
{
	char ***names = field_of(arg, db_row_int(row, 0));

	(void)err;
	if (names)
		strv_add(names, db_row_text(row, 1));
	return 0;
}

int db_config_merge_names(struct db_tx *tx, const char *select_sql, struct db_args args,
                          const struct db_owners *owners, struct error **err)
{
	struct merge m = { .owners = owners };

	return owners->n > 0 ? db_each(tx, select_sql, args, merge_name, &m, err) : 0;
}

static int exec_json(struct db_tx *tx, const char *sql, int64_t owner, struct json_object *obj,
                     struct error **err)
{
	if (json_object_object_length(obj) == 0)
		return 0;

	scoped_free char *text = jv_print_text(obj, NULL);
	return db_exec(tx, sql, DB_ARGS(db_int(owner), db_text(text)), err);
}

int db_config_patch(struct db_tx *tx, const struct db_config_table *table, int64_t owner,
                    const struct smap *config, struct error **err)
{
	scoped(jv_unrefp) struct json_object *gone = jv_object();
	scoped(jv_unrefp) struct json_object *set = jv_object();

	SMAP_FOREACH (e, config)
		jv_set_string(*e->value ? set : gone, e->key, e->value);
	int r = exec_json(tx, table->delete_sql, owner, gone, err);
	return r < 0 ? r : exec_json(tx, table->insert_sql, owner, set, err);
}

int db_config_replace(struct db_tx *tx, const struct db_config_table *table, int64_t owner,
                      const struct smap *now, const struct smap *wanted, struct error **err)
{
	scoped(jv_unrefp) struct json_object *gone = jv_object();
	scoped(jv_unrefp) struct json_object *set = jv_object();
	static const struct smap none;

	now = now ? now : &none;
	wanted = wanted ? wanted : &none;
	SMAP_FOREACH (e, now)
		if (!smap_has(wanted, e->key))
			jv_set_string(gone, e->key, "");
	SMAP_FOREACH (e, wanted) {
		const char *old = smap_get(now, e->key);

		if (!old || strcmp(old, e->value) != 0)
			jv_set_string(set, e->key, e->value);
	}

	int r = exec_json(tx, table->delete_sql, owner, gone, err);
	return r < 0 ? r : exec_json(tx, table->insert_sql, owner, set, err);
}

static void set_device(struct json_object *obj, const struct db_device *device)
{
	struct json_object *config = jv_object();

	/* A device without config still needs a row. */
	if (device->config.n_entries == 0)
		jv_set_string(config, "", "");
	SMAP_FOREACH (e, &device->config)
		jv_set_string(config, e->key, e->value);
	jv_set_take(obj, device->name, config);
}

static bool is_same(const struct db_device *a, const struct db_device *b)
{
	return a && b && smap_equals(&a->config, &b->config);
}

int db_config_replace_devices(struct db_tx *tx, const struct db_device_table *table, int64_t owner,
                              const struct db_devices *now, const struct db_devices *wanted,
                              struct error **err)
{
	scoped(jv_unrefp) struct json_object *gone = jv_object();
	scoped(jv_unrefp) struct json_object *set = jv_object();
	static const struct db_devices none;

	now = now ? now : &none;
	wanted = wanted ? wanted : &none;
	for (size_t i = 0; i < now->n; i++) {
		const struct db_device *device = &now->rows[i];

		if (!is_same(device, db_device_find(wanted, device->name)))
			jv_set_string(gone, device->name, "");
	}
	for (size_t i = 0; i < wanted->n; i++) {
		const struct db_device *device = &wanted->rows[i];

		if (!is_same(device, db_device_find(now, device->name)))
			set_device(set, device);
	}

	int r = exec_json(tx, table->delete_sql, owner, gone, err);
	return r < 0 ? r : exec_json(tx, table->insert_sql, owner, set, err);
}
