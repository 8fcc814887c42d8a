/* Config keys, one "key=value" after the other with a NUL between: each line that comes out is an
 * item. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/instance/ct/ct_config.h"
#include "drivers/instance/ct/ct_seccomp.h"
#include "drivers/instance/instance_driver.h"
#include "lib/base/alloc.h"
#include "lib/base/smap.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_lines(const struct strbuf *text)
{
	scoped(strv_freep) char **lines = strv_split(strbuf_text(text), '\n');

	STRV_FOREACH (line, lines) {
		if (*line && (strncasecmp(line, "lxc.", 4) != 0 || !strstr(line, " = ") ||
		              !ct_config_is_plain(line)))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const bind_paths[] = { NULL };
	struct ct_config_host host = { .payload_group = "p",
		                       .monitor_group = "m",
		                       .pivot_group = "v",
		                       .bind_paths = bind_paths,
		                       .limits.memory_total = UINT64_C(1) << 40 };
	scoped(smap_done) struct smap config = { 0 };
	scoped(strbuf_done) struct strbuf text = { 0 }, policy = { 0 };
	scoped(error_freep) struct error *err = NULL, *ignored = NULL;
	scoped_free char *copy = xmalloc(size + 1);
	char *name = NULL;

	memcpy(copy, data, size);
	copy[size] = '\0';
	for (char *at = copy; at < copy + size; at += strlen(at) + 1) {
		char *equals = strchr(at, '=');
		if (!equals)
			continue;
		scoped_free char *key = xstrndup(at, (size_t)(equals - at));
		smap_set(&config, key, equals + 1);
		if (!name)
			name = equals + 1;
	}
	for (int c = 0; c < N_CGROUP_CONTROLLERS; c++)
		host.limits.has[c] = true;

	struct run_mount mount = { .source = name, .target = name, .propagation = NULL };
	const struct run_config run = { .mounts = &mount, .n_mounts = name != NULL };
	const struct run_config *const devices[] = { &run };
	const struct instance_spec spec = { .name = "c1",
		                            .id = "c1",
		                            .config = &config,
		                            .hostname = name,
		                            .rootfs_path = "/r",
		                            .run_dir = "/run/c1",
		                            .log_dir = "/l/c1",
		                            .devices = devices,
		                            .n_devices = 1 };
	if (ct_config_write(&spec, &host, NULL, NULL, &text, &err) == 0)
		check_lines(&text);
	ct_seccomp_policy(&config, &policy, &ignored);
	return 0;
}
