#include "drivers/instance/ct/ct_config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "drivers/instance/ct/ct_job.h"
#include "drivers/instance/instance_driver.h"
#include "lib/base/alloc.h"
#include "lib/base/parse.h"
#include "lib/base/smap.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/linux/idmap.h"

/* What a container may do with device nodes: make any, use these. */
static const char *const device_rules[] = {
	"b *:* m",      "c *:* m", "c 1:3 rwm", /* null */
	"c 1:5 rwm",                            /* zero */
	"c 1:7 rwm",                            /* full */
	"c 1:8 rwm",                            /* random */
	"c 1:9 rwm",                            /* urandom */
	"c 5:0 rwm",                            /* tty */
	"c 5:1 rwm",                            /* console */
	"c 5:2 rwm",                            /* ptmx */
	"c 136:* rwm",                          /* pts */
	"c 10:229 rwm",                         /* fuse */
	"c 10:200 rwm",                         /* net/tun */
};

/* Files that lxcfs makes true for a container. */
static const char *const lxcfs_files[] = {
	"proc/cpuinfo",  "proc/diskstats", "proc/loadavg", "proc/meminfo",
	"proc/slabinfo", "proc/stat",      "proc/swaps",   "proc/uptime",
};

/* clang-format off */
static const struct {
	const char *key; /* Ends with '.': all that begin so. */
	const char *why;
} refused_raw[] = {
	{ "lxc.logfile",       "Setting lxc.logfile is not allowed" },
	{ "lxc.log.",          "Setting lxc.log.* is not allowed" },
	{ "lxc.syslog",        "Setting lxc.syslog is not allowed" },
	{ "lxc.log.syslog",    "Setting lxc.log.syslog is not allowed" },
	{ "lxc.ephemeral",     "Setting lxc.ephemeral is not allowed" },
	{ "lxc.cgroup.dir",    "Setting lxc.cgroup.dir is not allowed" },
	{ "lxc.cgroup.dir.",   "Setting lxc.cgroup.dir.* is not allowed" },
	{ "lxc.cgroup.relative", "Setting lxc.cgroup.relative is not allowed" },
	{ "lxc.prlimit.",      "Process limits should be set via \"limits.kernel.*\" and not via \"lxc.prlimit.*\"" },
	{ "lxc.monitor.",      "Setting lxc.monitor.* is not allowed" },
	{ "lxc.console.logfile", "Setting lxc.console.logfile is not allowed" },
};
/* clang-format on */

/* Of a NIC only its addresses, since all else is the device's. */
static const char *const raw_net_suffixes[] = {
	".ipv4", ".ipv4.address", ".ipv4.gateway", ".ipv6", ".ipv6.address", ".ipv6.gateway",
};

bool ct_config_is_plain(const char *text)
{
	for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
		if (*c < ' ' || *c == 0x7f)
			return false;
	}

	return true;
}

char *ct_config_escape(const char *path)
{
	struct strbuf text = { 0 };

	for (const char *c = path; *c; c++) {
		if (*c == ' ' || *c == '\t' || *c == '\n' || *c == '\\' || *c == '#')
			strbuf_addf(&text, "\\%03o", (unsigned char)*c);
		else
			strbuf_add_char(&text, *c);
	}

	return strbuf_take(&text);
}

static int check_raw_key(const char *key, struct error **err)
{
	for (size_t i = 0; i < COUNT_OF(refused_raw); i++) {
		bool is_prefix = str_ends(refused_raw[i].key, ".");
		if (is_prefix ? str_starts(key, refused_raw[i].key)
		              : str_equals(key, refused_raw[i].key))
			return error_set(err, 400, "%s", refused_raw[i].why);
	}

	if (!str_starts(key, "lxc.net.") && !str_starts(key, "lxc.network."))
		return 0;
	for (size_t i = 0; i < COUNT_OF(raw_net_suffixes); i++) {
		if (str_ends(key, raw_net_suffixes[i]))
			return 0;
	}
	return error_set(err, 400, "Only interface-specific ipv4/ipv6 lxc.net.* keys are allowed");
}

/* Checks each line and appends it to 'text', unless that is NULL. */
static int each_raw(const char *value, struct strbuf *text, struct error **err)
{
	scoped(strv_freep) char **lines = strv_split_trimmed(value, '\n');

	STRV_FOREACH (line, lines) {
		if (*line == '#')
			continue;
		const char *equals = strchr(line, '=');
		if (!equals)
			return error_set(err, 400, "Invalid raw.lxc line: %s", line);

		scoped_free char *name = xstrdup(line);
		name[equals - line] = '\0';
		scoped_free char *key = str_trim(name);
		scoped_free char *item = str_trim(equals + 1);
		scoped_free char *lower = str_lower(key);
		if (!str_starts(lower, "lxc.") ||
		    !str_is_made_of(
			    key,
			    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"))
			return error_set(err, 400, "Invalid raw.lxc line: %s", line);
		/* Tabs are how people align; other control characters have no use. */
		for (char *c = item; *c; c++)
			*c = *c == '\t' ? ' ' : *c;
		if (!ct_config_is_plain(item))
			return error_set(err, 400, "Invalid control character in raw.lxc");
		int r = check_raw_key(lower, err);
		if (r < 0)
			return r;
		if (text)
			strbuf_addf(text, "%s = %s\n", key, item);
	}

	return 0;
}

int ct_config_check_raw(const char *value, struct error **err)
{
	return each_raw(value, NULL, err);
}

struct writer {
	const struct instance_spec *spec;
	const struct ct_config_host *host;
	struct strbuf *text;
	struct error **err;
	int result;
	size_t n_staged;
};

static void item(struct writer *w, const char *key, const char *fmt, ...) PRINTF(3, 4);

/* One line. The first value with a control character makes the whole fail. */
static void item(struct writer *w, const char *key, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	scoped_free char *value = xvasprintf(fmt, args);
	va_end(args);
	if (w->result < 0)
		return;
	if (!ct_config_is_plain(value) || !ct_config_is_plain(key)) {
		w->result = error_set(w->err, 400, "Control character in the value of \"%s\"", key);
		return;
	}
	strbuf_addf(w->text, "%s = %s\n", key, value);
}

static void write_basics(struct writer *w)
{
	const struct instance_spec *spec = w->spec;
	const struct ct_config_host *host = w->host;

	item(w, "lxc.log.file", "%s/lxc.log", spec->log_dir);
	item(w, "lxc.log.level", "%s", host->debug ? "trace" : "warn");
	item(w, "lxc.console.logfile", "%s/console.log", spec->log_dir);
	item(w, "lxc.console.size", "1MB");
	item(w, "lxc.uts.name", "%s", spec->hostname ? spec->hostname : spec->name);
	item(w, "lxc.tty.max", "0");
	item(w, "lxc.pty.max", "1024");
	item(w, "lxc.cap.drop", "sys_time sys_module sys_rawio mac_admin mac_override");

	item(w, "lxc.cgroup.dir.monitor", "%s/%s", host->monitor_group, spec->id);
	item(w, "lxc.cgroup.dir.monitor.pivot", "%s", host->pivot_group);
	item(w, "lxc.cgroup.dir.container", "%s/%s", host->payload_group, spec->id);

	item(w, "lxc.rootfs.path", "dir:%s", spec->rootfs_path);
	item(w, "lxc.rootfs.mount", "%s/root", spec->run_dir);
	if (spec->rootfs_is_readonly && spec->rootfs_shift == ROOTFS_SHIFT_IDMAPPED)
		item(w, "lxc.rootfs.options", "ro,idmap=container");
	else if (spec->rootfs_is_readonly)
		item(w, "lxc.rootfs.options", "ro");
	else if (spec->rootfs_shift == ROOTFS_SHIFT_IDMAPPED)
		item(w, "lxc.rootfs.options", "idmap=container");
}

static void write_idmap(struct writer *w)
{
	const struct idmap *map = w->spec->idmap;

	for (size_t i = 0; map && i < map->n_entries; i++) {
		const struct idmap_entry *e = &map->entries[i];
		if (e->is_uid)
			item(w, "lxc.idmap", "u %" PRIu32 " %" PRIu32 " %" PRIu32, e->ns_id,
			     e->host_id, e->range);
		if (e->is_gid)
			item(w, "lxc.idmap", "g %" PRIu32 " %" PRIu32 " %" PRIu32, e->ns_id,
			     e->host_id, e->range);
	}
}

static void write_apparmor(struct writer *w)
{
	const struct smap *config = w->spec->config;

	if (!w->host->has_apparmor)
		return;
	if (!w->host->has_apparmor_parser) {
		item(w, "lxc.apparmor.profile", "unconfined");
		return;
	}

	item(w, "lxc.apparmor.profile", "generated");
	if (smap_is_true(config, "security.nesting"))
		item(w, "lxc.apparmor.allow_nesting", "1");
	scoped(strv_freep) char **lines =
		strv_split_trimmed(smap_get_or(config, "raw.apparmor", ""), '\n');
	STRV_FOREACH (line, lines)
		item(w, "lxc.apparmor.raw", "%s", line);
}

static void write_system_mounts(struct writer *w)
{
	bool is_nesting = smap_is_true(w->spec->config, "security.nesting");
	bool is_open = !w->spec->is_privileged || is_nesting;

	item(w, "lxc.mount.auto", "%s cgroup:rw:force",
	     is_open ? "proc:rw sys:rw" : "proc:mixed sys:mixed");
	for (const char *const *path = w->host->bind_paths; path && *path; path++)
		item(w, "lxc.mount.entry", "%s %s none rbind,optional 0 0", *path, *path + 1);
	item(w, "lxc.mount.entry", "mqueue dev/mqueue mqueue rw,relatime,create=dir,optional 0 0");
	item(w, "lxc.mount.entry", "/dev/fuse dev/fuse none bind,create=file,optional 0 0");
	item(w, "lxc.mount.entry", "/dev/net/tun dev/net/tun none bind,create=file,optional 0 0");
	if (is_nesting) {
		item(w, "lxc.mount.entry", "proc dev/.lxc/proc proc create=dir,optional 0 0");
		item(w, "lxc.mount.entry", "sys dev/.lxc/sys sysfs create=dir,optional 0 0");
	}
	for (size_t i = 0; w->host->lxcfs_path && i < COUNT_OF(lxcfs_files); i++)
		item(w, "lxc.mount.entry", "%s/%s %s none bind,optional 0 0", w->host->lxcfs_path,
		     lxcfs_files[i], lxcfs_files[i]);
}

bool ct_config_is_staged(const struct instance_spec *spec, const struct run_mount *mount)
{
	return mount->within || (spec->idmap && spec->idmap->n_entries > 0 && !mount->propagation);
}

static char *source_of(struct writer *w, const struct run_mount *mount)
{
	if (!ct_config_is_staged(w->spec, mount))
		return xstrdup(mount->source);

	return xasprintf("%s/" CT_JOB_DISKS "/%zu", w->spec->run_dir, w->n_staged++);
}

static void write_mount(struct writer *w, const struct run_mount *mount)
{
	scoped_free char *path = source_of(w, mount);
	scoped_free char *source = ct_config_escape(path);
	scoped_free char *target = ct_config_escape(mount->target);
	bool shift = mount->shift && w->spec->idmap && w->spec->idmap->n_entries > 0;

	if (mount->options && strpbrk(mount->options, " \t\\")) {
		w->result = w->result < 0 ? w->result
		                          : error_set(w->err, 400, "Invalid mount options \"%s\"",
		                                      mount->options);
		return;
	}
	item(w, "lxc.mount.entry", "%s %s none %s,create=%s%s%s%s%s%s%s%s 0 0", source, target,
	     mount->is_recursive ? "rbind" : "bind", mount->is_file ? "file" : "dir",
	     mount->is_readonly ? ",ro" : "", mount->is_optional ? ",optional" : "",
	     shift ? ",idmap=container" : "", mount->propagation ? "," : "",
	     mount->propagation ? mount->propagation : "", mount->options ? "," : "",
	     mount->options ? mount->options : "");
}

static void write_link(struct writer *w, const struct run_link *link, size_t n)
{
	char key[64];

#define NET_KEY(suffix) (snprintf(key, sizeof(key), "lxc.net.%zu." suffix, n), key)
	item(w, NET_KEY("type"), "veth");
	item(w, NET_KEY("flags"), "up");
	if (link->kind == RUN_LINK_BRIDGED)
		item(w, NET_KEY("link"), "%s", link->parent);
	if (link->name)
		item(w, NET_KEY("name"), "%s", link->name);
	if (link->hwaddr)
		item(w, NET_KEY("hwaddr"), "%s", link->hwaddr);
	if (link->mtu)
		item(w, NET_KEY("mtu"), "%" PRIu32, link->mtu);
	if (link->host_name)
		item(w, NET_KEY("veth.pair"), "%s", link->host_name);
#undef NET_KEY
}

static void write_node(struct writer *w, const struct run_node *node)
{
	scoped_free char *source = ct_config_escape(node->source);
	scoped_free char *target = ct_config_escape(node->target);
	bool is_v2 = w->host->limits.is_v2[CGROUP_DEVICES];

	item(w, "lxc.mount.entry", "%s %s none bind,create=file 0 0", source, target);
	if (w->host->limits.has[CGROUP_DEVICES])
		item(w, is_v2 ? "lxc.cgroup2.devices.allow" : "lxc.cgroup.devices.allow",
		     "%c %" PRIu32 ":%" PRIu32 " rwm", node->is_block ? 'b' : 'c', node->major,
		     node->minor);
}

static void write_devices(struct writer *w)
{
	bool is_v2 = w->host->limits.is_v2[CGROUP_DEVICES];
	size_t n_links = 0;

	if (w->host->limits.has[CGROUP_DEVICES] && !w->host->has_userns_in_userns) {
		const char *prefix = is_v2 ? "lxc.cgroup2.devices" : "lxc.cgroup.devices";
		scoped_free char *deny = xasprintf("%s.deny", prefix);
		scoped_free char *allow = xasprintf("%s.allow", prefix);

		item(w, deny, "a");
		for (size_t i = 0; i < COUNT_OF(device_rules); i++)
			item(w, allow, "%s", device_rules[i]);
	}

	for (size_t i = 0; i < w->spec->n_devices; i++) {
		const struct run_config *run = w->spec->devices[i];

		for (size_t k = 0; k < run->n_mounts; k++)
			write_mount(w, &run->mounts[k]);
		for (size_t k = 0; k < run->n_links; k++)
			write_link(w, &run->links[k], n_links++);
		for (size_t k = 0; k < run->n_nodes; k++)
			write_node(w, &run->nodes[k]);
	}
	if (n_links == 0)
		item(w, "lxc.net.0.type", "empty");
}

/* Keys that end in a free part, each an item of its own. */
static void write_families(struct writer *w)
{
	SMAP_FOREACH (e, w->spec->config) {
		const char *name;
		char key[96];

		if ((name = str_after(e->key, "environment."))) {
			if (strchr(name, '='))
				w->result =
					w->result < 0
						? w->result
						: error_set(w->err, 400,
				                            "Invalid variable name \"%s\"", name);
			item(w, "lxc.environment", "%s=%s", name, e->value);
		} else if ((name = str_after(e->key, "linux.sysctl."))) {
			snprintf(key, sizeof(key), "lxc.sysctl.%s", name);
			item(w, key, "%s", e->value);
		} else if ((name = str_after(e->key, "limits.kernel."))) {
			snprintf(key, sizeof(key), "lxc.prlimit.%s", name);
			item(w, key, "%s", e->value);
		}
	}
}

static void write_limits(struct writer *w, const char *cpus)
{
	struct ct_limits limits;

	if (w->result < 0)
		return;
	w->result = ct_limits_of(w->spec->config, &w->host->limits, true, &limits, w->err);
	if (w->result < 0)
		return;

	for (size_t i = 0; i < limits.n_items; i++) {
		const struct ct_limit *limit = &limits.items[i];
		char key[96];

		if (limit->is_optional)
			continue; /* liblxc would fail; the driver writes it after the start. */
		snprintf(key, sizeof(key), "%s.%s",
		         w->host->limits.is_v2[limit->controller] ? "lxc.cgroup2" : "lxc.cgroup",
		         limit->file);
		item(w, key, "%s", limit->value);
	}
	if (cpus && w->host->limits.has[CGROUP_CPUSET])
		item(w,
		     w->host->limits.is_v2[CGROUP_CPUSET] ? "lxc.cgroup2.cpuset.cpus"
		                                          : "lxc.cgroup.cpuset.cpus",
		     "%s", cpus);
}

int ct_config_write(const struct instance_spec *spec, const struct ct_config_host *host,
                    const char *cpus, const char *seccomp_path, struct strbuf *ret_text,
                    struct error **err)
{
	scoped(strbuf_done) struct strbuf text = { 0 };
	struct writer w = { .spec = spec, .host = host, .text = &text, .err = err };

	write_basics(&w);
	write_idmap(&w);
	write_apparmor(&w);
	if (seccomp_path)
		item(&w, "lxc.seccomp.profile", "%s", seccomp_path);
	write_system_mounts(&w);
	write_families(&w);
	write_limits(&w, cpus);
	write_devices(&w);
	if (w.result == 0)
		w.result = each_raw(smap_get_or(spec->config, "raw.lxc", ""), &text, err);
	if (w.result < 0)
		return w.result;

	strbuf_add_n(ret_text, text.text, text.size);
	return 0;
}
