#include "daemon/core/schedule_pass.h"

#include "daemon/core/operation.h"
#include "lib/base/date.h"
#include "lib/base/log.h"
#include "lib/base/schedule.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"

void schedule_pass_done(struct schedule_pass *pass)
{
	strv_free(pass->operations);
	pass->operations = NULL;
}

int64_t schedule_pass_due(const struct schedule_pass *pass, const char *text, int64_t id,
                          int64_t created)
{
	struct schedule schedule;

	if (str_is_empty(text) || schedule_parse(text, (uint64_t)id, &schedule) < 0)
		return DATE_NONE;
	return schedule_last_due(&schedule, created > pass->after ? created : pass->after,
	                         pass->now);
}

void schedule_pass_start(struct schedule_pass *pass, const struct operation_spec *spec)
{
	scoped(operation_unrefp) struct operation *op = NULL;
	scoped(error_freep) struct error *err = NULL;

	int r = operation_new(pass->state, spec, &op, &err);
	if (r < 0 && spec->free_arg)
		spec->free_arg(spec->arg);
	if (r == 0)
		r = operation_start(op, &err);
	if (r == 0)
		strv_add_take(&pass->operations, operation_url(op));
	else if (err->status != 409)
		log_warn("Failed starting \"%s\": %s", spec->description, err->msg);
}
