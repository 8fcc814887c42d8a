#include "daemon/api/instances_owner.h"

#include "daemon/core/request.h"
#include "daemon/instance/instance.h"
#include "lib/base/alloc.h"

int instances_owner(struct request *req, char **ret_member, struct error **err)
{
	scoped(instance_freep) struct instance *inst = NULL;

	int r = instance_load(req->state, req->project, request_param(req, "name"), &inst, err);
	if (r < 0)
		return r;

	*ret_member = xstrdup(inst->row->row.member);
	return 0;
}
