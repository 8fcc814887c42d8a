/*
 * What the other members' kernels know of their instances, asked of all at once.
 *
 * A list over the cluster needs the status of instances that run elsewhere: one request to each
 * member that is alive answers for all of its instances. Those of members that do not answer have
 * status "Error".
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "daemon/instance/instance_json.h"
#include "lib/base/error.h"

struct instance_remote;

/*
 * Asks these members (a vector that ends with NULL and may have this one); 'parts' as of
 * instance_json_state(), 0 for statuses only. Never fails: who does not answer is not known.
 */
struct instance_remote *instance_remote_new(struct state *state, char *const *members,
                                            uint32_t parts) MUST_CHECK;
void instance_remote_free(struct instance_remote *remote);
DEFINE_SCOPED(struct instance_remote *, instance_remote_free);

/* The status of an instance, of this member or another. */
struct instance_status_name instance_remote_status(const struct instance_remote *remote,
                                                   const struct instance *inst);

/* Its state, owned by the caller; NULL when nobody knows. */
struct json_object *instance_remote_state(const struct instance_remote *remote,
                                          const struct instance *inst);

/*
 * What this member answers to that question: {"ID": {"status", "status_code"[, "state"]}}. Owned by
 * the caller.
 */
int instance_remote_answer(struct state *state, uint32_t parts, struct json_object **ret_answer,
                           struct error **err);
