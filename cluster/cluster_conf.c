#include "cluster/cluster_conf.h"

#include <string.h>

#include "cluster/cluster_private.h"
#include "db/config.h"
#include "db/db.h"
#include "lib/base/alloc.h"
#include "lib/base/parse.h"
#include "lib/base/str.h"
#include "lib/net/netaddr.h"

static int check_odd(const char *value, struct error **err)
{
	int64_t n = 0;

	if (parse_int64(value, &n) < 0 || n < 3 || n % 2 != 1)
		return error_set(err, 400, "Value must be an odd number equal to or higher than 3");

	return 0;
}

static int check_threshold(const char *value, struct error **err)
{
	int64_t n = 0;

	if (parse_int64(value, &n) < 0 || n <= 10)
		return error_set(err, 400, "Value must be greater than \"10\"");

	return 0;
}

static int check_standbys(const char *value, struct error **err)
{
	int64_t n = 0;

	if (parse_int64(value, &n) < 0 || n < 0 || n > 5)
		return error_set(err, 400, "Value must be between 0 and 5");

	return 0;
}

/* -1 stands for all members. */
static int check_replicas(const char *value, struct error **err)
{
	int64_t n = 0;

	if (parse_int64(value, &n) < 0 || n == 0 || n < -1)
		return error_set(
			err, 400,
			"Minimal image replica must be -1 (all members) or greater than 0");

	return 0;
}

static int check_expiry(const char *value, struct error **err)
{
	int64_t at = 0;

	if (parse_expiry(value, 0, &at) < 0)
		return error_set(err, 400, "Invalid expiry \"%s\"", value);

	return 0;
}

/* Others dial it, so it must name one address. */
static int check_address(const char *value, struct error **err)
{
	scoped_free char *host = NULL;
	uint16_t port = 0;

	if (netaddr_split(value, 8443, &host, &port) < 0)
		return error_set(err, 400, "Invalid address \"%s\"", value);
	if (netaddr_is_wildcard(host))
		return error_set(err, 400, "Cannot use wildcard address \"%s\"", value);

	return 0;
}

/* clang-format off */
const struct conf_key cluster_conf_keys[] = {
	{ .name = "cluster.offline_threshold", .type = CONF_INT, .flags = CONF_LIVE,
	  .fallback = "20", .check = check_threshold,
	  .doc = "Seconds without an answer after which a member counts as offline." },
	{ .name = "cluster.max_voters", .type = CONF_INT, .flags = CONF_LIVE, .fallback = "3",
	  .check = check_odd,
	  .doc = "Most members that vote in the database; an odd number." },
	{ .name = "cluster.max_standby", .type = CONF_INT, .flags = CONF_LIVE, .fallback = "2",
	  .check = check_standbys,
	  .doc = "Most members that keep a copy of the database without voting." },
	{ .name = "cluster.join_token_expiry", .type = CONF_STRING, .flags = CONF_LIVE,
	  .fallback = "3H", .check = check_expiry,
	  .doc = "How long a join token is good for." },
	{ .name = "cluster.images_minimal_replica", .type = CONF_INT, .flags = CONF_LIVE | CONF_IDLE,
	  .fallback = "3", .check = check_replicas,
	  .doc = "How many members keep a copy of each image; 1 for no copies, -1 for all." },
	{ .name = "cluster.healing_threshold", .type = CONF_UINT, .flags = CONF_LIVE | CONF_IDLE,
	  .fallback = "0",
	  .doc = "Seconds after which instances of a lost member start elsewhere; 0 for never." },
	{ .name = NULL },
};

const struct conf_key cluster_conf_local_keys[] = {
	{ .name = "cluster.https_address", .type = CONF_STRING, .flags = CONF_LOCAL | CONF_LIVE,
	  .check = check_address,
	  .doc = "Address that other members use to reach this one." },
	{ .name = NULL },
};

static const char *const scheduling[] = { "all", "group", "manual", NULL };

const struct conf_key cluster_conf_member_keys[] = {
	{ .name = "scheduler.instance", .type = CONF_ENUM, .flags = CONF_LIVE, .fallback = "all",
	  .choices = scheduling,
	  .doc = "Which instances this member is chosen for: all, those of its groups, or none." },
	{ .name = "user.*", .type = CONF_STRING, .flags = CONF_LIVE,
	  .doc = "Free for users; never read by the daemon." },
	{ .name = NULL },
};
/* clang-format on */

int cluster_conf_check_member(const char *key, const char *value, struct error **err)
{
	scoped(error_freep) struct error *cause = NULL;
	const struct conf_key *row = conf_find(cluster_conf_member_keys, key);

	if (!row)
		return error_set(err, 400, "Invalid cluster configuration key \"%s\"", key);
	if (conf_validate_value(row, key, value, &cause) < 0)
		return error_set(err, 400, "Invalid cluster configuration key \"%s\" value", key);

	return 0;
}

static int load(struct db_tx *tx, void *arg, struct error **err)
{
	struct smap *config = arg;

	smap_clear(config);
	return db_config_load(tx, config, err);
}

int cluster_conf_changed(struct cluster *cluster, struct error **err)
{
	scoped(smap_done) struct smap config = { 0 };
	scoped(smap_done) struct smap settings = { 0 };
	int r = db_query(cluster->db, load, &config, err);
	if (r < 0)
		return r;

	SMAP_FOREACH (e, &config) {
		if (str_starts(e->key, "cluster."))
			smap_set(&settings, e->key, e->value);
	}

	mutex_lock(&cluster->lock);
	struct smap old = cluster->settings;
	cluster->settings = smap_take(&settings);
	mutex_unlock(&cluster->lock);
	smap_done(&old);

	return 0;
}
