#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/alloc.h"
#include "lib/base/fd.h"
#include "lib/base/pump.h"
#include "lib/base/thread.h"

#define SIZE 1000000

struct feeder {
	int fd;
	const char *data;
};

static void *feed(void *arg)
{
	const struct feeder *f = arg;

	fd_write_full(f->fd, f->data, SIZE);
	close(f->fd);
	return NULL;
}

static void open_pair(bool is_socket, int ends[2])
{
	assert_int_equal(is_socket ? fd_socketpair(SOCK_STREAM, ends) : fd_pipe(ends), 0);
}

struct drain {
	int fd;
	char *data;
	size_t size;
	int code;
};

static void *drain(void *arg)
{
	struct drain *d = arg;

	d->code = fd_read_all(d->fd, SIZE_MAX, &d->data, &d->size);
	return NULL;
}

static void note(uint64_t bytes, void *arg)
{
	*(uint64_t *)arg = bytes;
}

static void all_pairs_of_fds_are_pumped(void **state)
{
	(void)state;
	scoped_free char *data = xmalloc(SIZE);

	for (size_t i = 0; i < SIZE; i++)
		data[i] = (char)(i * 7);
	for (int pair = 0; pair < 4; pair++) {
		int in[2], out[2];
		uint64_t seen = 0;
		const struct pump_options options = { .progress = note, .arg = &seen };
		pthread_t feeder, drainer;

		open_pair(pair & 1, in);
		open_pair(pair & 2, out);
		struct feeder f = { in[1], data };
		struct drain d = { .fd = out[0] };
		assert_int_equal(thread_start(&feeder, "feed", 0, feed, &f), 0);
		assert_int_equal(thread_start(&drainer, "drain", 0, drain, &d), 0);
		assert_int_equal(pump_run(in[0], out[1], &options), SIZE);
		close(out[1]);
		pthread_join(feeder, NULL);
		pthread_join(drainer, NULL);
		assert_int_equal(seen, SIZE);
		assert_int_equal(d.size, SIZE);
		assert_memory_equal(d.data, data, SIZE);
		free(d.data);
		close(in[0]);
		close(out[0]);
	}
}

static void files_are_pumped(void **state)
{
	(void)state;
	scoped_fd int from = fd_memfd("from");
	scoped_fd int to = fd_memfd("to");
	char buf[6] = "";

	assert_int_equal(fd_write_full(from, "hello", 5), 0);
	lseek(from, 0, SEEK_SET);
	assert_int_equal(pump_run(from, to, NULL), 5);
	assert_int_equal(fd_read_full_at(to, buf, 5, 0), 5);
	assert_string_equal(buf, "hello");
}

static void limits_hold(void **state)
{
	(void)state;
	int ends[2];
	scoped_fd int to = fd_memfd("to");
	scoped(cancel_unrefp) struct cancel *cancel = cancel_new(NULL);
	const struct pump_options few = { .max_bytes = 3 };
	const struct pump_options idle = { .idle_ms = 1 };
	const struct pump_options cancelled = { .cancel = cancel };
	const struct pump_options slow = { .max_rate = 100000 };

	open_pair(false, ends);
	scoped_fd int in = ends[0];
	scoped_fd int out = ends[1];
	assert_int_equal(pump_run(in, to, &idle), -ETIMEDOUT);
	assert_int_equal(fd_write_full(out, "hello", 5), 0);
	assert_int_equal(pump_run(in, to, &few), -EFBIG);
	cancel_fire(cancel);
	assert_int_equal(pump_run(in, to, &cancelled), -ECANCELED);

	int64_t start = date_monotonic();
	scoped_free char *data = xcalloc(1, 2000);
	assert_int_equal(fd_write_full(out, data, 2000), 0);
	close(TAKE_FD(out));
	assert_int_equal(pump_run(in, to, &slow), 2000);
	assert_true(date_monotonic() - start >= 19);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_pairs_of_fds_are_pumped),
		cmocka_unit_test(files_are_pumped),
		cmocka_unit_test(limits_hold),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
