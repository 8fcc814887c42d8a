#include "drivers/storage/storage_conf.h"

#include <string.h>

#include "drivers/storage/storage_driver.h"
#include "lib/base/macro.h"
#include "lib/base/parse.h"
#include "lib/base/str.h"
#include "lib/conf/conf.h"

/* Which volumes a key is for. What is not here is for all. */
struct scope {
	const char *key;
	bool is_custom_only;
	bool is_filesystem_only, is_block_only;
};

/* clang-format off */
static const struct scope scopes[] = {
	{ "security.shared",    false, false, true },
	{ "security.shifted",   true,  true,  false },
	{ "security.unmapped",  true,  true,  false },
	{ "snapshots.expiry",   true,  false, false },
	{ "snapshots.pattern",  true,  false, false },
	{ "snapshots.schedule", true,  false, false },
};

/* Of every pool, whatever its driver. */
static const struct conf_key common_pool_keys[] = {
	{ .name = "source", .type = CONF_STRING, .flags = CONF_LOCAL,
	  .doc = "What holds the pool on this member." },
	{ .name = "volatile.initial_source", .type = CONF_STRING, .flags = CONF_LOCAL | CONF_INTERNAL,
	  .doc = "The source as it was given when the pool was made." },
	{ .name = "user.*", .type = CONF_STRING, .flags = CONF_LIVE,
	  .doc = "Free for users; never read by the daemon." },
	{ .name = NULL },
};
/* clang-format on */

static const struct conf_key *find_pool_key(const struct storage_driver *driver, const char *key)
{
	const struct conf_key *row = conf_find(driver->pool_keys, key);

	return row ? row : conf_find(common_pool_keys, key);
}

static bool may_have(const char *key, enum storage_kind kind, enum storage_content content)
{
	for (size_t i = 0; i < COUNT_OF(scopes); i++) {
		const struct scope *s = &scopes[i];

		if (strcmp(s->key, key) != 0)
			continue;
		return !(s->is_custom_only && kind != STORAGE_CUSTOM) &&
		       !(s->is_filesystem_only && content != STORAGE_FILESYSTEM) &&
		       !(s->is_block_only && content == STORAGE_FILESYSTEM);
	}
	return true;
}

/* "volume.KEY": the default of volumes to come. */
static const struct conf_key *find_volume_default(const struct storage_driver *driver,
                                                  const char *key)
{
	const char *rest = str_after(key, "volume.");

	if (!rest || str_starts(rest, "volatile.") || str_starts(rest, "user."))
		return NULL;
	return conf_find(driver->volume_keys, rest);
}

int storage_conf_check_pool(const struct storage_driver *driver, const char *pool,
                            const struct smap *config, struct error **err)
{
	if (!config)
		return 0;

	SMAP_FOREACH (e, config) {
		const struct conf_key *row = find_pool_key(driver, e->key);

		if (!row)
			row = find_volume_default(driver, e->key);
		if (!row)
			return error_set(err, 400,
			                 "Invalid option for storage pool \"%s\" option \"%s\"",
			                 pool, e->key);
		if (conf_validate_value(row, e->key, e->value, err) < 0)
			return error_wrap(err,
			                  "Invalid option for storage pool \"%s\" option \"%s\"",
			                  pool, e->key);
	}
	return 0;
}

int storage_conf_check_volume(const struct storage_driver *driver, enum storage_kind kind,
                              enum storage_content content, const char *volume,
                              const struct smap *config, struct error **err)
{
	if (!config)
		return 0;

	SMAP_FOREACH (e, config) {
		const struct conf_key *row = conf_find(driver->volume_keys, e->key);

		if (!row || !may_have(e->key, kind, content))
			return error_set(err, 400, "Invalid option for volume \"%s\" option \"%s\"",
			                 volume, e->key);
		if (conf_validate_value(row, e->key, e->value, err) < 0)
			return error_wrap(err, "Invalid option for volume \"%s\" option \"%s\"",
			                  volume, e->key);
	}
	if (parse_is_true(smap_get(config, "security.shifted")) &&
	    parse_is_true(smap_get(config, "security.unmapped")))
		return error_set(err, 400,
		                 "security.shifted and security.unmapped are mutually exclusive");
	return 0;
}

bool storage_conf_is_member_key(const struct storage_driver *driver, const char *key)
{
	const struct conf_key *row = find_pool_key(driver, key);

	return row && (row->flags & CONF_LOCAL);
}

void storage_conf_fill_volume(const struct storage_driver *driver, enum storage_kind kind,
                              enum storage_content content, const struct smap *pool_config,
                              struct smap *config)
{
	if (!pool_config)
		return;

	SMAP_FOREACH (e, pool_config) {
		const char *key = str_after(e->key, "volume.");

		if (key && find_volume_default(driver, e->key) && may_have(key, kind, content) &&
		    !smap_has(config, key))
			smap_set(config, key, e->value);
	}
}

uint64_t storage_conf_size(const struct smap *config, const struct smap *pool_config)
{
	const char *text = smap_get(config, "size");
	int64_t size;

	if (str_is_empty(text))
		text = smap_get(pool_config, "volume.size");
	if (str_is_empty(text) || parse_size(text, &size) < 0 || size < 0)
		return 0;
	return (uint64_t)size;
}
