#include "drivers/device/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/alloc.h"
#include "lib/base/parse.h"
#include "lib/base/path.h"
#include "lib/base/scoped.h"
#include "lib/base/smap.h"
#include "lib/base/str.h"
#include "lib/conf/conf.h"

static const char *const propagations[] = {
	"private", "shared", "slave",       "unbindable", "rprivate",
	"rshared", "rslave", "runbindable", NULL,
};

static int check_path(const char *value, struct error **err)
{
	for (const unsigned char *c = (const unsigned char *)value; *c; c++) {
		if (*c < ' ' || *c == 0x7f)
			return error_set(err, 400, "Control characters are not allowed in a path");
	}
	if (path_has_dotdot(value))
		return error_set(err, 400, "\"..\" is not allowed in a path");
	return 0;
}

static int check_unsupported(const char *value, struct error **err)
{
	return error_set(err, 400, "This option is not supported by this server");
}

/* clang-format off */
static const struct conf_key keys[] = {
	{ .name = "path", .type = CONF_STRING, .check = check_path,
	  .doc = "Where it is mounted inside; \"/\" is the root disk." },
	{ .name = "source", .type = CONF_STRING, .check = check_path,
	  .doc = "Path on the host, or the name of a volume in the pool." },
	{ .name = "pool", .type = CONF_STRING, .check = check_path,
	  .doc = "Storage pool that holds the root disk or the volume." },
	{ .name = "readonly", .type = CONF_BOOL, .fallback = "false",
	  .doc = "Whether it can only be read." },
	{ .name = "recursive", .type = CONF_BOOL, .fallback = "false",
	  .doc = "Also show what is mounted below the source." },
	{ .name = "required", .type = CONF_BOOL, .fallback = "true",
	  .doc = "Whether the instance may not start if the source is missing." },
	{ .name = "optional", .type = CONF_BOOL, .fallback = "false",
	  .doc = "Older word for the opposite of required." },
	{ .name = "shift", .type = CONF_BOOL, .fallback = "false",
	  .doc = "Show owners through the instance's id map." },
	{ .name = "propagation", .type = CONF_ENUM, .choices = propagations, .fallback = "private",
	  .doc = "How mounts below it are shared between instance and host." },
	{ .name = "size", .type = CONF_SIZE,
	  .doc = "Most bytes that the root disk may hold." },
	{ .name = "size.state", .type = CONF_SIZE, .flags = CONF_VM,
	  .doc = "Size of the volume that holds a virtual machine's state." },
	{ .name = "raw.mount.options", .type = CONF_STRING, .check = check_unsupported,
	  .doc = "Mount options of the filesystem; not supported yet." },
	{ .name = "source.snapshot", .type = CONF_STRING, .check = check_unsupported,
	  .doc = "Snapshot of the volume to use; not supported yet." },
	{ .name = "source.type", .type = CONF_STRING, .check = check_unsupported,
	  .doc = "Kind of the volume; only custom ones for now." },
	{ .name = "limits.read", .type = CONF_STRING, .check = check_unsupported,
	  .doc = "Most bytes or operations a second that are read; not supported yet." },
	{ .name = "limits.write", .type = CONF_STRING, .check = check_unsupported,
	  .doc = "Most bytes or operations a second that are written; not supported yet." },
	{ .name = "limits.max", .type = CONF_STRING, .check = check_unsupported,
	  .doc = "Both at once; not supported yet." },
	{ .name = "boot.priority", .type = CONF_UINT, .flags = CONF_VM,
	  .doc = "Order in which a virtual machine boots from its devices." },
	{ .name = "io.bus", .type = CONF_STRING, .flags = CONF_VM,
	  .doc = "Bus that a virtual machine sees the disk on." },
	{ .name = "io.cache", .type = CONF_STRING, .flags = CONF_VM,
	  .doc = "How the host caches a virtual machine's disk." },
	{ .name = "io.threads", .type = CONF_UINT, .flags = CONF_VM,
	  .doc = "Threads that serve a shared folder." },
	{ .name = "initial.*", .type = CONF_STRING, .flags = CONF_IDLE,
	  .doc = "Config that the root volume gets when it is made." },
	{ .name = NULL },
};
/* clang-format on */

static bool is_root(const struct smap *config)
{
	return str_equals(smap_get(config, "path"), "/");
}

static int validate(const char *name, const struct smap *config, struct error **err)
{
	const char *path = smap_get_or(config, "path", NULL);
	const char *source = smap_get_or(config, "source", NULL);
	const char *pool = smap_get_or(config, "pool", NULL);

	(void)name;
	if (!path)
		return error_set(err, 400, "Missing required \"path\" property");
	if (smap_has(config, "required") && smap_has(config, "optional"))
		return error_set(
			err, 400,
			"Cannot use both \"required\" and deprecated \"optional\" properties at the same time");
	if (is_root(config)) {
		if (source)
			return error_set(err, 400,
			                 "Root disk entry may not have a \"source\" property set");
		if (!pool)
			return error_set(err, 400,
			                 "Root disk entry must have a \"pool\" property set");
		if (smap_is_true(config, "recursive"))
			return error_set(
				err, 400,
				"The recursive option is only supported for additional bind-mounted paths");
		return 0;
	}

	if (!source)
		return error_set(
			err, 400,
			"Disk entry is missing the required \"source\" or \"path\" property");
	if (smap_get_or(config, "size", NULL))
		return error_set(err, 400, "Only the root disk may have a size quota");
	if (!path_is_absolute(path))
		return error_set(err, 400, "Path inside the instance must be absolute: \"%s\"",
		                 path);
	if (pool && path_is_absolute(source))
		return error_set(err, 400, "Storage volumes cannot be specified as absolute paths");
	if (pool && (strchr(source, '/') || strcmp(source, ".") == 0 || strcmp(source, "..") == 0))
		return error_set(err, 400, "Invalid volume name \"%s\"", source);
	if (pool && smap_is_true(config, "recursive"))
		return error_set(
			err, 400,
			"The recursive option is only supported for additional bind-mounted paths");
	if (!pool && !path_is_absolute(source))
		return error_set(err, 400, "Source path must be absolute: \"%s\"", source);
	return 0;
}

/* As the one who mounts it will: with the same refusals, but now and with a sentence. */
static int look(const struct device *dev, const char *source, bool is_volume, struct stat *ret_st)
{
	if (is_volume || !dev->source_within)
		return stat(source, ret_st) < 0 ? -errno : 0;

	scoped_fd int fd = path_open_within(dev->source_within, source, O_PATH);
	if (fd < 0)
		return fd;
	return fstat(fd, ret_st) < 0 ? -errno : 0;
}

static int start(const struct device *dev, struct run_config *run, struct error **err)
{
	const struct smap *config = dev->config;
	bool is_volume = smap_get_or(config, "pool", NULL);
	bool is_required =
		!parse_is_false(smap_get(config, "required")) && !smap_is_true(config, "optional");
	const char *source = is_volume ? dev->volume_path : smap_get_or(config, "source", "");
	struct stat st;

	if (is_root(config))
		return 0; /* The spec's rootfs_path. */
	if (!source)
		return error_set(err, 500, "Volume of device \"%s\" is not mounted", dev->name);
	int r = look(dev, source, is_volume, &st);
	if (r == -ELOOP || r == -EXDEV)
		return error_set(err, 403, "Source path \"%s\" of disk \"%s\" leads through a link",
		                 source, dev->name);
	if (r < 0) {
		if (r == -ENOENT && !is_required)
			return 0;
		return error_set(err, 400, "Missing source path \"%s\" for disk \"%s\"", source,
		                 dev->name);
	}
	if (S_ISBLK(st.st_mode) || S_ISCHR(st.st_mode))
		return error_set(err, 400, "Device nodes cannot be the source of disk \"%s\"",
		                 dev->name);

	struct run_mount *mount = run_config_add_mount(run);
	scoped_free char *target = path_clean(smap_get(config, "path"));
	const char *propagation = smap_get_or(config, "propagation", NULL);
	mount->source = xstrdup(source);
	mount->within = !is_volume && dev->source_within ? xstrdup(dev->source_within) : NULL;
	mount->target = xstrdup(target + strspn(target, "/"));
	mount->propagation =
		propagation && !str_equals(propagation, "private") ? xstrdup(propagation) : NULL;
	mount->is_file = !S_ISDIR(st.st_mode);
	mount->is_readonly = smap_is_true(config, "readonly");
	mount->is_recursive = smap_is_true(config, "recursive");
	mount->is_optional = !is_required;
	mount->shift = !dev->instance_is_privileged &&
	               (is_volume ? !dev->volume_is_shifted : smap_is_true(config, "shift"));
	return 0;
}

const struct device_driver disk_driver = {
	.type = "disk",
	.caps = DEVICE_CAP_HOTPLUG,
	.keys = keys,
	.validate = validate,
	.start = start,
};
