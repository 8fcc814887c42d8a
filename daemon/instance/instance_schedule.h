/*
 * What happens to snapshots without anybody asking: "snapshots.schedule" of instances, and the end
 * of those that expired; custom volumes with them (daemon/storage/storage_schedule).
 *
 * Only the member that has an instance looks after it. A pass looks at the minutes since the last
 * one, the first one after a start at the last hour, so that what was due while the daemon was down
 * for a moment is not lost; what has a snapshot from after the minute that was due gets no second
 * one.
 */
#pragma once

#include "daemon/instance/instance.h"
#include "lib/base/error.h"

struct operation;

/*
 * One pass. 'ret_operations' (or NULL) are the URLs of what was started, owned by the caller. What
 * is started runs on afterwards.
 */
int instance_schedule_run(struct state *state, char ***ret_operations, struct error **err);

/* Before a start: the snapshot that "@startup" asks for. The caller holds the instance's lock. */
int instance_schedule_startup(const struct instance *inst, struct operation *op,
                              struct error **err);
