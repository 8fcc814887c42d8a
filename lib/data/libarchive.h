/*
 * libarchive, loaded when the first archive is read or written.
 *
 * With what it loads itself (libxml2, ICU, the C++ library) it costs a process 1.3 MiB and a third
 * of its start, and the daemon seldom needs it: archives are unpacked by a helper. The functions
 * have the names and types of <archive.h> without "archive_".
 */
#pragma once

#include <archive.h>
#include <archive_entry.h>

#include "lib/base/error.h"

/* clang-format off */
#define LIBARCHIVE_FUNCTIONS(X) \
	X(clear_error) \
	X(entry_acl_from_text) \
	X(entry_acl_next) \
	X(entry_acl_reset) \
	X(entry_copy_hardlink) \
	X(entry_copy_pathname) \
	X(entry_copy_symlink) \
	X(entry_free) \
	X(entry_gid) \
	X(entry_hardlink) \
	X(entry_mode) \
	X(entry_mtime) \
	X(entry_mtime_nsec) \
	X(entry_new) \
	X(entry_pathname) \
	X(entry_perm) \
	X(entry_rdev) \
	X(entry_set_gid) \
	X(entry_set_mode) \
	X(entry_set_mtime) \
	X(entry_set_rdev) \
	X(entry_set_size) \
	X(entry_set_uid) \
	X(entry_size) \
	X(entry_size_is_set) \
	X(entry_sparse_add_entry) \
	X(entry_symlink) \
	X(entry_uid) \
	X(entry_xattr_add_entry) \
	X(entry_xattr_next) \
	X(entry_xattr_reset) \
	X(error_string) \
	X(filter_bytes) \
	X(read_data_block) \
	X(read_free) \
	X(read_new) \
	X(read_next_header) \
	X(read_open_fd) \
	X(read_support_filter_bzip2) \
	X(read_support_filter_gzip) \
	X(read_support_filter_lzma) \
	X(read_support_filter_xz) \
	X(read_support_filter_zstd) \
	X(read_support_format_tar) \
	X(set_error) \
	X(write_add_filter_by_name) \
	X(write_close) \
	X(write_data) \
	X(write_fail) \
	X(write_free) \
	X(write_header) \
	X(write_new) \
	X(write_open) \
	X(write_set_bytes_in_last_block) \
	X(write_set_bytes_per_block) \
	X(write_set_filter_option) \
	X(write_set_format_option) \
	X(write_set_format_pax_restricted)
/* clang-format on */

#define LIBARCHIVE_MEMBER(name) __typeof__(&archive_##name) name;
struct libarchive {
	LIBARCHIVE_FUNCTIONS(LIBARCHIVE_MEMBER)
};
#undef LIBARCHIVE_MEMBER

/* Filled by libarchive_load(); read only. */
extern struct libarchive libarchive;

/*
 * Loads the library, once; it stays. Who gives up access to the file system calls it before. 500 if
 * it is not installed.
 */
int libarchive_load(struct error **err);
