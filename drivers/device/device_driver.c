#include "drivers/device/device_driver.h"

#include <errno.h>
#include <string.h>

#include "drivers/device/disk.h"
#include "drivers/device/nic_bridged.h"
#include "drivers/device/nic_p2p.h"
#include "drivers/device/none.h"
#include "lib/base/smap.h"
#include "lib/base/str.h"
#include "lib/conf/conf.h"

const struct device_driver *const device_drivers[] = {
	&disk_driver, &nic_bridged, &nic_p2p, &none_driver, NULL,
};

bool device_driver_is_valid_name(const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || len > 64 || str_equals(name, ".") || str_equals(name, ".."))
		return false;
	for (const unsigned char *c = (const unsigned char *)name; *c; c++) {
		if (*c <= ' ' || *c >= 0x7f || *c == '/')
			return false;
	}

	return true;
}

const struct device_driver *device_driver_find(const char *name, const struct smap *config,
                                               struct error **err)
{
	const char *type = smap_get_or(config, "type", NULL);
	const char *nictype = smap_get_or(config, "nictype", NULL);
	bool is_known = false;

	if (!type) {
		error_set(err, 400, "Missing device type in config for device \"%s\"", name);
		return NULL;
	}
	for (const struct device_driver *const *d = device_drivers; *d; d++) {
		if (!str_equals((*d)->type, type))
			continue;
		is_known = true;
		if (!(*d)->nictype || str_equals((*d)->nictype, nictype))
			return *d;
	}

	if (!is_known)
		error_set(err, 400, "Unsupported device type \"%s\" for device \"%s\"", type, name);
	else if (nictype)
		error_set(err, 400, "Unsupported nictype \"%s\" for device \"%s\"", nictype, name);
	else if (smap_get_or(config, "network", NULL))
		error_set(err, 400, "Network \"%s\" of device \"%s\" not found",
		          smap_get(config, "network"), name);
	else
		error_set(err, 400, "Missing \"nictype\" or \"network\" of device \"%s\"", name);
	return NULL;
}

static int check_keys(const struct device_driver *driver, const struct smap *config,
                      struct error **err)
{
	SMAP_FOREACH (e, config) {
		bool is_selector = str_equals(e->key, "type") || str_equals(e->key, "nictype");
		const struct conf_key *row = conf_find(driver->keys, e->key);

		/* Users keep notes of their own in devices. */
		if ((is_selector && (driver->nictype || str_equals(e->key, "type"))) ||
		    str_starts(e->key, "user."))
			continue;
		if (!row)
			return error_set(err, 400, "Invalid device option \"%s\"", e->key);
		if (!*e->value)
			continue;
		int r = conf_validate_value(row, e->key, e->value, err);
		if (r < 0)
			return r;
	}

	return 0;
}

static int check_required(const struct device_driver *driver, const struct smap *config,
                          struct error **err)
{
	for (const struct conf_key *key = driver->keys; key->name; key++) {
		if (key->flags & CONF_REQUIRED && !smap_get_or(config, key->name, NULL))
			return error_set(err, 400, "Missing required \"%s\" property", key->name);
	}

	return 0;
}

int device_driver_validate(const char *name, const struct smap *config, struct error **err)
{
	if (!device_driver_is_valid_name(name))
		return error_set(err, 400, "Invalid device name \"%s\"", name);
	const struct device_driver *driver = device_driver_find(name, config, err);
	if (!driver)
		return -EINVAL;

	int r = check_keys(driver, config, err);
	if (r == 0)
		r = check_required(driver, config, err);
	if (r == 0 && driver->validate)
		r = driver->validate(name, config, err);
	if (r < 0)
		return error_wrap(err, "Device validation failed for \"%s\"", name);
	return 0;
}

int device_driver_volatile(const struct device *dev, struct error **err)
{
	const struct device_driver *driver = device_driver_find(dev->name, dev->config, err);

	if (!driver)
		return -EINVAL;
	return driver->fill_volatile ? driver->fill_volatile(dev, err) : 0;
}

/* Whatever the items are for, a control character in them has no honest use. */
static bool is_plain(const char *text)
{
	for (const unsigned char *c = (const unsigned char *)text; c && *c; c++) {
		if (*c < ' ' || *c == 0x7f)
			return false;
	}

	return true;
}

static bool run_is_plain(const struct run_config *run)
{
	bool good = true;

	for (size_t i = 0; i < run->n_mounts; i++)
		good = good && is_plain(run->mounts[i].source) && is_plain(run->mounts[i].within) &&
		       is_plain(run->mounts[i].target) && is_plain(run->mounts[i].options) &&
		       is_plain(run->mounts[i].propagation);
	for (size_t i = 0; i < run->n_links; i++)
		good = good && is_plain(run->links[i].parent) && is_plain(run->links[i].name) &&
		       is_plain(run->links[i].host_name) && is_plain(run->links[i].hwaddr);
	for (size_t i = 0; i < run->n_nodes; i++)
		good = good && is_plain(run->nodes[i].source) && is_plain(run->nodes[i].target);
	return good;
}

int device_driver_start(const struct device *dev, struct run_config **ret_run, struct error **err)
{
	const struct device_driver *driver = device_driver_find(dev->name, dev->config, err);
	scoped(run_config_freep) struct run_config *run = run_config_new(dev->name);

	if (!driver)
		return -EINVAL;
	int r = driver->start ? driver->start(dev, run, err) : 0;
	if (r < 0)
		return error_wrap(err, "Failed to start device \"%s\"", dev->name);
	if (!run_is_plain(run)) {
		if (driver->stop)
			driver->stop(dev, err);
		return error_set(err, 400, "Control character in device \"%s\"", dev->name);
	}

	*ret_run = TAKE_PTR(run);
	return 0;
}

int device_driver_stop(const struct device *dev, struct error **err)
{
	const struct device_driver *driver = device_driver_find(dev->name, dev->config, err);

	if (!driver)
		return -EINVAL;
	int r = driver->stop ? driver->stop(dev, err) : 0;
	return r < 0 ? error_wrap(err, "Failed to stop device \"%s\"", dev->name) : 0;
}

bool device_driver_can_hotplug(const struct smap *config)
{
	scoped(error_freep) struct error *err = NULL;
	const struct device_driver *driver = device_driver_find("", config, &err);

	return driver && driver->caps & DEVICE_CAP_HOTPLUG &&
	       !(str_equals(driver->type, "disk") && str_equals(smap_get(config, "path"), "/"));
}
