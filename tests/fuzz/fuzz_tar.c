/* Any bytes as an archive: no crash, and entries have names and sane sizes. */
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/base/fd.h"
#include "lib/data/compress.h"
#include "lib/data/tar_read.h"

#define MAX_ENTRIES 1000
#define MAX_TEXT (1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	scoped(error_freep) struct error *err = NULL;
	scoped(tar_read_closep) struct tar_reader *r = NULL;
	scoped_fd int fd = fd_memfd("tar");
	const struct tar_entry *entry;

	compress_init_locale();
	if (fd_write_full(fd, data, size) < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return 0;
	if (tar_read_open(fd, &r, &err) < 0)
		return 0;

	for (int i = 0; i < MAX_ENTRIES && tar_read_next(r, &entry, &err) > 0; i++) {
		char *text = NULL;
		size_t text_size;

		if (!entry->path || !*entry->path)
			abort();
		if (tar_read_text(r, MAX_TEXT, &text, &text_size, &err) < 0)
			break;
		if (text_size > MAX_TEXT)
			abort();
		free(text);
	}
	return 0;
}
