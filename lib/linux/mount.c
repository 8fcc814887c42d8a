#include "lib/linux/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/base/alloc.h"
#include "lib/base/date.h"
#include "lib/base/file.h"
#include "lib/base/macro.h"
#include "lib/base/parse.h"
#include "lib/base/strbuf.h"
#include "lib/base/strv.h"
#include "lib/linux/idmap.h"

#define MOUNTINFO_MAX ((size_t)16 * 1024 * 1024)

struct mount_option {
	const char *word;
	unsigned long set, clear;
};

/* clang-format off */
static const struct mount_option generic_options[] = {
	{ "defaults",      0,              0 },
	{ "ro",            MS_RDONLY,      0 },
	{ "rw",            0,              MS_RDONLY },
	{ "nosuid",        MS_NOSUID,      0 },
	{ "suid",          0,              MS_NOSUID },
	{ "nodev",         MS_NODEV,       0 },
	{ "dev",           0,              MS_NODEV },
	{ "noexec",        MS_NOEXEC,      0 },
	{ "exec",          0,              MS_NOEXEC },
	{ "sync",          MS_SYNCHRONOUS, 0 },
	{ "async",         0,              MS_SYNCHRONOUS },
	{ "dirsync",       MS_DIRSYNC,     0 },
	{ "remount",       MS_REMOUNT,     0 },
	{ "mand",          MS_MANDLOCK,    0 },
	{ "nomand",        0,              MS_MANDLOCK },
	{ "noatime",       MS_NOATIME,     0 },
	{ "atime",         0,              MS_NOATIME },
	{ "nodiratime",    MS_NODIRATIME,  0 },
	{ "diratime",      0,              MS_NODIRATIME },
	{ "relatime",      MS_RELATIME,    0 },
	{ "norelatime",    0,              MS_RELATIME },
	{ "strictatime",   MS_STRICTATIME, 0 },
	{ "nostrictatime", 0,              MS_STRICTATIME },
	{ "lazytime",      MS_LAZYTIME,    0 },
	{ "nolazytime",    0,              MS_LAZYTIME },
};
/* clang-format on */

static int negative(int r)
{
	return r < 0 ? -errno : r;
}

static void entry_done(struct mount_entry *entry)
{
	free(entry->root);
	free(entry->target);
	free(entry->options);
	free(entry->fstype);
	free(entry->source);
	free(entry->fs_options);
}

void mount_table_done(struct mount_table *table)
{
	for (size_t i = 0; i < table->n_entries; i++)
		entry_done(&table->entries[i]);
	free(table->entries);
	*table = (struct mount_table){ 0 };
}

/* The kernel writes space, tab, line break and backslash as three octal digits. */
static char *unescape(const char *s)
{
	char *result = xmalloc(strlen(s) + 1);
	size_t n = 0;

	while (*s) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' &&
		    s[3] >= '0' && s[3] <= '7') {
			result[n++] = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
			s += 4;
		} else {
			result[n++] = *s++;
		}
	}
	result[n] = '\0';
	return result;
}

static bool parse_device(char *text, struct mount_entry *entry)
{
	char *colon = strchr(text, ':');
	uint32_t major, minor;

	if (!colon)
		return false;
	*colon = '\0';
	if (parse_uint32(text, &major) < 0 || parse_uint32(colon + 1, &minor) < 0)
		return false;
	entry->major = major;
	entry->minor = minor;
	return true;
}

/* "36 35 98:0 / /mnt rw,noatime shared:1 - ext4 /dev/vda rw": optional fields end with the dash. */
static int parse_line(const char *line, struct mount_entry *ret_entry)
{
	scoped(strv_freep) char **words = strv_split(line, ' ');
	struct mount_entry entry = { 0 };
	size_t n = strv_len(words);
	size_t dash = 6;

	while (dash < n && strcmp(words[dash], "-") != 0)
		dash++;
	if (n < 10 || dash + 3 >= n)
		return -EINVAL;
	if (parse_uint32(words[0], &entry.id) < 0 || parse_uint32(words[1], &entry.parent) < 0 ||
	    !parse_device(words[2], &entry))
		return -EINVAL;

	entry.root = unescape(words[3]);
	entry.target = unescape(words[4]);
	entry.options = xstrdup(words[5]);
	entry.fstype = unescape(words[dash + 1]);
	entry.source = unescape(words[dash + 2]);
	entry.fs_options = xstrdup(words[dash + 3]);
	*ret_entry = entry;
	return 0;
}

int mount_table_parse(const char *text, struct mount_table *ret_table)
{
	scoped(strv_freep) char **lines = strv_split(text, '\n');
	struct mount_table table = { 0 };

	table.entries = xcalloc(strv_len(lines) + 1, sizeof(*table.entries));
	STRV_FOREACH (line, lines) {
		if (*line == '\0')
			continue;

		int r = parse_line(line, &table.entries[table.n_entries]);
		if (r < 0) {
			mount_table_done(&table);
			return r;
		}
		table.n_entries++;
	}
	*ret_table = table;
	return 0;
}

int mount_table_read(struct mount_table *ret_table)
{
	scoped_free char *text = NULL;

	int r = file_read("/proc/thread-self/mountinfo", MOUNTINFO_MAX, &text, NULL);
	if (r < 0)
		return r;
	return mount_table_parse(text, ret_table);
}

const struct mount_entry *mount_table_find(const struct mount_table *table, const char *target)
{
	for (size_t i = table->n_entries; i-- > 0;)
		if (strcmp(table->entries[i].target, target) == 0)
			return &table->entries[i];

	return NULL;
}

int mount_is_mountpoint(const char *path)
{
	struct statx stx;

	if (statx(AT_FDCWD, path, AT_NO_AUTOMOUNT | AT_SYMLINK_NOFOLLOW, 0, &stx) < 0)
		return -errno;
	if (stx.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT)
		return (stx.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;

	/* Before Linux 5.8. */
	struct mount_table table;
	int r = mount_table_read(&table);
	if (r < 0)
		return r;
	r = mount_table_find(&table, path) != NULL;
	mount_table_done(&table);
	return r;
}

static const struct mount_option *find_option(const char *word)
{
	for (size_t i = 0; i < COUNT_OF(generic_options); i++)
		if (strcmp(generic_options[i].word, word) == 0)
			return &generic_options[i];

	return NULL;
}

int mount_parse_options(const char *options, unsigned long *ret_flags, char **ret_data)
{
	scoped(strv_freep) char **words = NULL;
	scoped(strbuf_done) struct strbuf data = { 0 };
	unsigned long flags = 0;

	for (const char *c = options; c && *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f || *c == '\\')
			return -EINVAL;

	words = strv_split_trimmed(options ? options : "", ',');
	STRV_FOREACH (word, words) {
		const struct mount_option *option = find_option(word);

		if (option) {
			flags = (flags & ~option->clear) | option->set;
			continue;
		}
		if (data.size > 0)
			strbuf_add_char(&data, ',');
		strbuf_add(&data, word);
	}

	*ret_flags = flags;
	*ret_data = data.size > 0 ? strbuf_take(&data) : NULL;
	return 0;
}

int mount_filesystem(const char *source, const char *target, const char *fstype,
                     const char *options)
{
	scoped_free char *data = NULL;
	unsigned long flags;

	int r = mount_parse_options(options, &flags, &data);
	if (r < 0)
		return r;
	return negative(mount(source, target, fstype, flags, data));
}

int mount_bind(const char *source, const char *target, bool recursive)
{
	return negative(mount(source, target, NULL, MS_BIND | (recursive ? MS_REC : 0UL), NULL));
}

/* Clones the mount of 'source' with 'attr' applied, and only then attaches it to 'target'. */
static int bind_with_attributes(const char *source, const char *target, struct mount_attr *attr)
{
	scoped_fd int tree = open_tree(AT_FDCWD, source, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (tree < 0)
		return -errno;
	if (mount_setattr(tree, "", AT_EMPTY_PATH, attr, sizeof(*attr)) < 0)
		return -errno;
	if (!target)
		return 0;
	return negative(move_mount(tree, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH));
}

int mount_bind_readonly(const char *source, const char *target)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };

	return bind_with_attributes(source, target, &attr);
}

int mount_bind_idmapped(const char *source, const char *target, int userns_fd, bool readonly)
{
	struct mount_attr attr = {
		.attr_set = MOUNT_ATTR_IDMAP | (readonly ? MOUNT_ATTR_RDONLY : 0),
		.userns_fd = (uint64_t)userns_fd,
	};

	return bind_with_attributes(source, target, &attr);
}

int mount_can_idmap(const char *path)
{
	static const struct idmap_entry entry = { true, true, 1000000, 0, 65536 };
	scoped(idmap_done) struct idmap map = { 0 };

	int r = idmap_add(&map, &entry);
	if (r < 0)
		return r;

	scoped_fd int userns = idmap_userns_open(&map);
	if (userns < 0)
		return userns == -EINVAL || userns == -ENOSYS || userns == -ENOSPC ? 0 : userns;

	r = mount_bind_idmapped(path, NULL, userns, false);
	if (r == -EINVAL || r == -ENOSYS || r == -EOPNOTSUPP || r == -EPERM)
		return 0;
	return r < 0 ? r : 1;
}

int mount_make_private(const char *target)
{
	return negative(mount(NULL, target, NULL, MS_PRIVATE | MS_REC, NULL));
}

static int unmount_all(const char *target, int flags, int64_t deadline)
{
	for (;;) {
		if (umount2(target, flags | UMOUNT_NOFOLLOW) == 0)
			continue;
		/* Not a mount point, or not there at all: nothing is mounted any more. */
		if (errno == EINVAL || errno == ENOENT)
			return 0;
		if (errno != EBUSY || date_monotonic() >= deadline)
			return -errno;
		/* Whoever holds it is usually about to let go; the kernel tells nobody when. */
		usleep(20000);
	}
}

int mount_remove(const char *target)
{
	return unmount_all(target, 0, date_deadline(1000));
}

int mount_detach(const char *target)
{
	return unmount_all(target, MNT_DETACH, 0);
}
