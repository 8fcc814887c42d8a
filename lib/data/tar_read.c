#include "lib/data/tar_read.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/array.h"
#include "lib/base/date.h"
#include "lib/base/str.h"
#include "lib/base/strbuf.h"
#include "lib/data/libarchive.h"

#define BLOCK_SIZE ((size_t)64 * 1024)

struct tar_reader {
	struct archive *archive;
	struct tar_entry entry;
	ARRAY_OF(struct tar_xattr) xattrs;
	struct strbuf acl_access, acl_default;
};

static int fail(struct tar_reader *r, struct error **err)
{
	const char *problem = libarchive.error_string(r->archive);

	return error_set(err, 400, "Invalid archive: %s", problem ? problem : "unknown problem");
}

int tar_read_open(int fd, struct tar_reader **ret, struct error **err)
{
	scoped(tar_read_closep) struct tar_reader *r = xcalloc(1, sizeof(*r));

	int code = libarchive_load(err);
	if (code < 0)
		return code;
	r->archive = libarchive.read_new();
	if (!r->archive)
		abort();

	/* One by one: "all" has filters that run programs. */
	libarchive.read_support_filter_gzip(r->archive);
	libarchive.read_support_filter_bzip2(r->archive);
	libarchive.read_support_filter_xz(r->archive);
	libarchive.read_support_filter_lzma(r->archive);
	libarchive.read_support_filter_zstd(r->archive);
	libarchive.read_support_format_tar(r->archive);
	if (libarchive.read_open_fd(r->archive, fd, BLOCK_SIZE) < ARCHIVE_WARN)
		return fail(r, err);

	*ret = TAKE_PTR(r);
	return 0;
}

/* Appends the lines of one tag. Names without a number mean nothing here: they are left out. */
static void read_acl_tag(struct archive_entry *e, int wanted, int wanted_tag, const char *word,
                         struct strbuf *b)
{
	bool has_id = wanted_tag == ARCHIVE_ENTRY_ACL_USER || wanted_tag == ARCHIVE_ENTRY_ACL_GROUP;
	int type, perm, tag, id;
	const char *name;

	libarchive.entry_acl_reset(e, wanted);
	while (libarchive.entry_acl_next(e, wanted, &type, &perm, &tag, &id, &name) == ARCHIVE_OK) {
		if (tag != wanted_tag || (has_id && id < 0))
			continue;

		strbuf_addf(b, "%s%s:", b->size ? "," : "", word);
		if (has_id)
			strbuf_addf(b, "%d", id);
		strbuf_addf(b, ":%c%c%c", perm & ARCHIVE_ENTRY_ACL_READ ? 'r' : '-',
		            perm & ARCHIVE_ENTRY_ACL_WRITE ? 'w' : '-',
		            perm & ARCHIVE_ENTRY_ACL_EXECUTE ? 'x' : '-');
	}
}

/* Yields the ACL as text borrowed from 'b', or NULL if there is none. */
static const char *read_acl(struct archive_entry *e, int wanted, struct strbuf *b)
{
	/* clang-format off */
	static const struct {
		int tag;
		const char *word;
	} tags[] = { /* In the order of acl(5). */
		{ ARCHIVE_ENTRY_ACL_USER_OBJ, "user" },
		{ ARCHIVE_ENTRY_ACL_USER, "user" },
		{ ARCHIVE_ENTRY_ACL_GROUP_OBJ, "group" },
		{ ARCHIVE_ENTRY_ACL_GROUP, "group" },
		{ ARCHIVE_ENTRY_ACL_MASK, "mask" },
		{ ARCHIVE_ENTRY_ACL_OTHER, "other" },
	};
	/* clang-format on */

	strbuf_truncate(b, 0);
	if (libarchive.entry_acl_reset(e, wanted) <= 0)
		return NULL;

	for (size_t i = 0; i < COUNT_OF(tags); i++)
		read_acl_tag(e, wanted, tags[i].tag, tags[i].word, b);
	return b->size ? b->text : NULL;
}

/* Archives of libarchive hold them in two forms. */
static bool has_xattr(const struct tar_reader *r, const char *name)
{
	for (size_t i = 0; i < r->xattrs.n_items; i++)
		if (strcmp(r->xattrs.items[i].name, name) == 0)
			return true;

	return false;
}

static void read_xattrs(struct tar_reader *r, struct archive_entry *e)
{
	const char *name;
	const void *value;
	size_t size;

	r->xattrs.n_items = 0;
	libarchive.entry_xattr_reset(e);
	while (libarchive.entry_xattr_next(e, &name, &value, &size) == ARCHIVE_OK)
		if (name && !has_xattr(r, name))
			ARRAY_ADD(&r->xattrs, (struct tar_xattr){ name, value, size });
}

static int fill_entry(struct tar_reader *r, struct archive_entry *e, struct error **err)
{
	const char *hardlink = libarchive.entry_hardlink(e);

	read_xattrs(r, e);
	r->entry = (struct tar_entry){
		.path = libarchive.entry_pathname(e),
		.hardlink = hardlink,
		.symlink = hardlink ? NULL : libarchive.entry_symlink(e),
		.mode = hardlink ? libarchive.entry_perm(e) : libarchive.entry_mode(e),
		.uid = (uint32_t)libarchive.entry_uid(e),
		.gid = (uint32_t)libarchive.entry_gid(e),
		.size = libarchive.entry_size_is_set(e) ? (uint64_t)libarchive.entry_size(e) : 0,
		.rdev = libarchive.entry_rdev(e),
		.acl_access = read_acl(e, ARCHIVE_ENTRY_ACL_TYPE_ACCESS, &r->acl_access),
		.acl_default = read_acl(e, ARCHIVE_ENTRY_ACL_TYPE_DEFAULT, &r->acl_default),
		.xattrs = r->xattrs.items,
		.n_xattrs = r->xattrs.n_items,
	};
	if (str_is_empty(r->entry.path))
		return error_set(err, 400, "Invalid archive: entry without a name");
	if (libarchive.entry_uid(e) < 0 || libarchive.entry_uid(e) >= UINT32_MAX ||
	    libarchive.entry_gid(e) < 0 || libarchive.entry_gid(e) >= UINT32_MAX)
		return error_set(err, 400, "Invalid archive: bad owner of \"%s\"", r->entry.path);
	if (libarchive.entry_size_is_set(e) && libarchive.entry_size(e) < 0)
		return error_set(err, 400, "Invalid archive: bad size of \"%s\"", r->entry.path);

	int64_t mtime;
	if (__builtin_mul_overflow(libarchive.entry_mtime(e), DATE_SECOND, &mtime) ||
	    __builtin_add_overflow(mtime, libarchive.entry_mtime_nsec(e), &mtime))
		mtime = 0;
	r->entry.mtime = mtime;
	return 0;
}

int tar_read_next(struct tar_reader *r, const struct tar_entry **ret, struct error **err)
{
	struct archive_entry *e;
	int result = libarchive.read_next_header(r->archive, &e);

	if (result == ARCHIVE_EOF)
		return 0;

	/* A warning is about something that was lost, as a name that is not UTF-8; the entry is
	 * there. */
	if (result < ARCHIVE_WARN)
		return fail(r, err);

	int code = fill_entry(r, e, err);
	if (code < 0)
		return code;

	*ret = &r->entry;
	return 1;
}

int tar_read_block(struct tar_reader *r, const void **ret, size_t *ret_size, int64_t *ret_offset,
                   struct error **err)
{
	la_int64_t offset;
	int result = libarchive.read_data_block(r->archive, ret, ret_size, &offset);

	if (result == ARCHIVE_EOF)
		return 0;
	if (result < ARCHIVE_WARN)
		return fail(r, err);

	*ret_offset = offset;
	return 1;
}

int tar_read_text(struct tar_reader *r, size_t max, char **ret, size_t *ret_size,
                  struct error **err)
{
	scoped(strbuf_done) struct strbuf b = { 0 };
	const void *data;
	size_t size = 0;
	int64_t offset = 0;
	int result;

	while ((result = tar_read_block(r, &data, &size, &offset, err)) > 0) {
		if (offset < 0 || (uint64_t)offset > max || size > max - (size_t)offset)
			return error_set(err, 400, "Invalid archive: \"%s\" is too large",
			                 r->entry.path);
		if ((size_t)offset < b.size)
			return error_set(err, 400, "Invalid archive: \"%s\" is out of order",
			                 r->entry.path);

		size_t hole = (size_t)offset - b.size;
		memset(strbuf_reserve(&b, hole), 0, hole);
		strbuf_advance(&b, hole);
		strbuf_add_n(&b, data, size);
	}
	if (result < 0)
		return result;

	*ret_size = b.size;
	*ret = strbuf_take(&b);
	return 0;
}

uint64_t tar_read_position(struct tar_reader *r)
{
	la_int64_t n = libarchive.filter_bytes(r->archive, -1);

	return n > 0 ? (uint64_t)n : 0;
}

void tar_read_close(struct tar_reader *r)
{
	if (!r)
		return;

	if (r->archive)
		libarchive.read_free(r->archive);
	ARRAY_DONE(&r->xattrs);
	strbuf_done(&r->acl_access);
	strbuf_done(&r->acl_default);
	free(r);
}
