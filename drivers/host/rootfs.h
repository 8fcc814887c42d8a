/*
 * How the ids of an instance's root filesystem reach the container.
 *
 * Files of an image are stored with the ids that the image gives them. A container with an id map
 * must see them through that map, in one of two ways; which one is decided by daemon/storage when
 * it mounts the volume (storage_instance_mount) and handed to the instance driver in its spec.
 */
#pragma once

enum rootfs_shift {
	/* No map: the container is privileged, or the map is the same as on disk. */
	ROOTFS_SHIFT_NONE,

	/*
	 * The files on disk have the ids of the image, and the filesystem can be mounted with a
	 * map: the driver gives liblxc "lxc.rootfs.options = idmap=container". Nothing on disk
	 * changes, and "volatile.last_state.idmap" is "[]".
	 */
	ROOTFS_SHIFT_IDMAPPED,

	/*
	 * The files on disk have ids of the host already: daemon/storage shifted them before it
	 * handed out the path. The driver mounts as it is; the map that was applied is in
	 * "volatile.last_state.idmap".
	 */
	ROOTFS_SHIFT_ON_DISK,
};
