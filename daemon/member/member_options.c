#include "daemon/member/member_options.h"

#include <string.h>

#include "daemon/member/member_service.h"
#include "lib/base/macro.h"
#include "lib/data/jv.h"
#include "lib/data/jv_print.h"

#define DEFAULT_PARALLEL 8

/* A number that a request may name; what it leaves out is as another one says. */
struct number {
	const char *key;
	size_t offset;
	size_t like; /* Offset of the one that it is like by default, or OWN. */
	int64_t fallback;
	int64_t max;
};

#define OWN SIZE_MAX
#define AT(member) offsetof(struct member_options, member)

/* clang-format off */
static const struct number numbers[] = {
	{ "max_parallel",         AT(caps.source),  OWN,             DEFAULT_PARALLEL, MEMBER_MAX_STEPS },
	{ "max_parallel_target",  AT(caps.target),  AT(caps.source), 0,                MEMBER_MAX_STEPS },
	{ "max_parallel_pool",    AT(caps.pool),    AT(caps.source), 0,                MEMBER_MAX_STEPS },
	{ "max_parallel_cluster", AT(caps.cluster), OWN,             MEMBER_MAX_STEPS, MEMBER_MAX_STEPS },
	{ "bandwidth",            AT(bandwidth),    OWN,             0,                INT64_MAX },
	{ "downtime_ms",          AT(downtime_ms),  OWN,             0,                INT64_MAX },
};
/* clang-format on */

static int64_t *at(struct member_options *options, size_t offset)
{
	return (int64_t *)(void *)((char *)options + offset);
}

static int read_number(const struct number *number, struct json_object *body,
                       struct member_options *options, struct error **err)
{
	int64_t value = 0;

	int r = jv_get_int(body, number->key, &value, err);
	if (r < 0)
		return r;
	if (value < 0 && number->max == INT64_MAX)
		return error_set(err, 400, "Invalid %s: must not be negative", number->key);
	if (value < 0 || value > number->max)
		return error_set(err, 400, "Invalid %s: must be between 1 and %lld", number->key,
		                 (long long)number->max);
	if (value == 0)
		value = number->like == OWN ? number->fallback : *at(options, number->like);

	*at(options, number->offset) = value;
	return 0;
}

int member_options_read(struct json_object *body, struct member_options *ret_options,
                        struct error **err)
{
	struct member_options options = { 0 };
	const char *on_error = "continue";

	for (size_t i = 0; i < COUNT_OF(numbers); i++) {
		int r = read_number(&numbers[i], body, &options, err);
		if (r < 0)
			return r;
	}

	int r = jv_get_string(body, "on_error", &on_error, err);
	if (r < 0)
		return r;
	options.stops_on_error = strcmp(on_error, "stop") == 0;
	options.undoes_on_error = strcmp(on_error, "rollback") == 0;
	if (!options.stops_on_error && !options.undoes_on_error &&
	    strcmp(on_error, "continue") != 0)
		return error_set(err, 400, "Invalid on_error \"%s\"", on_error);

	*ret_options = options;
	return 0;
}

char *member_options_text(const struct member_options *options, uint64_t estimate_ms)
{
	scoped(jv_unrefp) struct json_object *json = jv_object();
	struct member_options copy = *options;

	for (size_t i = 0; i < COUNT_OF(numbers); i++)
		jv_set_int(json, numbers[i].key, *at(&copy, numbers[i].offset));
	jv_set_string(json, "on_error",
	              options->stops_on_error    ? "stop"
	              : options->undoes_on_error ? "rollback"
	                                         : "continue");
	jv_set_uint(json, "estimate_ms", estimate_ms);
	return jv_print_text(json, NULL);
}
