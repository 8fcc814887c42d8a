/*
 * Extended attributes that hold ids: POSIX ACLs and file capabilities, as the kernel stores them.
 *
 * Pure: these functions change values in memory. Both formats are little-endian on every machine.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define XATTR_ACL_ACCESS "system.posix_acl_access"
#define XATTR_ACL_DEFAULT "system.posix_acl_default"
#define XATTR_CAPABILITY "security.capability"

/* The largest value of either that can be (an ACL of 8,191 entries). */
#define XATTR_VALUE_MAX 65536

/* The new value of an id; returns false to leave it as it is. */
typedef bool xattr_map_id(bool is_uid, uint32_t id, uint32_t *ret_id, void *arg);

/*
 * Changes the ids of named users and groups in an ACL in place. Returns 1 if anything changed, 0 if
 * not, -EINVAL if it is not an ACL.
 */
int xattr_acl_map(void *value, size_t size, xattr_map_id *map, void *arg);

/*
 * Changes the root id of a file capability. One of version 2 belongs to root of the host, id 0;
 * version 3 names the id. 'value' has room for 24 bytes, '*size' says how many count and is
 * updated. Returns as xattr_acl_map().
 */
int xattr_capability_map(void *value, size_t *size, xattr_map_id *map, void *arg);
