#include "client/instance_filter.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/macro.h"
#include "lib/base/pattern.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/data/jv.h"
#include "lib/net/netaddr.h"

/* All of 'text' against a pattern; one that is no pattern never matches. */
static bool matches_whole(const char *pattern, const char *text)
{
	scoped(pattern_freep) struct pattern *p = NULL;
	bool anchored = strpbrk(pattern, "^$") != NULL;
	scoped_free char *whole = anchored ? xstrdup(pattern) : xasprintf("^(%s)$", pattern);

	return pattern_compile(whole, false, &p) == 0 && pattern_matches(p, text);
}

static bool has_address(struct json_object *instance, const char *family, const char *wanted)
{
	struct netaddr_cidr cidr;

	if (netaddr_cidr_parse(wanted, &cidr) < 0)
		return false;
	JV_FOREACH (jv_member(jv_member(instance, "state"), "network"), name, net) {
		struct json_object *list = jv_member(net, "addresses");

		if (strcmp(name, "lo") == 0)
			continue;
		for (size_t i = 0; i < jv_len(list); i++) {
			const char *address = jv_text(jv_item(list, i), "address");

			if (str_equals(jv_text(jv_item(list, i), "family"), family) && address &&
			    netaddr_cidr_contains(&cidr, address))
				return true;
		}
	}
	return false;
}

/* "u.b" fits "user.blah": each part may be cut short. */
static bool key_fits(const char *key, const char *wanted)
{
	for (;;) {
		size_t n = strcspn(wanted, "."), m = strcspn(key, ".");

		if (n > m || strncmp(key, wanted, n) != 0)
			return false;
		if (!wanted[n] || !key[m])
			return !wanted[n] && !key[m];
		wanted += n + 1;
		key += m + 1;
	}
}

static bool config_fits(struct json_object *instance, const char *key, const char *value)
{
	JV_FOREACH (jv_member(instance, "expanded_config"), k, v) {
		if (!key_fits(k, key))
			continue;
		if (str_equals(jv_string(v), value) ||
		    matches_whole(value, str_or_empty(jv_string(v))))
			return true;
	}
	return false;
}

/* A word that is no config key: yes, no, or -1 if it is none. */
static int shorthand_fits(struct json_object *instance, const char *key, const char *value)
{
	static const char *const members[] = { "type", "status", "architecture", "location" };
	scoped(strv_freep) char **values = strv_split_trimmed(value, ',');

	for (size_t i = 0; i < COUNT_OF(members); i++) {
		if (strcmp(key, members[i]) != 0)
			continue;
		STRV_FOREACH (v, values) {
			if (str_equals_nocase(v, jv_text(instance, key)))
				return true;
		}
		return false;
	}
	if (strcmp(key, "ipv4") != 0 && strcmp(key, "ipv6") != 0)
		return -1;
	STRV_FOREACH (v, values) {
		if (has_address(instance, strcmp(key, "ipv4") == 0 ? "inet" : "inet6", v))
			return true;
	}
	return false;
}

static bool fits(struct json_object *instance, const char *filter)
{
	const char *name = str_or_empty(jv_text(instance, "name"));
	const char *equals = strchr(filter, '=');

	if (!equals)
		return str_starts(name, filter) || matches_whole(filter, name);
	scoped_free char *key = xasprintf("%.*s", (int)(equals - filter), filter);
	if (strcmp(key, "name") == 0)
		return matches_whole(equals + 1, name);
	int r = shorthand_fits(instance, key, equals + 1);
	return r >= 0 ? r : config_fits(instance, key, equals + 1);
}

bool instance_filter_matches(struct json_object *instance, const char *const *filters)
{
	for (; filters && *filters; filters++) {
		if (!fits(instance, *filters))
			return false;
	}
	return true;
}
