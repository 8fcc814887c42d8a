#include "daemon/core/environment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "lib/base/alloc.h"
#include "lib/base/file.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/data/jv.h"

/* NAME="value" of os-release, without quotes. */
static char *release_value(char *const *lines, const char *key)
{
	STRV_FOREACH (line, lines) {
		const char *rest = str_after(line, key);
		size_t len;

		if (!rest || *rest != '=')
			continue;

		rest++;
		len = strlen(rest);
		if (len >= 2 && (*rest == '"' || *rest == '\'') && rest[len - 1] == *rest)
			return strndup(rest + 1, len - 2);

		return xstrdup(rest);
	}

	return xstrdup("");
}

struct environment *environment_new(void)
{
	struct environment *env = xcalloc(1, sizeof(*env));
	struct utsname uts = { 0 };
	scoped_free char *text = NULL;
	scoped(strv_freep) char **lines = NULL;

	uname(&uts);
	if (file_read("/etc/os-release", 65536, &text, NULL) == 0)
		lines = strv_split(text, '\n');

	env->kernel = xstrdup(uts.sysname);
	env->kernel_version = xstrdup(uts.release);
	env->architecture = xstrdup(uts.machine);
	env->os_name = release_value(lines, "NAME");
	env->os_version = release_value(lines, "VERSION_ID");
	env->driver = xstrdup("");
	env->driver_version = xstrdup("");
	env->firewall = xstrdup("nftables");
	return env;
}

void environment_free(struct environment *env)
{
	if (!env)
		return;

	for (size_t i = 0; i < env->n_storage_drivers; i++) {
		free(env->storage_drivers[i].name);
		free(env->storage_drivers[i].version);
	}
	free(env->storage_drivers);
	strv_free(env->lxc_features);
	free(env->kernel);
	free(env->kernel_version);
	free(env->architecture);
	free(env->os_name);
	free(env->os_version);
	free(env->driver);
	free(env->driver_version);
	free(env->firewall);
	free(env);
}

void environment_add_storage_driver(struct environment *env, const char *name, const char *version,
                                    bool is_remote)
{
	size_t n = env->n_storage_drivers++;
	struct environment_driver *drivers = xcalloc(n + 1, sizeof(*drivers));

	if (n > 0)
		memcpy(drivers, env->storage_drivers, n * sizeof(*drivers));
	drivers[n] = (struct environment_driver){
		.name = xstrdup(name),
		.version = xstrdup(version),
		.is_remote = is_remote,
	};
	free(env->storage_drivers);
	env->storage_drivers = drivers;
}

const char *const *environment_architectures(const struct environment *env)
{
	static const char *const x86[] = { "x86_64", "i686", NULL };
	static const char *const arm[] = { "aarch64", "armv7l", NULL };
	static const char *const riscv[] = { "riscv64", NULL };
	static const char *const ppc[] = { "ppc64le", NULL };
	static const char *const s390[] = { "s390x", NULL };
	static const char *const *const all[] = { x86, arm, riscv, ppc, s390 };

	for (size_t i = 0; i < COUNT_OF(all); i++) {
		if (str_equals(all[i][0], env->architecture))
			return all[i];
	}

	return x86 + 2;
}

struct json_object *environment_kernel_features(const struct environment *env)
{
	static const struct {
		const char *name;
		int major, minor; /* First kernel that has it. */
	} features[] = {
		{ "idmapped_mounts", 5, 12 },  { "netnsid_getifaddrs", 4, 20 },
		{ "seccomp_listener", 5, 0 },  { "seccomp_listener_continue", 5, 5 },
		{ "uevent_injection", 4, 18 }, { "unpriv_binfmt", 6, 7 },
		{ "unpriv_fscaps", 4, 14 },
	};
	struct json_object *o = jv_object();
	int major = 0, minor = 0;
	char *rest = NULL;

	major = (int)strtol(env->kernel_version, &rest, 10);
	if (rest && *rest == '.')
		minor = (int)strtol(rest + 1, NULL, 10);

	for (size_t i = 0; i < COUNT_OF(features); i++) {
		bool has = major > features[i].major ||
		           (major == features[i].major && minor >= features[i].minor);

		jv_set_string(o, features[i].name, has ? "true" : "false");
	}

	return o;
}
