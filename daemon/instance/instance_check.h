/*
 * What an instance may be: names, keys, devices, profiles, limits of its project.
 *
 * Creation, change, copy and import come here with the configuration that would result. Everything
 * fails with a 4xx and one sentence, and touches nothing.
 */
#pragma once

#include "daemon/instance/instance.h"
#include "lib/base/error.h"

struct json_object;

/*
 * Fills row->config and row->devices from row->row and its profiles, which are those of
 * 'profile_project'. 404 for a profile that does not exist.
 */
int instance_check_expand(const struct db_view *view, const char *profile_project,
                          struct db_expanded *row, struct error **err);

/*
 * Checks own keys and devices, the expanded ones, the root disk and its pool, and what the project
 * allows. 'view' holds INSTANCE_FAMILIES.
 */
int instance_check_row(struct state *state, const struct db_view *view,
                       const struct db_expanded *row, struct error **err);

/* {"eth0": {"type": "nic", ...}} into 'ret_devices', which is replaced. 400 for wrong types. */
int instance_check_read_devices(struct json_object *body, const char *key,
                                struct db_devices *ret_devices, struct error **err);

void instance_check_expanded_done(struct db_expanded *row);
