#include "drivers/instance/instance_environment.h"

#include "lib/base/smap.h"
#include "lib/base/str.h"

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static void add(struct smap *environment, const char *name, const char *value)
{
	if (!smap_has(environment, name))
		smap_set(environment, name, value);
}

void instance_environment_complete(const struct smap *config, uid_t uid, struct smap *environment)
{
	SMAP_FOREACH (e, config) {
		const char *name = str_after(e->key, "environment.");
		if (name)
			add(environment, name, e->value);
	}

	add(environment, "PATH", DEFAULT_PATH);
	add(environment, "LANG", "C.UTF-8");
	if (uid == 0) {
		add(environment, "HOME", "/root");
		add(environment, "USER", "root");
	}
}
