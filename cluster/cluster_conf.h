/* The config keys of clustering: of the cluster as a whole, and of each member. */
#pragma once

#include <stdint.h>

#include "lib/base/error.h"
#include "lib/conf/conf.h"

struct cluster;

/*
 * cluster.offline_threshold, cluster.max_voters, ...: rows that the daemon's table of server keys
 * takes in. Ends with a NULL name.
 */
extern const struct conf_key cluster_conf_keys[];

/* cluster.https_address: stored in the member's local database. Ends with a NULL name. */
extern const struct conf_key cluster_conf_local_keys[];

/* scheduler.instance and user.*: config of a member (PUT /1.0/cluster/members/NAME). */
extern const struct conf_key cluster_conf_member_keys[];

/*
 * Fails with LXD's 400 for the first wrong key or value of a member: 'Invalid cluster configuration
 * key "k"' or 'Invalid cluster configuration key "k" value'.
 */
int cluster_conf_check_member(const char *key, const char *value, struct error **err);

/* The server's config was changed: takes the new values over, on this member. */
int cluster_conf_changed(struct cluster *cluster, struct error **err);
