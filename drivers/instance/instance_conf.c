#include "drivers/instance/instance_conf.h"

#include <errno.h>
#include <string.h>

#include "drivers/instance/ct/ct_config.h"
#include "drivers/instance/ct/ct_cpu.h"
#include "drivers/instance/ct/ct_limits.h"
#include "drivers/instance/ct/ct_seccomp.h"
#include "drivers/instance/instance_idmap.h"
#include "lib/base/parse.h"
#include "lib/base/smap.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"

static const char *const evacuations[] = {
	"auto", "migrate", "live-migrate", "stop", "force-stop", "refresh-migrate", NULL,
};
static const char *const enforcements[] = { "hard", "soft", NULL };
static const char *const load_times[] = { "boot", "ondemand", NULL };
static const char *const pin_strategies[] = { "none", "auto", NULL };
static const char *const attachments[] = { "off", "available", "on", NULL };

static int check_plain(const char *value, struct error **err)
{
	if (!ct_config_is_plain(value))
		return error_set(err, 400, "Control characters are not allowed");
	return 0;
}

static int check_cpu(const char *value, struct error **err)
{
	struct ct_cpu_wish wish;

	return ct_cpu_wish_parse(value, &wish, err);
}

static int check_allowance(const char *value, struct error **err)
{
	unsigned percent;
	uint64_t quota, period;

	if (ct_limits_parse_allowance(value, &percent, &quota, &period) < 0)
		return error_set(err, 400,
		                 "Invalid CPU allowance \"%s\": it is \"50%%\" or \"25ms/100ms\"",
		                 value);
	return 0;
}

static int check_memory(const char *value, struct error **err)
{
	uint64_t bytes;

	if (ct_limits_parse_memory(value, UINT64_MAX, &bytes) < 0)
		return error_set(err, 400, "Invalid memory limit \"%s\"", value);
	return 0;
}

/* A number, "unlimited", or a soft and a hard one with a colon between. */
static int check_rlimit(const char *value, struct error **err)
{
	scoped(strv_freep) char **parts = strv_split(value, ':');
	size_t n = strv_len(parts);
	uint64_t number;
	bool is_good = n == 1 || n == 2;

	STRV_FOREACH (part, parts)
		is_good = is_good &&
		          (str_equals(part, "unlimited") || parse_uint64(part, &number) == 0);
	if (!is_good)
		return error_set(err, 400, "Invalid resource limit \"%s\"", value);
	return 0;
}

static int check_modules(const char *value, struct error **err)
{
	scoped(strv_freep) char **names = strv_split_trimmed(value, ',');

	STRV_FOREACH (name, names) {
		if (!str_is_made_of(
			    name,
			    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"))
			return error_set(err, 400, "Invalid kernel module \"%s\"", name);
	}

	return 0;
}

static int check_idmap_size(const char *value, struct error **err)
{
	uint32_t size;

	if (str_equals(value, "auto") || (parse_uint32(value, &size) == 0 && size > 0))
		return 0;
	return error_set(err, 400, "Invalid number of ids \"%s\"", value);
}

/* clang-format off */
const struct conf_key instance_conf_keys[] = {
	/* Starting and stopping with the host */
	{ .name = "boot.autostart", .type = CONF_BOOL, .flags = CONF_LIVE,
	  .doc = "Start the instance whenever the daemon starts; unset, it starts if it ran when the host went down." },
	{ .name = "boot.autostart.delay", .type = CONF_UINT, .flags = CONF_LIVE, .fallback = "0",
	  .doc = "Seconds to let pass after this one has started before the next one is." },
	{ .name = "boot.autostart.priority", .type = CONF_INT, .flags = CONF_LIVE, .fallback = "0",
	  .doc = "Instances with a higher number are started earlier." },
	{ .name = "boot.debug_edk2", .type = CONF_BOOL, .flags = CONF_VM,
	  .doc = "Boot with firmware that logs what it does." },
	{ .name = "boot.host_shutdown_timeout", .type = CONF_UINT, .flags = CONF_LIVE, .fallback = "30",
	  .doc = "Seconds that the instance has to halt when the host goes down; then it is killed." },
	{ .name = "boot.stop.priority", .type = CONF_INT, .flags = CONF_LIVE, .fallback = "0",
	  .doc = "Instances with a higher number are stopped earlier." },

	/* First boot */
	{ .name = "cloud-init.network-config", .type = CONF_STRING, .fallback = "DHCP on eth0",
	  .doc = "Network configuration that cloud-init reads as its seed." },
	{ .name = "cloud-init.ssh-keys.*", .type = CONF_STRING, .check = check_plain,
	  .doc = "A public key for a user, written USER:KEY, that is added to the cloud-init data." },
	{ .name = "cloud-init.user-data", .type = CONF_STRING, .fallback = "#cloud-config",
	  .doc = "User data that cloud-init reads as its seed." },
	{ .name = "cloud-init.vendor-data", .type = CONF_STRING, .fallback = "#cloud-config",
	  .doc = "Vendor data that cloud-init reads as its seed." },

	/* Placement */
	{ .name = "cluster.evacuate", .type = CONF_ENUM, .flags = CONF_LIVE, .choices = evacuations, .fallback = "auto",
	  .doc = "What happens to the instance when its member is evacuated." },
	{ .name = "placement.group", .type = CONF_STRING, .flags = CONF_LIVE, .check = check_plain,
	  .doc = "Placement group whose rule decides on which members the instance may be." },

	/* Inside */
	{ .name = "agent.nic_config", .type = CONF_BOOL, .flags = CONF_VM, .fallback = "false",
	  .doc = "Give the guest's network interfaces the name and MTU of their devices." },
	{ .name = "environment.*", .type = CONF_STRING, .flags = CONF_LIVE, .check = check_plain,
	  .doc = "A variable in the environment of init and of commands that are run inside." },
	{ .name = "linux.kernel_modules", .type = CONF_STRING, .flags = CONF_LIVE | CONF_CONTAINER, .check = check_modules,
	  .doc = "Kernel modules that the instance needs, with commas between." },
	{ .name = "linux.kernel_modules.load", .type = CONF_ENUM, .flags = CONF_CONTAINER, .choices = load_times, .fallback = "boot",
	  .doc = "Whether those modules are loaded at start or when they are asked for." },
	{ .name = "linux.sysctl.*", .type = CONF_STRING, .flags = CONF_CONTAINER, .check = check_plain,
	  .doc = "A kernel parameter to set in the namespaces of the container." },
	{ .name = "ubuntu_pro.guest_attach", .type = CONF_ENUM, .flags = CONF_IDLE, .choices = attachments,
	  .doc = "Whether guests may attach themselves to the host's Ubuntu Pro subscription." },
	{ .name = "user.*", .type = CONF_STRING, .flags = CONF_LIVE,
	  .doc = "Free for users; shown to the guest, never read by the daemon." },

	/* Limits */
	{ .name = "limits.cpu", .type = CONF_STRING, .flags = CONF_LIVE, .check = check_cpu,
	  .doc = "How many CPUs the instance gets (\"2\"), or which ones (\"0-1,3\", \"2-2\")." },
	{ .name = "limits.cpu.allowance", .type = CONF_STRING, .flags = CONF_LIVE | CONF_CONTAINER, .check = check_allowance, .fallback = "100%",
	  .doc = "Its share of CPU time under load (\"50%\"), or a hard limit (\"25ms/100ms\")." },
	{ .name = "limits.cpu.nodes", .type = CONF_STRING, .flags = CONF_LIVE | CONF_IDLE, .check = check_plain,
	  .doc = "NUMA nodes from which the CPUs are taken." },
	{ .name = "limits.cpu.pin_strategy", .type = CONF_ENUM, .flags = CONF_VM, .choices = pin_strategies, .fallback = "none",
	  .doc = "Whether virtual CPUs are pinned to real ones." },
	{ .name = "limits.cpu.priority", .type = CONF_UINT, .flags = CONF_LIVE | CONF_CONTAINER, .max = 10, .fallback = "10",
	  .doc = "Who goes first among instances with the same share of CPU time, 0 to 10." },
	{ .name = "limits.disk.priority", .type = CONF_UINT, .flags = CONF_LIVE, .max = 10, .fallback = "5",
	  .doc = "Share of disk bandwidth under load, 0 to 10." },
	{ .name = "limits.hugepages.1GB", .type = CONF_SIZE, .flags = CONF_LIVE | CONF_CONTAINER,
	  .doc = "Most bytes in huge pages of 1 GiB." },
	{ .name = "limits.hugepages.1MB", .type = CONF_SIZE, .flags = CONF_LIVE | CONF_CONTAINER,
	  .doc = "Most bytes in huge pages of 1 MiB." },
	{ .name = "limits.hugepages.2MB", .type = CONF_SIZE, .flags = CONF_LIVE | CONF_CONTAINER,
	  .doc = "Most bytes in huge pages of 2 MiB." },
	{ .name = "limits.hugepages.64KB", .type = CONF_SIZE, .flags = CONF_LIVE | CONF_CONTAINER,
	  .doc = "Most bytes in huge pages of 64 KiB." },
	{ .name = "limits.kernel.*", .type = CONF_STRING, .flags = CONF_CONTAINER, .check = check_rlimit,
	  .doc = "A resource limit of init, as of setrlimit(2): \"nofile\", \"memlock\"." },
	{ .name = "limits.memory", .type = CONF_STRING, .flags = CONF_LIVE, .check = check_memory,
	  .doc = "Most memory, in bytes or as a part of the host's (\"2GiB\", \"25%\")." },
	{ .name = "limits.memory.enforce", .type = CONF_ENUM, .flags = CONF_LIVE | CONF_CONTAINER, .choices = enforcements, .fallback = "hard",
	  .doc = "Whether the limit always holds or only when the host runs short of memory." },
	{ .name = "limits.memory.hugepages", .type = CONF_BOOL, .flags = CONF_VM, .fallback = "false",
	  .doc = "Take the guest's memory from huge pages." },
	{ .name = "limits.memory.swap", .type = CONF_BOOL, .flags = CONF_LIVE | CONF_CONTAINER, .fallback = "true",
	  .doc = "Whether pages of the instance may be swapped out." },
	{ .name = "limits.memory.swap.priority", .type = CONF_UINT, .flags = CONF_LIVE | CONF_CONTAINER, .max = 10, .fallback = "10",
	  .doc = "How readily pages are swapped out, 0 to 10; less is more rarely." },
	{ .name = "limits.processes", .type = CONF_UINT, .flags = CONF_LIVE | CONF_CONTAINER, .min = 1, .max = INT32_MAX,
	  .doc = "Most processes and threads at a time." },

	/* Migration */
	{ .name = "migration.incremental.memory", .type = CONF_BOOL, .flags = CONF_LIVE | CONF_CONTAINER | CONF_IDLE, .fallback = "false",
	  .doc = "Send memory in several passes while the instance still runs." },
	{ .name = "migration.incremental.memory.goal", .type = CONF_UINT, .flags = CONF_LIVE | CONF_CONTAINER | CONF_IDLE, .max = 100, .fallback = "70",
	  .doc = "Percentage of memory that must be there already before the last pass." },
	{ .name = "migration.incremental.memory.iterations", .type = CONF_UINT, .flags = CONF_LIVE | CONF_CONTAINER | CONF_IDLE, .max = 999, .fallback = "10",
	  .doc = "Most passes before the last one." },
	{ .name = "migration.stateful", .type = CONF_BOOL, .flags = CONF_VM, .fallback = "false",
	  .doc = "Allow stopping with state, snapshots with state, and live migration." },

	/* GPUs */
	{ .name = "nvidia.driver.capabilities", .type = CONF_STRING, .flags = CONF_CONTAINER | CONF_IDLE, .check = check_plain, .fallback = "compute,utility",
	  .doc = "Parts of the driver that are shown inside." },
	{ .name = "nvidia.require.cuda", .type = CONF_STRING, .flags = CONF_CONTAINER | CONF_IDLE, .check = check_plain,
	  .doc = "Versions of CUDA that will do." },
	{ .name = "nvidia.require.driver", .type = CONF_STRING, .flags = CONF_CONTAINER | CONF_IDLE, .check = check_plain,
	  .doc = "Versions of the driver that will do." },
	{ .name = "nvidia.runtime", .type = CONF_BOOL, .flags = CONF_CONTAINER, .fallback = "false",
	  .doc = "Show the host's driver and CUDA libraries inside." },

	/* Unchecked by us */
	{ .name = "raw.apparmor", .type = CONF_STRING, .flags = CONF_LIVE,
	  .doc = "Lines to add to the AppArmor profile." },
	{ .name = "raw.idmap", .type = CONF_STRING, .flags = CONF_CONTAINER, .check = instance_idmap_check_raw,
	  .doc = "Ids that are mapped one by one: lines of \"uid|gid|both HOST INSIDE\"." },
	{ .name = "raw.lxc", .type = CONF_STRING, .flags = CONF_CONTAINER, .check = ct_config_check_raw,
	  .doc = "Lines to add to liblxc's configuration." },
	{ .name = "raw.qemu", .type = CONF_STRING, .flags = CONF_VM,
	  .doc = "Arguments to add to QEMU's command line." },
	{ .name = "raw.qemu.conf", .type = CONF_STRING, .flags = CONF_VM,
	  .doc = "Sections that change QEMU's configuration file." },
	{ .name = "raw.seccomp", .type = CONF_STRING, .flags = CONF_CONTAINER,
	  .doc = "A whole system call policy, in place of the generated one." },

	/* Security */
	{ .name = "security.agent.metrics", .type = CONF_BOOL, .flags = CONF_LIVE | CONF_VM, .fallback = "true",
	  .doc = "Ask the guest's agent for state and metrics." },
	{ .name = "security.csm", .type = CONF_BOOL, .flags = CONF_VM, .fallback = "false",
	  .doc = "Boot through a BIOS emulation instead of UEFI." },
	{ .name = "security.delegate_bpf", .type = CONF_BOOL, .flags = CONF_CONTAINER | CONF_IDLE, .fallback = "false",
	  .doc = "Let the instance use parts of eBPF by a token." },
	{ .name = "security.delegate_bpf.attach_types", .type = CONF_STRING, .flags = CONF_CONTAINER | CONF_IDLE, .check = check_plain,
	  .doc = "Points to which its programs may be attached." },
	{ .name = "security.delegate_bpf.cmd_types", .type = CONF_STRING, .flags = CONF_CONTAINER | CONF_IDLE, .check = check_plain,
	  .doc = "bpf(2) commands that it may use." },
	{ .name = "security.delegate_bpf.map_types", .type = CONF_STRING, .flags = CONF_CONTAINER | CONF_IDLE, .check = check_plain,
	  .doc = "Kinds of maps that it may make." },
	{ .name = "security.delegate_bpf.prog_types", .type = CONF_STRING, .flags = CONF_CONTAINER | CONF_IDLE, .check = check_plain,
	  .doc = "Kinds of programs that it may load." },
	{ .name = "security.devlxd", .type = CONF_BOOL, .flags = CONF_IDLE, .fallback = "true",
	  .doc = "Whether the guest has /dev/lxd." },
	{ .name = "security.devlxd.images", .type = CONF_BOOL, .flags = CONF_LIVE, .fallback = "false",
	  .doc = "Whether the guest may fetch images through it." },
	{ .name = "security.devlxd.management.volumes", .type = CONF_BOOL, .flags = CONF_LIVE | CONF_IDLE, .fallback = "false",
	  .doc = "Whether the guest may manage volumes through it." },
	{ .name = "security.idmap.base", .type = CONF_UINT, .flags = CONF_CONTAINER, .max = UINT32_MAX,
	  .doc = "First id on the host of an isolated range." },
	{ .name = "security.idmap.isolated", .type = CONF_BOOL, .flags = CONF_CONTAINER, .fallback = "false",
	  .doc = "Give the instance ids that no other instance has." },
	{ .name = "security.idmap.size", .type = CONF_STRING, .flags = CONF_CONTAINER, .check = check_idmap_size,
	  .doc = "How many ids the instance gets." },
	{ .name = "security.nesting", .type = CONF_BOOL, .flags = CONF_LIVE | CONF_CONTAINER, .fallback = "false",
	  .doc = "Allow containers within the container." },
	{ .name = "security.privileged", .type = CONF_BOOL, .flags = CONF_CONTAINER, .fallback = "false",
	  .doc = "Root inside is root of the host: run without an id map." },
	{ .name = "security.protection.delete", .type = CONF_BOOL, .flags = CONF_LIVE, .fallback = "false",
	  .doc = "Refuse to delete the instance." },
	{ .name = "security.protection.shift", .type = CONF_BOOL, .flags = CONF_LIVE | CONF_CONTAINER | CONF_IDLE, .fallback = "false",
	  .doc = "Refuse to change the owners of its files on disk." },
	{ .name = "security.protection.start", .type = CONF_BOOL, .flags = CONF_LIVE, .fallback = "false",
	  .doc = "Refuse to start the instance." },
	{ .name = "security.secureboot", .type = CONF_BOOL, .flags = CONF_VM, .fallback = "true",
	  .doc = "Boot only what is signed with Microsoft's keys." },
	{ .name = "security.sev", .type = CONF_BOOL, .flags = CONF_VM, .fallback = "false",
	  .doc = "Encrypt the guest's memory (AMD SEV)." },
	{ .name = "security.sev.policy.es", .type = CONF_BOOL, .flags = CONF_VM, .fallback = "false",
	  .doc = "Encrypt the guest's registers too (AMD SEV-ES)." },
	{ .name = "security.sev.session.data", .type = CONF_STRING, .flags = CONF_VM, .check = check_plain,
	  .doc = "The owner's session, in base64." },
	{ .name = "security.sev.session.dh", .type = CONF_STRING, .flags = CONF_VM, .check = check_plain,
	  .doc = "The owner's Diffie-Hellman key, in base64." },
	{ .name = "security.syscalls.allow", .type = CONF_STRING, .flags = CONF_CONTAINER, .check = ct_seccomp_check_list,
	  .doc = "The only system calls that are allowed, one a line." },
	{ .name = "security.syscalls.deny", .type = CONF_STRING, .flags = CONF_CONTAINER, .check = ct_seccomp_check_list,
	  .doc = "System calls that are refused, one a line." },
	{ .name = "security.syscalls.deny_compat", .type = CONF_BOOL, .flags = CONF_CONTAINER, .fallback = "false",
	  .doc = "Refuse the system calls of 32-bit programs." },
	{ .name = "security.syscalls.deny_default", .type = CONF_BOOL, .flags = CONF_CONTAINER, .fallback = "true",
	  .doc = "Refuse the system calls that no container should need." },
	{ .name = "security.syscalls.blacklist", .type = CONF_STRING, .flags = CONF_CONTAINER, .check = ct_seccomp_check_list,
	  .doc = "Older name of security.syscalls.deny." },
	{ .name = "security.syscalls.blacklist_compat", .type = CONF_BOOL, .flags = CONF_CONTAINER,
	  .doc = "Older name of security.syscalls.deny_compat." },
	{ .name = "security.syscalls.blacklist_default", .type = CONF_BOOL, .flags = CONF_CONTAINER,
	  .doc = "Older name of security.syscalls.deny_default." },
	{ .name = "security.syscalls.whitelist", .type = CONF_STRING, .flags = CONF_CONTAINER, .check = ct_seccomp_check_list,
	  .doc = "Older name of security.syscalls.allow." },
	{ .name = "security.syscalls.intercept.bpf", .type = CONF_BOOL, .flags = CONF_CONTAINER | CONF_IDLE, .fallback = "false",
	  .doc = "Handle bpf(2) for the guest." },
	{ .name = "security.syscalls.intercept.bpf.devices", .type = CONF_BOOL, .flags = CONF_CONTAINER | CONF_IDLE, .fallback = "false",
	  .doc = "Allow programs that control devices in its groups." },
	{ .name = "security.syscalls.intercept.mknod", .type = CONF_BOOL, .flags = CONF_CONTAINER | CONF_IDLE, .fallback = "false",
	  .doc = "Make harmless device nodes for the guest." },
	{ .name = "security.syscalls.intercept.mount", .type = CONF_BOOL, .flags = CONF_CONTAINER | CONF_IDLE, .fallback = "false",
	  .doc = "Mount filesystems for the guest." },
	{ .name = "security.syscalls.intercept.mount.allowed", .type = CONF_STRING, .flags = CONF_LIVE | CONF_CONTAINER | CONF_IDLE, .check = check_plain,
	  .doc = "Filesystems that are mounted for it, with commas between." },
	{ .name = "security.syscalls.intercept.mount.fuse", .type = CONF_STRING, .flags = CONF_LIVE | CONF_CONTAINER | CONF_IDLE, .check = check_plain,
	  .doc = "Filesystems that a FUSE program mounts instead, as fs=program." },
	{ .name = "security.syscalls.intercept.mount.shift", .type = CONF_BOOL, .flags = CONF_LIVE | CONF_CONTAINER | CONF_IDLE, .fallback = "false",
	  .doc = "Show what is mounted so through the instance's id map." },
	{ .name = "security.syscalls.intercept.sched_setscheduler", .type = CONF_BOOL, .flags = CONF_CONTAINER | CONF_IDLE, .fallback = "false",
	  .doc = "Let the guest raise the priority of its processes." },
	{ .name = "security.syscalls.intercept.setxattr", .type = CONF_BOOL, .flags = CONF_CONTAINER | CONF_IDLE, .fallback = "false",
	  .doc = "Set harmless extended attributes for the guest." },
	{ .name = "security.syscalls.intercept.sysinfo", .type = CONF_BOOL, .flags = CONF_CONTAINER | CONF_IDLE, .fallback = "false",
	  .doc = "Answer sysinfo(2) with the limits of the instance." },

	/* Snapshots */
	{ .name = "snapshots.expiry", .type = CONF_EXPIRY, .flags = CONF_LIVE,
	  .doc = "How long snapshots are kept: \"1d 3H\"." },
	{ .name = "snapshots.pattern", .type = CONF_STRING, .flags = CONF_LIVE, .check = check_plain, .fallback = "snap%d",
	  .doc = "Template for the names of snapshots." },
	{ .name = "snapshots.schedule", .type = CONF_STRING, .flags = CONF_LIVE, .check = conf_check_schedule,
	  .doc = "When snapshots are made: five fields as of cron, or \"@daily\", \"@startup\" and the like." },
	{ .name = "snapshots.schedule.stopped", .type = CONF_BOOL, .flags = CONF_LIVE, .fallback = "false",
	  .doc = "Also make them while the instance is stopped." },

	/* What the daemon remembers */
	{ .name = "volatile.apply_nvram", .type = CONF_BOOL, .flags = CONF_INTERNAL | CONF_LIVE,
	  .doc = "Make the UEFI variables anew at the next start." },
	{ .name = "volatile.apply_template", .type = CONF_STRING, .flags = CONF_INTERNAL | CONF_LIVE, .check = check_plain,
	  .doc = "Trigger whose templates are rendered at the next start." },
	{ .name = "volatile.attached_volumes", .type = CONF_STRING, .flags = CONF_INTERNAL | CONF_LIVE,
	  .doc = "Snapshots of attached volumes that belong to this one, as JSON." },
	{ .name = "volatile.base_image", .type = CONF_STRING, .flags = CONF_INTERNAL | CONF_LIVE, .check = check_plain,
	  .doc = "Fingerprint of the image that it was made from." },
	{ .name = "volatile.bus.mode", .type = CONF_STRING, .flags = CONF_INTERNAL | CONF_LIVE, .check = check_plain,
	  .doc = "How bus numbers are given to devices." },
	{ .name = "volatile.cloud-init.instance-id", .type = CONF_STRING, .flags = CONF_INTERNAL | CONF_LIVE, .check = check_plain,
	  .doc = "Id by which cloud-init tells a new instance." },
	{ .name = "volatile.cluster.group", .type = CONF_STRING, .flags = CONF_INTERNAL | CONF_LIVE, .check = check_plain,
	  .doc = "Cluster group that the instance was placed in." },
	{ .name = "volatile.evacuate.origin", .type = CONF_STRING, .flags = CONF_INTERNAL | CONF_LIVE, .check = check_plain,
	  .doc = "Member that the instance came from and returns to." },
	{ .name = "volatile.idmap.base", .type = CONF_UINT, .flags = CONF_INTERNAL | CONF_LIVE,
	  .doc = "First id of its isolated range, or 0." },
	{ .name = "volatile.idmap.current", .type = CONF_STRING, .flags = CONF_INTERNAL | CONF_LIVE, .check = check_plain,
	  .doc = "Id map that it runs with." },
	{ .name = "volatile.idmap.next", .type = CONF_STRING, .flags = CONF_INTERNAL | CONF_LIVE, .check = check_plain,
	  .doc = "Id map that it gets at the next start." },
	{ .name = "volatile.last_state.idmap", .type = CONF_STRING, .flags = CONF_INTERNAL | CONF_LIVE, .check = check_plain,
	  .doc = "Id map that its files on disk are shifted by." },
	{ .name = "volatile.last_state.power", .type = CONF_STRING, .flags = CONF_INTERNAL | CONF_LIVE, .check = check_plain,
	  .doc = "Whether it ran when the daemon last knew." },
	{ .name = "volatile.last_state.ready", .type = CONF_BOOL, .flags = CONF_INTERNAL | CONF_LIVE,
	  .doc = "Whether the guest said that it is ready." },
	{ .name = "volatile.rebuild.pending", .type = CONF_BOOL, .flags = CONF_INTERNAL | CONF_LIVE,
	  .doc = "There while a new root disk takes the place of the old one." },
	{ .name = "volatile.rename.pending", .type = CONF_STRING, .flags = CONF_INTERNAL | CONF_LIVE, .check = check_plain,
	  .doc = "Name that its files get just now." },
	{ .name = "volatile.transfer.pending", .type = CONF_STRING, .flags = CONF_INTERNAL | CONF_LIVE, .check = check_plain,
	  .doc = "Pool and project with a second disk of it while it moves between the two." },
	{ .name = "volatile.uuid", .type = CONF_STRING, .flags = CONF_INTERNAL | CONF_LIVE, .check = check_plain,
	  .doc = "Unique id of the instance." },
	{ .name = "volatile.uuid.generation", .type = CONF_STRING, .flags = CONF_INTERNAL | CONF_LIVE, .check = check_plain,
	  .doc = "Changes whenever the instance goes back in time." },
	{ .name = "volatile.vsock_id", .type = CONF_STRING, .flags = CONF_INTERNAL | CONF_LIVE, .check = check_plain,
	  .doc = "Its vsock address as of the last start." },
	{ .name = "volatile.*.apply_quota", .type = CONF_STRING, .flags = CONF_INTERNAL | CONF_LIVE, .check = check_plain,
	  .doc = "Size that the disk gets at the next start." },
	{ .name = "volatile.*.bus", .type = CONF_STRING, .flags = CONF_INTERNAL | CONF_LIVE, .check = check_plain,
	  .doc = "Bus number of the device." },
	{ .name = "volatile.*.ceph_rbd", .type = CONF_STRING, .flags = CONF_INTERNAL | CONF_LIVE, .check = check_plain,
	  .doc = "Path of the mapped RBD image." },
	{ .name = "volatile.*.devlxd.owner", .type = CONF_STRING, .flags = CONF_INTERNAL | CONF_LIVE, .check = check_plain,
	  .doc = "Identity that added the device from inside." },
	{ .name = "volatile.*.host_name", .type = CONF_STRING, .flags = CONF_INTERNAL | CONF_LIVE, .check = check_plain,
	  .doc = "Name of the link's end on the host." },
	{ .name = "volatile.*.hwaddr", .type = CONF_STRING, .flags = CONF_INTERNAL | CONF_LIVE, .check = check_plain,
	  .doc = "MAC address that was chosen for the device." },
	{ .name = "volatile.*.name", .type = CONF_STRING, .flags = CONF_INTERNAL | CONF_LIVE, .check = check_plain,
	  .doc = "Name of the link inside that was chosen for the device." },
	{ .name = "volatile.*.uuid", .type = CONF_STRING, .flags = CONF_INTERNAL | CONF_LIVE, .check = check_plain,
	  .doc = "Unique id of the device." },
	{ .name = "volatile.*.last_state.created", .type = CONF_STRING, .flags = CONF_INTERNAL | CONF_LIVE, .check = check_plain,
	  .doc = "Whether the link was made for the device." },
	{ .name = "volatile.*.last_state.hwaddr", .type = CONF_STRING, .flags = CONF_INTERNAL | CONF_LIVE, .check = check_plain,
	  .doc = "MAC address that the host's link had." },
	{ .name = "volatile.*.last_state.mtu", .type = CONF_STRING, .flags = CONF_INTERNAL | CONF_LIVE, .check = check_plain,
	  .doc = "MTU that the host's link had." },
	{ .name = "volatile.*.last_state.*", .type = CONF_STRING, .flags = CONF_INTERNAL | CONF_LIVE, .check = check_plain,
	  .doc = "What else the host's device had before the instance used it." },
	{ .name = "image.*", .type = CONF_STRING, .flags = CONF_LIVE,
	  .doc = "Property of the image that the instance was made from." },
	{ .name = NULL },
};
/* clang-format on */

/* Keys that are in a copy although they are "volatile.". */
static const char *const copied_volatile[] = { "volatile.base_image", "volatile.last_state.idmap" };

int instance_conf_validate(enum instance_conf_scope scope, const char *key, const char *value,
                           struct error **err)
{
	const struct conf_key *row = conf_find(instance_conf_keys, key);
	bool is_own = str_starts(key, "image.") || str_starts(key, "volatile.");

	const char *variable = str_after(key, "environment.");
	if (!row || (scope == INSTANCE_CONF_PROFILE && is_own) ||
	    (variable && strchr(variable, '=')))
		return error_set(err, 400, "Unknown configuration key: %s", key);
	if (str_is_empty(value))
		return 0;
	return conf_validate_value(row, key, value, err);
}

/* Rules between keys. */
static int check_together(const struct smap *config, struct error **err)
{
	bool is_privileged = smap_is_true(config, "security.privileged");
	bool has_allow = smap_get_or(config, "security.syscalls.allow", NULL) ||
	                 smap_get_or(config, "security.syscalls.whitelist", NULL);
	bool has_deny = smap_get_or(config, "security.syscalls.deny", NULL) ||
	                smap_get_or(config, "security.syscalls.blacklist", NULL) ||
	                smap_is_true(config, "security.syscalls.deny_compat") ||
	                smap_is_true(config, "security.syscalls.blacklist_compat");

	if (has_allow && has_deny)
		return error_set(
			err, 400,
			"security.syscalls.allow is mutually exclusive with security.syscalls.deny*");
	if (smap_get_or(config, "raw.seccomp", NULL) && (has_allow || has_deny))
		return error_set(err, 400,
		                 "raw.seccomp is mutually exclusive with security.syscalls*");
	if (is_privileged && smap_is_true(config, "nvidia.runtime"))
		return error_set(err, 400,
		                 "nvidia.runtime is incompatible with privileged containers");
	return 0;
}

int instance_conf_validate_map(enum instance_conf_scope scope, const struct smap *config,
                               bool is_expanded, struct error **err)
{
	SMAP_FOREACH (e, config) {
		int r = instance_conf_validate(scope, e->key, e->value, err);
		if (r < 0)
			return r;
	}

	return is_expanded ? check_together(config, err) : 0;
}

bool instance_conf_is_live(const char *key)
{
	const struct conf_key *row = conf_find(instance_conf_keys, key);

	return row && row->flags & CONF_LIVE;
}

bool instance_conf_is_limit(const char *key)
{
	return str_starts(key, "limits.") && !str_starts(key, "limits.kernel.");
}

bool instance_conf_is_copied(const char *key)
{
	if (!str_starts(key, "volatile."))
		return true;
	for (size_t i = 0; i < COUNT_OF(copied_volatile); i++) {
		if (str_equals(key, copied_volatile[i]))
			return true;
	}

	return false;
}

const char *instance_conf_get(const struct smap *config, const char *key)
{
	return conf_get(instance_conf_keys, config, key);
}

bool instance_conf_is_true(const struct smap *config, const char *key)
{
	return parse_is_true(instance_conf_get(config, key));
}
