#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "drivers/device/device_driver.h"
#include "lib/base/smap.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/conf/conf.h"

/* "type=disk path=/" */
static void fill(struct smap *config, const char *text)
{
	scoped(strv_freep) char **words = strv_split_trimmed(text, ' ');

	STRV_FOREACH (word, words) {
		char *equals = word;
		while (*equals != '=')
			equals++;
		*equals = '\0';
		smap_set(config, word, equals + 1);
	}
}

static void good_devices_are_taken(void **state)
{
	(void)state;
	static const char *const good[] = {
		"type=disk path=/ pool=default",
		"type=disk path=/ pool=default size=10GiB",
		"type=disk path=/mnt source=/srv readonly=true recursive=true",
		"type=disk path=/mnt source=vol pool=default shift=true propagation=rslave",
		"type=nic nictype=bridged parent=br0 name=eth0 hwaddr=00:16:3e:00:00:01 mtu=1500",
		"type=nic nictype=p2p host_name=v0 user.note=x",
		"type=none",
	};

	for (size_t i = 0; i < COUNT_OF(good); i++) {
		scoped(smap_done) struct smap config = { 0 };
		scoped(error_freep) struct error *err = NULL;
		fill(&config, good[i]);
		if (device_driver_validate("dev0", &config, &err) < 0)
			fail_msg("%s: %s", good[i], err->msg);
	}
}

static void wrong_devices_are_refused(void **state)
{
	(void)state;
	static const char *const wrong[] = {
		"",
		"type=bogus",
		"type=nic",
		"type=nic nictype=bogus",
		"type=nic nictype=bridged",
		"type=nic nictype=bridged parent=a/b",
		"type=nic nictype=bridged parent=br0 hwaddr=xx",
		"type=nic nictype=bridged parent=br0 hwaddr=01:16:3e:00:00:01",
		"type=nic nictype=bridged parent=br0 mtu=1",
		"type=nic nictype=bridged parent=br0 name=toolongforalinkname",
		"type=nic nictype=bridged parent=br0 security.mac_filtering=true",
		"type=nic nictype=p2p parent=br0",
		"type=disk",
		"type=disk path=/",
		"type=disk path=/ pool=default source=x",
		"type=disk path=mnt source=/srv",
		"type=disk path=/mnt",
		"type=disk path=/mnt source=srv",
		"type=disk path=/mnt source=/srv pool=default",
		"type=disk path=/mnt source=. pool=default",
		"type=disk path=/mnt source=.. pool=default",
		"type=disk path=/mnt source=a/b pool=default",
		"type=disk path=/mnt source=../a pool=default",
		"type=disk path=/../etc source=/srv",
		"type=disk path=/mnt source=/srv size=1GiB",
		"type=disk path=/mnt source=/srv propagation=bogus",
		"type=disk path=/mnt source=/srv bogus=1",
		"type=none path=/",
	};

	for (size_t i = 0; i < COUNT_OF(wrong); i++) {
		scoped(smap_done) struct smap config = { 0 };
		scoped(error_freep) struct error *err = NULL;
		fill(&config, wrong[i]);
		if (device_driver_validate("dev0", &config, &err) == 0)
			fail_msg("%s was taken", wrong[i]);
		assert_int_equal(err->status, 400);
	}
}

static void names_are_checked(void **state)
{
	(void)state;
	assert_true(device_driver_is_valid_name("eth0"));
	assert_true(device_driver_is_valid_name("root"));
	assert_false(device_driver_is_valid_name(""));
	assert_false(device_driver_is_valid_name(".."));
	assert_false(device_driver_is_valid_name("a/b"));
	assert_false(device_driver_is_valid_name("a\nb"));
	assert_false(device_driver_is_valid_name("a b"));
}

static void control_characters_never_get_through(void **state)
{
	(void)state;
	scoped(smap_done) struct smap config = { 0 };
	scoped(error_freep) struct error *err = NULL;

	fill(&config, "type=disk source=/");
	smap_set(&config, "path", "/mnt\nx");
	assert_true(device_driver_validate("d", &config, &err) < 0);

	/* Even if nobody validated. */
	scoped(smap_done) struct smap none = { 0 };
	scoped(error_freep) struct error *late = NULL;
	struct run_config *run = NULL;
	const struct device dev = { .project = "default",
		                    .instance = "c1",
		                    .name = "d",
		                    .config = &config,
		                    .volatile_config = &none };
	assert_true(device_driver_start(&dev, &run, &late) < 0);
	assert_null(run);
}

static void hardware_addresses_stay(void **state)
{
	(void)state;
	scoped(smap_done) struct smap config = { 0 }, kept = { 0 };
	scoped(error_freep) struct error *err = NULL;
	const struct device dev = { .project = "default",
		                    .instance = "c1",
		                    .name = "eth0",
		                    .config = &config,
		                    .volatile_config = &kept };
	struct run_config *run = NULL;

	fill(&config, "type=nic nictype=p2p");
	assert_int_equal(device_driver_volatile(&dev, &err), 0);
	assert_true(str_starts(smap_get(&kept, "hwaddr"), "00:16:3e:"));
	assert_true(str_starts(smap_get(&kept, "host_name"), "veth"));
	assert_int_equal(device_driver_start(&dev, &run, &err), 0);
	assert_int_equal(run->n_links, 1);
	assert_string_equal(run->links[0].hwaddr, smap_get(&kept, "hwaddr"));
	assert_string_equal(run->links[0].name, "eth0");
	run_config_free(run);

	struct device by_mac = dev;
	by_mac.is_named_by_mac = true;
	smap_unset(&kept, "host_name");
	smap_set(&kept, "hwaddr", "00:16:3e:0a:Bc:01");
	assert_int_equal(device_driver_volatile(&by_mac, &err), 0);
	assert_string_equal(smap_get(&kept, "host_name"), "lxd00163e0abc01");
}

static void tables_are_complete(void **state)
{
	(void)state;
	for (const struct device_driver *const *d = device_drivers; *d; d++) {
		assert_non_null((*d)->type);
		for (const struct conf_key *key = (*d)->keys; key->name; key++)
			assert_non_null(key->doc);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_devices_are_taken),
		cmocka_unit_test(wrong_devices_are_refused),
		cmocka_unit_test(names_are_checked),
		cmocka_unit_test(control_characters_never_get_through),
		cmocka_unit_test(hardware_addresses_stay),
		cmocka_unit_test(tables_are_complete),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
