/*
 * Config keys as data: one row says what a key is called, takes, defaults to and needs.
 *
 * Values are text everywhere; a row says what text is good. An unset key and an empty value are the
 * same, and always good unless the key is required.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <json-c/json.h>

#include "lib/base/error.h"
#include "lib/base/smap.h"

enum conf_type {
	CONF_STRING,
	CONF_BOOL,
	CONF_INT,     /* Any 64-bit one; 'min' and 'max' apply. */
	CONF_UINT,    /* 0 or more; 'min' and 'max' apply. */
	CONF_SIZE,    /* Bytes: "10GiB". */
	CONF_BITS,    /* Bits a second: "100Mbit". */
	CONF_PERCENT, /* "50%". */
	CONF_SIZE_OR_PERCENT,
	CONF_ENUM,     /* One of 'choices'. */
	CONF_DURATION, /* Go's: "10s". */
	CONF_EXPIRY,   /* "3H", "1d". */
	CONF_LIST, /* Parts with commas between; 'choices' (if any) and 'check' apply to each. */
	N_CONF_TYPES,
};

enum conf_flag {
	CONF_LIVE = 1 << 0,      /* May change while the instance runs. */
	CONF_LOCAL = 1 << 1,     /* Per member, not for the whole cluster. */
	CONF_REQUIRED = 1 << 2,  /* Must be set. */
	CONF_SECRET = 1 << 3,    /* Not shown: reads as true or false. */
	CONF_INTERNAL = 1 << 4,  /* Only the daemon sets it (volatile.*). */
	CONF_CONTAINER = 1 << 5, /* Only for containers. */
	CONF_VM = 1 << 6,        /* Only for virtual machines. */
	CONF_IDLE = 1 << 8,      /* Kept and shown, and does nothing yet. */
	CONF_READONLY = 1 << 7,  /* Cannot change after creation. */
};

/* Checks what a type cannot say. Returns 0, or a negative errno with '*err' set. */
typedef int conf_check(const char *value, struct error **err);

/* For 'check' below: schedules (lib/base/schedule.h), and those of what has no start-up. */
int conf_check_schedule(const char *value, struct error **err);
int conf_check_volume_schedule(const char *value, struct error **err);

struct conf_key {
	const char
		*name; /* A '*' at the end takes any suffix ("user.*"), one between dots a part.  */
	enum conf_type type;
	uint32_t flags;
	int64_t min, max;           /* Both 0: no limits. */
	const char *fallback;       /* Value when unset, or NULL. */
	const char *const *choices; /* For CONF_ENUM and CONF_LIST; ends with NULL. */
	conf_check *check;          /* Or NULL. */
	const char *doc;            /* One sentence for docs/config.md and GET /1.0/metadata. */
};

/* The row for 'name' in a table that ends with a NULL name, or NULL. Exact names go first. */
const struct conf_key *conf_find(const struct conf_key *table, const char *name);

/* Checks one value; 400 for an unknown key or a bad value. */
int conf_validate(const struct conf_key *table, const char *name, const char *value,
                  struct error **err);

/* The same when the row is known already. */
int conf_validate_value(const struct conf_key *key, const char *name, const char *value,
                        struct error **err);

/* Checks a whole map, and that what is required is there. */
int conf_validate_map(const struct conf_key *table, const struct smap *config, struct error **err);

/* Typed reads of checked maps, with the table's fallback; NULL, false or 0 if there is none. */
const char *conf_get(const struct conf_key *table, const struct smap *config, const char *name);
bool conf_get_bool(const struct conf_key *table, const struct smap *config, const char *name);
int64_t conf_get_int(const struct conf_key *table, const struct smap *config, const char *name);

/* Bytes, or bits for CONF_BITS. */
int64_t conf_get_size(const struct conf_key *table, const struct smap *config, const char *name);

/* Milliseconds. */
int64_t conf_get_duration(const struct conf_key *table, const struct smap *config,
                          const char *name);

/* Sets each unset key that has a fallback. */
void conf_fill(const struct conf_key *table, struct smap *config);

/*
 * Calls 'fn' for each key that differs between two maps; NULL stands for unset. Stops at the first
 * negative result and returns it.
 */
int conf_diff(const struct smap *before, const struct smap *after,
              int (*fn)(const char *name, const char *before, const char *after, void *arg),
              void *arg);

/* The table as the "keys" array of GET /1.0/metadata/configuration, owned by the caller. */
struct json_object *conf_list(const struct conf_key *table) MUST_CHECK;
