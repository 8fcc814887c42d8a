#include "daemon/api/instance_move.h"

#include "daemon/core/request.h"
#include "daemon/core/response.h"
#include "daemon/instance/instance.h"

int instance_move_post(struct request *req, struct response *res, const struct instance *inst,
                       struct json_object *body, struct error **err)
{
	(void)req;
	(void)res;
	(void)inst;
	(void)body;
	return error_set(err, 501, "Migration between servers is not supported");
}
