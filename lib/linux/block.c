#include "lib/linux/block.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/alloc.h"
#include "lib/base/fd.h"
#include "lib/base/scoped.h"
#include "lib/base/str.h"

#define WIPE_SIZE (UINT64_C(4) * 1024 * 1024)
#define LOOP_TRIES 64

bool block_is_device(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISBLK(st.st_mode);
}

int block_size(const char *path, uint64_t *ret_size)
{
	scoped_fd int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || ioctl(fd, BLKGETSIZE64, ret_size) < 0)
		return -errno;
	return 0;
}

static int write_zeroes(int fd, uint64_t offset, uint64_t size)
{
	static const char zeroes[65536];

	while (size > 0) {
		size_t n = size < sizeof(zeroes) ? (size_t)size : sizeof(zeroes);
		ssize_t written = pwrite(fd, zeroes, n, (off_t)offset);

		if (written < 0)
			return -errno;
		offset += (uint64_t)written;
		size -= (uint64_t)written;
	}
	return 0;
}

int block_wipe(const char *path)
{
	uint64_t size = 0;

	int r = block_size(path, &size);
	if (r < 0)
		return r;

	scoped_fd int fd = open(path, O_WRONLY | O_EXCL | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	uint64_t head = size < WIPE_SIZE ? size : WIPE_SIZE;
	r = write_zeroes(fd, 0, head);
	if (r == 0)
		r = write_zeroes(fd, size - head, head);
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	return r;
}

/* 0 with the device's fd, -EBUSY if somebody else was faster. */
static int try_loop(int control, int backing, const char *file, char **ret_device)
{
	int number = ioctl(control, LOOP_CTL_GET_FREE);
	if (number < 0)
		return -errno;

	scoped_free char *device = xasprintf("/dev/loop%d", number);
	scoped_fd int fd = open(device, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;

	struct loop_config config = {
		.fd = (uint32_t)backing,
		.info = { .lo_flags = LO_FLAGS_AUTOCLEAR | LO_FLAGS_DIRECT_IO },
	};
	/* Only for those who list loop devices; the kernel knows the file by itself. */
	snprintf((char *)config.info.lo_file_name, LO_NAME_SIZE, "%.*s", LO_NAME_SIZE - 1, file);

	int r = ioctl(fd, LOOP_CONFIGURE, &config);
	if (r < 0 && errno == EINVAL) {
		/* The filesystem of the file cannot do direct I/O. */
		config.info.lo_flags &= ~(uint32_t)LO_FLAGS_DIRECT_IO;
		r = ioctl(fd, LOOP_CONFIGURE, &config);
	}
	if (r < 0)
		return -errno;

	*ret_device = TAKE_PTR(device);
	return TAKE_FD(fd);
}

int block_loop_attach(const char *file, char **ret_device)
{
	scoped_fd int backing = open(file, O_RDWR | O_CLOEXEC);
	if (backing < 0)
		return -errno;
	scoped_fd int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	if (control < 0)
		return -errno;

	int r = -EBUSY;
	for (int i = 0; i < LOOP_TRIES && r == -EBUSY; i++)
		r = try_loop(control, backing, file, ret_device);
	return r;
}

/* Whether the loop device 'name' (as in /sys/block) has the file with 'st' behind it. */
static bool loop_is_of(const char *name, const struct stat *st)
{
	scoped_free char *device = xasprintf("/dev/%s", name);
	struct loop_info64 info;

	scoped_fd int fd = open(device, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || ioctl(fd, LOOP_GET_STATUS64, &info) < 0)
		return false;
	return info.lo_device == st->st_dev && info.lo_inode == st->st_ino;
}

int block_loop_find(const char *file, char **ret_device)
{
	struct stat st;
	struct dirent *entry;
	int r = -ENOENT;

	if (stat(file, &st) < 0)
		return -errno;
	DIR *dir = opendir("/sys/block");
	if (!dir)
		return -errno;

	while (r < 0 && (entry = readdir(dir))) {
		if (!str_starts(entry->d_name, "loop") || !loop_is_of(entry->d_name, &st))
			continue;
		*ret_device = xasprintf("/dev/%s", entry->d_name);
		r = 0;
	}
	closedir(dir);
	return r;
}

int block_loop_refresh(const char *device)
{
	scoped_fd int fd = open(device, O_RDWR | O_CLOEXEC);

	if (fd < 0 || ioctl(fd, LOOP_SET_CAPACITY) < 0)
		return -errno;
	return 0;
}
