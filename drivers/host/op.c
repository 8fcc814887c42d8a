#include "drivers/host/op.h"

#include <errno.h>

#include "lib/base/cancel.h"

bool op_cancelled(const struct op *op)
{
	return op && cancel_code(op->cancel) < 0;
}

int op_check(const struct op *op, struct error **err)
{
	int r = op ? cancel_code(op->cancel) : 0;
	if (r == 0)
		return 0;

	error_set(err, 400, r == -ETIMEDOUT ? "Operation timed out" : "Operation cancelled");
	(*err)->code = r;
	return r;
}

struct cancel *op_cancel(const struct op *op)
{
	return op ? op->cancel : NULL;
}

void op_report(const struct op *op, const struct op_progress *progress)
{
	if (op && op->progress)
		op->progress(op->arg, progress);
}
