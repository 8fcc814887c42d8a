#include "daemon/instance/instance_volatile.h"

#include <string.h>

#include "daemon/core/state.h"
#include "db/instances.h"
#include "lib/base/alloc.h"
#include "lib/base/str.h"

struct patch {
	int64_t id;
	const struct smap *changes;
};

static int write_patch(struct db_tx *tx, void *arg, struct error **err)
{
	const struct patch *patch = arg;

	return db_instance_patch_config(tx, patch->id, patch->changes, err);
}

int instance_volatile_write(const struct instance *inst, const struct smap *changes,
                            struct error **err)
{
	struct patch patch = { .id = inst->row->row.id, .changes = changes };

	if (changes->n_entries == 0)
		return 0;

	return db_write_shared(inst->state->db, NULL, write_patch, &patch, err);
}

int instance_volatile_set(const struct instance *inst, const char *key, const char *value,
                          struct error **err)
{
	scoped(smap_done) struct smap changes = { 0 };

	smap_set(&changes, key, value ? value : "");
	return instance_volatile_write(inst, &changes, err);
}

struct looking {
	int64_t id;
	const struct instance_volatile_change *change;
	bool is_written;
};

/* This one writes too, so that nothing in doubt comes after it. */
static int look_back(struct db_tx *tx, void *arg, struct error **err)
{
	struct looking *looking = arg;
	const struct instance_volatile_change *change = looking->change;
	scoped(db_instance_done) struct db_instance row = { 0 };
	scoped(smap_done) struct smap same = { 0 };

	int r = db_instance_get_by_id(tx, looking->id, &row, err);
	if (r < 0)
		return r;

	looking->is_written = change->is_written(&row, change->arg);
	smap_set(&same, change->key, smap_get_or(&row.config, change->key, ""));
	return db_instance_patch_config(tx, looking->id, &same, err);
}

int instance_volatile_write_surely(const struct instance *inst,
                                   const struct instance_volatile_change *change,
                                   struct error **ret_doubt, struct error **err)
{
	struct looking looking = { .id = inst->row->row.id, .change = change };

	int r = db_write(inst->state->db, change->write, change->arg, err);
	if (r == 0)
		return 0;
	if (db_write(inst->state->db, look_back, &looking, ret_doubt) < 0 || !looking.is_written)
		return r;

	error_clear(err);
	return 0;
}

static char *prefix_of(const char *device)
{
	return xasprintf("volatile.%s.", device);
}

void instance_volatile_of_device(const struct smap *config, const char *device,
                                 struct smap *ret_keys)
{
	scoped_free char *prefix = prefix_of(device);
	size_t len = strlen(prefix);

	SMAP_FOREACH (e, config)
		if (strncmp(e->key, prefix, len) == 0)
			smap_set(ret_keys, e->key + len, e->value);
}

void instance_volatile_device_changes(const struct smap *config, const char *device,
                                      const struct smap *keys, struct smap *changes)
{
	scoped_free char *prefix = prefix_of(device);

	SMAP_FOREACH (e, keys) {
		scoped_free char *key = xasprintf("%s%s", prefix, e->key);

		if (strcmp(smap_get_or(config, key, ""), e->value) != 0)
			smap_set(changes, key, e->value);
	}
}
