#include "drivers/storage/btrfs_quota.h"

#include <endian.h>
#include <errno.h>
#include <linux/btrfs.h>
#include <linux/btrfs_tree.h>
#include <string.h>
#include <sys/ioctl.h>

#include "drivers/storage/btrfs_subvol.h"
#include "lib/base/alloc.h"
#include "lib/base/scoped.h"

#define SEARCH_BUFFER 4096

int btrfs_quota_enable(int fd)
{
	struct btrfs_ioctl_quota_ctl_args args = { .cmd = BTRFS_QUOTA_CTL_ENABLE };

	/* -EINPROGRESS: on, and being counted. */
	if (ioctl(fd, BTRFS_IOC_QUOTA_CTL, &args) < 0 && errno != EINPROGRESS && errno != EEXIST)
		return -errno;
	return 0;
}

/*
 * Finds the item of one group in the tree of quotas and copies up to 'size' bytes of it. -ENOENT
 * if there is no such tree or item.
 */
static int find_item(int fd, uint32_t type, uint64_t group, void *ret, size_t size)
{
	scoped_free struct btrfs_ioctl_search_args_v2 *args =
		xcalloc(1, sizeof(*args) + SEARCH_BUFFER);
	struct btrfs_ioctl_search_header header;

	args->key = (struct btrfs_ioctl_search_key){
		.tree_id = BTRFS_QUOTA_TREE_OBJECTID,
		.min_type = type,
		.max_type = type,
		.min_offset = group,
		.max_offset = group,
		.max_transid = UINT64_MAX,
		.nr_items = 1,
	};
	args->buf_size = SEARCH_BUFFER;
	if (ioctl(fd, BTRFS_IOC_TREE_SEARCH_V2, args) < 0)
		return -errno;
	if (args->key.nr_items == 0)
		return -ENOENT;

	const char *found = (const char *)args->buf; /* Its type differs between headers. */
	memcpy(&header, found, sizeof(header));
	if (header.type != type || header.len < size || header.len > SEARCH_BUFFER - sizeof(header))
		return -ENOENT;
	memcpy(ret, found + sizeof(header), size);
	return 0;
}

int btrfs_quota_is_enabled(int fd)
{
	struct btrfs_qgroup_status_item status = { 0 };

	int r = find_item(fd, BTRFS_QGROUP_STATUS_KEY, 0, &status,
	                  offsetof(struct btrfs_qgroup_status_item, rescan));
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	return (le64toh(status.flags) & BTRFS_QGROUP_STATUS_FLAG_ON) != 0;
}

int btrfs_quota_set_limit(int fd, uint64_t bytes)
{
	struct btrfs_ioctl_qgroup_limit_args args = {
		.lim = {
			.flags = BTRFS_QGROUP_LIMIT_MAX_RFER,
			.max_rfer = bytes > 0 ? bytes : UINT64_MAX,
		},
	};
	uint64_t id = 0;

	int r = btrfs_subvol_id(fd, &id);
	if (r < 0)
		return r;
	args.qgroupid = id;
	return ioctl(fd, BTRFS_IOC_QGROUP_LIMIT, &args) < 0 ? -errno : 0;
}

int btrfs_quota_usage(int fd, uint64_t *ret_referenced, uint64_t *ret_exclusive,
                      uint64_t *ret_limit)
{
	struct btrfs_qgroup_info_item info = { 0 };
	struct btrfs_qgroup_limit_item limit = { 0 };
	uint64_t id = 0;

	int r = btrfs_subvol_id(fd, &id);
	if (r == 0)
		r = find_item(fd, BTRFS_QGROUP_INFO_KEY, id, &info, sizeof(info));
	if (r < 0)
		return r;

	*ret_limit = 0;
	r = find_item(fd, BTRFS_QGROUP_LIMIT_KEY, id, &limit, sizeof(limit));
	if (r < 0 && r != -ENOENT)
		return r;
	if (r == 0 && (le64toh(limit.flags) & BTRFS_QGROUP_LIMIT_MAX_RFER) &&
	    le64toh(limit.max_rfer) != UINT64_MAX)
		*ret_limit = le64toh(limit.max_rfer);
	*ret_referenced = le64toh(info.rfer);
	*ret_exclusive = le64toh(info.excl);
	return 0;
}

int btrfs_quota_forget(int fd, uint64_t subvol_id)
{
	struct btrfs_ioctl_qgroup_create_args args = { .create = 0, .qgroupid = subvol_id };

	return ioctl(fd, BTRFS_IOC_QGROUP_CREATE, &args) < 0 ? -errno : 0;
}
