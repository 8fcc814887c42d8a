/* Reading tar archives, compressed or not, entry by entry. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/base/error.h"
#include "lib/base/scoped.h"
#include "lib/data/tar.h"

struct tar_reader;

/*
 * Reads from the fd (borrowed) at its position. That it is no archive shows at the first entry.
 * compress_init_locale() must have been called.
 */
int tar_read_open(int fd, struct tar_reader **ret, struct error **err);

/* Yields 1 and the next entry, borrowed until the next call, or 0 at the end. 400 if it is
 * broken.
 */
int tar_read_next(struct tar_reader *r, const struct tar_entry **ret, struct error **err);

/*
 * The next piece of the entry's data: 1, or 0 at its end. Holes are not delivered: 'ret_offset'
 * says where in the file the piece belongs. Borrowed until the next call.
 */
int tar_read_block(struct tar_reader *r, const void **ret, size_t *ret_size, int64_t *ret_offset,
                   struct error **err);

/* All data of the entry with a NUL behind it, owned by the caller; 400 beyond 'max' bytes. */
int tar_read_text(struct tar_reader *r, size_t max, char **ret, size_t *ret_size,
                  struct error **err);

/* Bytes of the archive read so far, for progress. */
uint64_t tar_read_position(struct tar_reader *r);

void tar_read_close(struct tar_reader *r);
DEFINE_SCOPED(struct tar_reader *, tar_read_close);
