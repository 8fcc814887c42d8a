#include "lib/conf/conf.h"

#include <errno.h>
#include <string.h>

#include "lib/base/date.h"
#include "lib/base/enum.h"
#include "lib/base/parse.h"
#include "lib/base/schedule.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/data/jv.h"

/* What a good value is, after "must be"; and the name of the type in the listing. */
static const struct {
	const char *must_be;
	const char *listed;
} types[] = {
	[CONF_STRING] = { "text", "string" },
	[CONF_BOOL] = { "true or false", "bool" },
	[CONF_INT] = { "an integer", "integer" },
	[CONF_UINT] = { "a non-negative integer", "integer" },
	[CONF_SIZE] = { "a size as \"10GiB\"", "string" },
	[CONF_BITS] = { "a bit rate as \"100Mbit\"", "string" },
	[CONF_PERCENT] = { "a percentage from 0% to 100%", "string" },
	[CONF_SIZE_OR_PERCENT] = { "a size as \"10GiB\" or a percentage as \"50%\"", "string" },
	[CONF_ENUM] = { "one of", "string" },
	[CONF_DURATION] = { "a duration as \"10s\" or \"5m\"", "string" },
	[CONF_EXPIRY] = { "an expiry as \"3H\" or \"1d\"", "string" },
	[CONF_LIST] = { "a list with commas between", "string" },
};
ENUM_IS_COMPLETE(types, N_CONF_TYPES);

/* Whether 'name' fits a pattern of parts between dots, of which some may be '*'. */
static bool name_fits(const char *pattern, const char *name)
{
	while (*pattern) {
		if (*pattern != '*') {
			if (*pattern++ != *name++)
				return false;
			continue;
		}
		if (!pattern[1])
			return *name != '\0';

		size_t len = strcspn(name, ".");
		if (!len)
			return false;
		name += len;
		pattern++;
	}
	return *name == '\0';
}

int conf_check_schedule(const char *value, struct error **err)
{
	struct schedule schedule;

	if (schedule_parse(value, 0, &schedule) < 0)
		return error_set(err, 400, "Invalid schedule \"%s\"", value);
	return 0;
}

int conf_check_volume_schedule(const char *value, struct error **err)
{
	struct schedule schedule;

	if (schedule_parse(value, 0, &schedule) < 0 || schedule.is_startup)
		return error_set(err, 400, "Invalid schedule \"%s\"", value);
	return 0;
}

const struct conf_key *conf_find(const struct conf_key *table, const char *name)
{
	const struct conf_key *wild = NULL;

	for (const struct conf_key *key = table; key && key->name; key++) {
		if (strcmp(key->name, name) == 0)
			return key;
		if (!wild && strchr(key->name, '*') && !str_has_control(name) &&
		    name_fits(key->name, name))
			wild = key;
	}
	return wild;
}

static int bad_value(const struct conf_key *key, const char *name, const char *value,
                     struct error **err)
{
	scoped_free char *choices = key->choices && key->type != CONF_STRING
	                                    ? strv_join((char *const *)key->choices, ", ")
	                                    : NULL;

	return error_set(err, 400,
	                 "Invalid value \"%s\" for configuration key \"%s\": must be %s%s%s", value,
	                 name,
	                 key->type == CONF_LIST && choices ? "a list of" : types[key->type].must_be,
	                 choices ? " " : "", choices ? choices : "");
}

static int check_limits(const struct conf_key *key, const char *name, const char *value, int64_t v,
                        struct error **err)
{
	if ((!key->min && !key->max) || (v >= key->min && v <= key->max))
		return 0;

	return error_set(
		err, 400,
		"Invalid value \"%s\" for configuration key \"%s\": must be from %lld to %lld",
		value, name, (long long)key->min, (long long)key->max);
}

/* Parses by type; 'ret' is the number that the value stands for, if any. */
static int parse_value(const struct conf_key *key, const char *value, int64_t *ret)
{
	unsigned percent;
	uint64_t u;
	bool b;
	int r;

	*ret = 0;
	switch (key->type) {
	case CONF_BOOL:
		r = parse_bool(value, &b);
		*ret = r == 0 && b;
		return r;
	case CONF_INT:
		return parse_int64(value, ret);
	case CONF_UINT:
		r = parse_uint64(value, &u);
		return r == 0 ? parse_int64(value, ret) : r;
	case CONF_SIZE_OR_PERCENT:
		if (parse_percent(value, &percent) == 0)
			return 0;
		r = parse_size(value, ret);
		return r == 0 && *ret < 0 ? -EINVAL : r;
	case CONF_SIZE:
		r = parse_size(value, ret);
		return r == 0 && *ret < 0 ? -EINVAL : r;
	case CONF_BITS:
		r = parse_bits(value, ret);
		return r == 0 && *ret < 0 ? -EINVAL : r;
	case CONF_PERCENT:
		r = parse_percent(value, &percent);
		*ret = r == 0 ? (int64_t)percent : 0;
		return r;
	case CONF_DURATION:
		return parse_duration(value, ret);
	case CONF_EXPIRY:
		return parse_expiry(value, date_now(), ret);
	case CONF_ENUM:
		return strv_contains((char *const *)key->choices, value) ? 0 : -EINVAL;
	case CONF_STRING:
	case CONF_LIST:
	case N_CONF_TYPES:
		return 0;
	}
	return 0;
}

static int run_check(const struct conf_key *key, const char *name, const char *value,
                     struct error **err)
{
	if (!key->check || key->check(value, err) == 0)
		return 0;

	return error_wrap(err, "Invalid value \"%s\" for configuration key \"%s\"", value, name);
}

static int validate_list(const struct conf_key *key, const char *name, const char *value,
                         struct error **err)
{
	scoped(strv_freep) char **parts = strv_split_trimmed(value, ',');

	STRV_FOREACH (part, parts) {
		if (key->choices && !strv_contains((char *const *)key->choices, part))
			return bad_value(key, name, value, err);

		int r = run_check(key, name, part, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int conf_validate_value(const struct conf_key *key, const char *name, const char *value,
                        struct error **err)
{
	int64_t v;

	if (str_is_empty(value)) {
		if (key->flags & CONF_REQUIRED)
			return error_set(err, 400, "Configuration key \"%s\" must be set", name);
		return 0;
	}
	if (key->type == CONF_LIST)
		return validate_list(key, name, value, err);
	if (parse_value(key, value, &v) < 0)
		return bad_value(key, name, value, err);

	bool is_number =
		key->type != CONF_STRING && key->type != CONF_ENUM && key->type != CONF_EXPIRY;
	int r = is_number ? check_limits(key, name, value, v, err) : 0;
	return r < 0 ? r : run_check(key, name, value, err);
}

int conf_validate(const struct conf_key *table, const char *name, const char *value,
                  struct error **err)
{
	const struct conf_key *key = conf_find(table, name);

	if (!key)
		return error_set(err, 400, "Unknown configuration key: \"%s\"", name);

	return conf_validate_value(key, name, value, err);
}

int conf_validate_map(const struct conf_key *table, const struct smap *config, struct error **err)
{
	SMAP_FOREACH (e, config) {
		int r = conf_validate(table, e->key, e->value, err);
		if (r < 0)
			return r;
	}
	for (const struct conf_key *key = table; key->name; key++) {
		if (!(key->flags & CONF_REQUIRED))
			continue;

		int r = conf_validate_value(key, key->name, smap_get(config, key->name), err);
		if (r < 0)
			return r;
	}
	return 0;
}

const char *conf_get(const struct conf_key *table, const struct smap *config, const char *name)
{
	const char *value = smap_get_or(config, name, NULL);

	if (value)
		return value;

	const struct conf_key *key = conf_find(table, name);
	return key ? key->fallback : NULL;
}

bool conf_get_bool(const struct conf_key *table, const struct smap *config, const char *name)
{
	return parse_is_true(conf_get(table, config, name));
}

/* The number that a value stands for; 0 if it is unset or (which was checked before) bad. */
static int64_t get_number(const struct conf_key *table, const struct smap *config, const char *name)
{
	const struct conf_key *key = conf_find(table, name);
	const char *value = conf_get(table, config, name);
	int64_t v = 0;

	return key && !str_is_empty(value) && parse_value(key, value, &v) == 0 ? v : 0;
}

int64_t conf_get_int(const struct conf_key *table, const struct smap *config, const char *name)
{
	return get_number(table, config, name);
}

int64_t conf_get_size(const struct conf_key *table, const struct smap *config, const char *name)
{
	return get_number(table, config, name);
}

int64_t conf_get_duration(const struct conf_key *table, const struct smap *config, const char *name)
{
	return get_number(table, config, name);
}

void conf_fill(const struct conf_key *table, struct smap *config)
{
	for (const struct conf_key *key = table; key->name; key++)
		if (key->fallback && !smap_get_or(config, key->name, NULL))
			smap_set(config, key->name, key->fallback);
}

/* Takes the next key of two sorted maps: its entry in both, or NULL where it is not. */
static bool take_pair(const struct smap *before, size_t *b, const struct smap *after, size_t *a,
                      const struct smap_entry **ret_old, const struct smap_entry **ret_new)
{
	const struct smap_entry *old = *b < before->n_entries ? &before->entries[*b] : NULL;
	const struct smap_entry *new = *a < after->n_entries ? &after->entries[*a] : NULL;
	int order = old && new ? strcmp(old->key, new->key) : 0;

	/* The one whose key comes first stands alone. */
	*ret_old = order > 0 ? NULL : old;
	*ret_new = order < 0 ? NULL : new;
	*b += *ret_old != NULL;
	*a += *ret_new != NULL;
	return old || new;
}

int conf_diff(const struct smap *before, const struct smap *after,
              int (*fn)(const char *name, const char *before, const char *after, void *arg),
              void *arg)
{
	const struct smap_entry *old, *new;
	size_t b = 0, a = 0;

	while (take_pair(before, &b, after, &a, &old, &new)) {
		const char *old_value = old ? old->value : NULL,
			   *new_value = new ? new->value : NULL;

		if (old_value && new_value && strcmp(old_value, new_value) == 0)
			continue;

		const struct smap_entry *named = old ? old : new;
		assert(named);
		int r = fn(named->key, old_value, new_value, arg);
		if (r < 0)
			return r;
	}
	return 0;
}

static struct json_object *list_key(const struct conf_key *key)
{
	struct json_object *o = jv_object();
	bool is_container = key->flags & CONF_CONTAINER, is_vm = key->flags & CONF_VM;

	jv_set_string(o, "condition",
	              is_container == is_vm ? ""
	              : is_vm               ? "virtual machine"
	                                    : "container");
	if (key->fallback)
		jv_set_stringf(o, "defaultdesc", "`%s`", key->fallback);
	else
		jv_set_string(o, "defaultdesc", "");
	jv_set_string(o, "liveupdate", key->flags & CONF_LIVE ? "yes" : "no");
	jv_set_string(o, "longdesc", "");
	jv_set_string(o, "managed", "no");
	jv_set_string(o, "required", key->flags & CONF_REQUIRED ? "yes" : "no");
	jv_set_string(o, "scope", key->flags & CONF_LOCAL ? "local" : "global");
	jv_set_string(o, "shortdesc", key->doc);
	jv_set_string(o, "type", types[key->type].listed);
	return o;
}

struct json_object *conf_list(const struct conf_key *table)
{
	struct json_object *keys = jv_array();

	for (const struct conf_key *key = table; key->name; key++) {
		struct json_object *named = jv_object();

		if (key->flags & CONF_INTERNAL) {
			jv_unref(named);
			continue;
		}
		jv_set_take(named, key->name, list_key(key));
		jv_add_take(keys, named);
	}
	return keys;
}
