/*
 * May this one do that to this object?
 *
 * There are three kinds of trusted clients: administrators, who may do everything; clients that are
 * restricted to some projects, who may do everything in them and nothing to the server; and metrics
 * clients. A table says which kinds of objects are in a project and which are the server's.
 */
#pragma once

#include "lib/base/error.h"

struct requestor;

/*
 * 'entity' is a kind of object of the API ("instance", "server"), 'entitlement' what is to be done
 * ("can_edit"), 'project' where the object is (NULL for those of the server). 403 if it may not.
 */
int authorizer_check(const struct requestor *requestor, const char *entity, const char *entitlement,
                     const char *project, struct error **err);
