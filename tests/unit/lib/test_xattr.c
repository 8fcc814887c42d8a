#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/macro.h"
#include "lib/linux/xattr.h"

static bool plus_1000(bool is_uid, uint32_t id, uint32_t *ret_id, void *arg)
{
	(void)is_uid;
	(void)arg;
	*ret_id = id + 1000;
	return true;
}

static bool minus_1000(bool is_uid, uint32_t id, uint32_t *ret_id, void *arg)
{
	(void)is_uid;
	(void)arg;
	*ret_id = id - 1000;
	return id >= 1000;
}

/* Version 2: owner, user 5, group, group 7, mask, others. */
static const uint8_t acl[] = {
	2,  0, 0, 0, 1,    0,    7,    0,    0xff, 0xff, 0xff, 0xff, 2,    0,    6,    0,    5, 0,
	0,  0, 4, 0, 5,    0,    0xff, 0xff, 0xff, 0xff, 8,    0,    4,    0,    7,    0,    0, 0,
	16, 0, 7, 0, 0xff, 0xff, 0xff, 0xff, 32,   0,    5,    0,    0xff, 0xff, 0xff, 0xff,
};

static void only_named_ids_of_an_acl_change(void **state)
{
	uint8_t value[sizeof(acl)];

	(void)state;
	memcpy(value, acl, sizeof(acl));
	assert_int_equal(xattr_acl_map(value, sizeof(value), plus_1000, NULL), 1);
	assert_int_equal(value[16] | value[17] << 8, 1005);
	assert_int_equal(value[32] | value[33] << 8, 1007);
	assert_int_equal(value[8], 0xff);
	assert_int_equal(value[40], 0xff);
	assert_int_equal(xattr_acl_map(value, sizeof(value), minus_1000, NULL), 1);
	assert_memory_equal(value, acl, sizeof(acl));
}

static void what_is_no_acl_is_refused(void **state)
{
	uint8_t value[sizeof(acl)];

	(void)state;
	memcpy(value, acl, sizeof(acl));
	assert_int_equal(xattr_acl_map(value, 3, plus_1000, NULL), -EINVAL);
	assert_int_equal(xattr_acl_map(value, sizeof(acl) - 1, plus_1000, NULL), -EINVAL);
	assert_int_equal(xattr_acl_map(value, 4, plus_1000, NULL), 0);
	value[0] = 3;
	assert_int_equal(xattr_acl_map(value, sizeof(acl), plus_1000, NULL), -EINVAL);
}

static void capabilities_name_their_root(void **state)
{
	/* Version 2, effective, CAP_NET_RAW. */
	static const uint8_t version_2[20] = { 1, 0, 0, 2, 0, 0x20 };
	uint8_t value[24] = { 0 };
	size_t size = sizeof(version_2);

	(void)state;
	memcpy(value, version_2, sizeof(version_2));
	assert_int_equal(xattr_capability_map(value, &size, plus_1000, NULL), 1);
	assert_int_equal(size, 24);
	assert_int_equal(value[3], 3);
	assert_int_equal(value[0], 1);
	assert_int_equal(value[20] | value[21] << 8, 1000);

	/* And back to what it was. */
	assert_int_equal(xattr_capability_map(value, &size, minus_1000, NULL), 1);
	assert_int_equal(size, 20);
	assert_memory_equal(value, version_2, sizeof(version_2));

	size = 12;
	assert_int_equal(xattr_capability_map(value, &size, plus_1000, NULL), -EINVAL);
	size = 24;
	assert_int_equal(xattr_capability_map(value, &size, plus_1000, NULL), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_named_ids_of_an_acl_change),
		cmocka_unit_test(what_is_no_acl_is_refused),
		cmocka_unit_test(capabilities_name_their_root),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
