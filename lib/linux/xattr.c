#include "lib/linux/xattr.h"

#include <endian.h>
#include <errno.h>
#include <linux/capability.h>
#include <string.h>

#define ACL_VERSION 2
#define ACL_HEADER_SIZE 4
#define ACL_ENTRY_SIZE 8
#define ACL_TAG_USER 0x02
#define ACL_TAG_GROUP 0x08

static uint32_t get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return le32toh(v);
}

static void put32(uint8_t *p, uint32_t v)
{
	v = htole32(v);
	memcpy(p, &v, sizeof(v));
}

int xattr_acl_map(void *value, size_t size, xattr_map_id *map, void *arg)
{
	uint8_t *bytes = value;
	int changed = 0;

	if (size < ACL_HEADER_SIZE || (size - ACL_HEADER_SIZE) % ACL_ENTRY_SIZE != 0 ||
	    get32(bytes) != ACL_VERSION)
		return -EINVAL;

	for (size_t at = ACL_HEADER_SIZE; at < size; at += ACL_ENTRY_SIZE) {
		unsigned int tag = bytes[at] | (unsigned int)bytes[at + 1] << 8;
		uint32_t id;

		if (tag != ACL_TAG_USER && tag != ACL_TAG_GROUP)
			continue;
		uint32_t before = get32(bytes + at + 4);
		if (!map(tag == ACL_TAG_USER, before, &id, arg) || id == before)
			continue;
		put32(bytes + at + 4, id);
		changed = 1;
	}
	return changed;
}

int xattr_capability_map(void *value, size_t *size, xattr_map_id *map, void *arg)
{
	uint8_t *bytes = value;
	uint32_t before = 0, after;

	if (*size != XATTR_CAPS_SZ_2 && *size != XATTR_CAPS_SZ_3)
		return -EINVAL;

	uint32_t magic = get32(bytes);
	uint32_t revision = magic & VFS_CAP_REVISION_MASK;
	if (revision == VFS_CAP_REVISION_3 && *size == XATTR_CAPS_SZ_3)
		before = get32(bytes + XATTR_CAPS_SZ_2);
	else if (revision != VFS_CAP_REVISION_2 || *size != XATTR_CAPS_SZ_2)
		return -EINVAL;

	if (!map(true, before, &after, arg) || after == before)
		return 0;

	revision = after == 0 ? VFS_CAP_REVISION_2 : VFS_CAP_REVISION_3;
	put32(bytes, (magic & ~(uint32_t)VFS_CAP_REVISION_MASK) | revision);
	*size = after == 0 ? XATTR_CAPS_SZ_2 : XATTR_CAPS_SZ_3;
	if (after != 0)
		put32(bytes + XATTR_CAPS_SZ_2, after);
	return 1;
}
