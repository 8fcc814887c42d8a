/*
 * What a project allows: "restricted.*" and "limits.*".
 *
 * Both are checked on the configuration that would result, in the transaction that writes it, so
 * that two clients cannot get past them together.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/error.h"

struct db_devices;
struct db_project;
struct db_tx;
struct db_view;
struct smap;

/*
 * Whether an instance with this expanded config and devices may be in 'project' at all: 403 with
 * the key that forbids it.
 */
int project_limits_check_instance(const struct db_project *project, const struct smap *config,
                                  const struct db_devices *devices, struct error **err);

/* The same for a profile: it may lack what the instance brings. */
int project_limits_check_profile(const struct db_project *project, const struct smap *config,
                                 const struct db_devices *devices, struct error **err);

/* Whether it has any; true for NULL, a project that is not there, so that this is found out. */
bool project_limits_exist(const struct db_project *project);

/*
 * Whether the limits of 'project' leave room for an instance of 'type' (enum db_instance_type) with
 * this expanded config: 403. 'instance_id' is left out of what is used now: 0 for a new one.
 */
int project_limits_check_room(struct db_tx *tx, const char *project, int type, int64_t instance_id,
                              const struct smap *config, const struct db_devices *devices,
                              struct error **err);

/*
 * Whether what is in the project may stay as it is when its config changes from 'before' to
 * 'wanted': 403 with what stands against it.
 */
int project_limits_check_change(struct db_tx *tx, const struct db_project *before,
                                const struct db_project *wanted, struct error **err);

/*
 * The path of restricted.devices.disk.paths that the source of this disk must stay within, links
 * and all, when it is mounted: owned by the caller. NULL if it may be anywhere. 403 if it is below
 * none.
 */
int project_limits_disk_within(const struct db_project *project, const struct smap *disk,
                               char **ret_within, struct error **err);

/* Whether snapshots and backups are allowed: 403. */
int project_limits_check_snapshots(const struct db_project *project, struct error **err);
int project_limits_check_backups(const struct db_project *project, struct error **err);

/* The same for snapshots that nobody asks for. */
bool project_limits_allow_snapshots(const struct db_view *view, const char *project);

/*
 * restricted.cluster.target and restricted.cluster.groups: whether 'target' (a member, "@group" or
 * NULL) may be named by somebody who is no administrator. 403.
 */
int project_limits_check_target(const struct db_project *project, const char *target,
                                struct error **err);
