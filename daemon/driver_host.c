#include "daemon/driver_host.h"

#include <dlfcn.h>
#include <string.h>

#include <lxc/version.h>

#include "daemon/core/environment.h"
#include "daemon/core/state.h"
#include "daemon/core/warning.h"
#include "db/db.h"
#include "db/instances.h"
#include "drivers/host/host.h"
#include "lib/base/alloc.h"
#include "lib/base/smap.h"
#include "lib/base/strv.h"

struct volatile_write {
	const char *project;
	const char *instance;
	struct smap changes;
};

static int write_keys(struct db_tx *tx, void *arg, struct error **err)
{
	const struct volatile_write *w = arg;
	scoped(db_instance_done) struct db_instance row = { 0 };

	int r = db_instance_get(tx, w->project, w->instance, &row, err);
	if (r < 0)
		return r;

	return db_instance_patch_config(tx, row.id, &w->changes, err);
}

static int volatile_write(void *arg, const char *project, const char *instance,
                          const struct host_change *changes, size_t n_changes, struct error **err)
{
	struct state *state = arg;
	struct volatile_write w = { .project = project, .instance = instance };

	for (size_t i = 0; i < n_changes; i++)
		smap_set(&w.changes, changes[i].key, changes[i].value ? changes[i].value : "");

	int r = db_write(state->db, write_keys, &w, err);

	smap_done(&w.changes);
	return r;
}

static void raise_warning(void *arg, const char *project, const char *type, const char *entity_url,
                          const char *message)
{
	warning_raise_named(arg, type, project, entity_url, message);
}

static void resolve_warning(void *arg, const char *project, const char *type,
                            const char *entity_url)
{
	(void)project;
	warning_resolve_named(arg, type, entity_url);
}

static const struct host_ops ops = {
	.volatile_write = volatile_write,
	.warning_raise = raise_warning,
	.warning_resolve = resolve_warning,
};

/* What GET /1.0 tells of liblxc, in the API's words. */
static const char *const lxc_features[] = {
	"cgroup2",
	"core_scheduling",
	"devpts_fd",
	"idmapped_mounts_v2",
	"mount_injection_file",
	"network_gateway_device_route",
	"network_ipvlan",
	"network_l2proxy",
	"network_phys_macvlan_mtu",
	"network_veth_router",
	"pidfd",
	"seccomp_allow_deny_syntax",
	"seccomp_notify",
	"seccomp_proxy_send_notify_fd",
};

/*
 * What liblxc is and can do. The daemon itself never calls it otherwise, so it does not keep it:
 * each library that stays loaded is memory.
 */
static void read_liblxc(struct environment *env)
{
	void *library = dlopen("liblxc.so.1", RTLD_LAZY | RTLD_LOCAL);
	if (!library)
		return;

	const char *(*version)(void) = (const char *(*)(void))dlsym(library, "lxc_get_version");
	bool (*has)(const char *) = (bool (*)(const char *))dlsym(library, "lxc_has_api_extension");
	if (version) {
		free(env->driver_version);
		env->driver_version = xstrdup(version());
	}
	for (size_t i = 0; has && i < COUNT_OF(lxc_features); i++) {
		if (has(lxc_features[i]))
			strv_add(&env->lxc_features, lxc_features[i]);
	}
	dlclose(library);
}

int driver_host_start(struct state *state, struct error **err)
{
	struct environment *env = state->environment;

	(void)err;
	state->host = &ops;
	state->host_arg = state;

	free(env->driver);
	free(env->driver_version);
	env->driver = xstrdup("lxc");
	env->driver_version = xstrdup(LXC_VERSION);
	read_liblxc(env);

	environment_add_storage_driver(env, "btrfs", "1", false);
	environment_add_storage_driver(env, "dir", "1", false);
	return 0;
}

void driver_host_stop(struct state *state)
{
	state->host = NULL;
	state->host_arg = NULL;
}
