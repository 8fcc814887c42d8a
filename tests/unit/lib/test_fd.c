#include <errno.h>
#include <fcntl.h>
#include <poll.h>
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
#include "lib/base/date.h"
#include "lib/base/fd.h"
#include "lib/base/scoped.h"

static void whole_reads_and_writes(void **state)
{
	(void)state;
	scoped_fd int fd = fd_memfd("test");
	char buf[10];

	assert_int_equal(fd_write_full(fd, "0123456789", 10), 0);
	assert_int_equal(fd_read_full_at(fd, buf, 10, 5), 5);
	assert_memory_equal(buf, "56789", 5);
	lseek(fd, 0, SEEK_SET);

	scoped_free char *text = NULL;
	size_t size = 0;
	assert_int_equal(fd_read_all(fd, 10, &text, &size), 0);
	assert_string_equal(text, "0123456789");
	assert_int_equal(size, 10);
	lseek(fd, 0, SEEK_SET);
	assert_int_equal(fd_read_all(fd, 9, &text, &size), -EFBIG);
}

static void all_kinds_of_files_are_copied(void **state)
{
	(void)state;
	size_t size = 300000;
	scoped_free char *data = xcalloc(1, size);
	scoped_free char *again = xcalloc(1, size);
	scoped_fd int from = fd_memfd("from");
	scoped_fd int to = fd_memfd("to");
	int ends[2];

	memset(data, 'x', size);
	assert_int_equal(fd_write_full(from, data, size), 0);
	lseek(from, 0, SEEK_SET);
	assert_int_equal(fd_copy(from, to, 100000), 100000);
	assert_int_equal(fd_copy(from, to, UINT64_MAX), size - 100000);
	assert_int_equal(fd_copy(from, to, UINT64_MAX), 0);
	assert_int_equal(fd_read_full_at(to, again, size, 0), size);
	assert_memory_equal(again, data, size);

	assert_int_equal(fd_pipe(ends), 0);
	scoped_fd int in = ends[0];
	lseek(from, 0, SEEK_SET);
	assert_int_equal(fd_copy(from, ends[1], 5000), 5000);
	close(ends[1]);
	scoped_fd int third = fd_memfd("third");
	assert_int_equal(fd_copy(in, third, UINT64_MAX), 5000);

	scoped_fd int proc = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	assert_true(fd_copy(proc, third, UINT64_MAX) > 100);
}

static void fds_are_passed(void **state)
{
	(void)state;
	int ends[2], fds[2];
	size_t n_fds = 0;
	char buf[8];

	assert_int_equal(fd_socketpair(SOCK_STREAM, ends), 0);
	scoped_fd int a = ends[0];
	scoped_fd int b = ends[1];
	scoped_fd int file = fd_memfd("passed");
	const int sent[] = { file, file, file };

	assert_int_equal(fd_send(a, "hello", 5, sent, 3), 0);
	assert_int_equal(fd_receive(b, buf, sizeof(buf), fds, 2, &n_fds), 5);
	assert_int_equal(n_fds, 2);
	assert_true(fcntl(fds[0], F_GETFD) & FD_CLOEXEC);
	close(fds[0]);
	close(fds[1]);

	assert_int_equal(fd_send(a, "x", 1, NULL, 0), 0);
	assert_int_equal(fd_receive(b, buf, sizeof(buf), fds, 2, &n_fds), 1);
	assert_int_equal(n_fds, 0);
}

static void waiting_ends_at_the_deadline(void **state)
{
	(void)state;
	int ends[2];

	assert_int_equal(fd_pipe(ends), 0);
	scoped_fd int in = ends[0];
	scoped_fd int out = ends[1];
	assert_int_equal(fd_wait(in, POLLIN, date_deadline(1)), 0);
	assert_int_equal(fd_write_full(out, "x", 1), 0);
	assert_int_equal(fd_wait(in, POLLIN, DEADLINE_NEVER), POLLIN);
}

static void a_gone_reader_is_an_error(void **state)
{
	(void)state;
	int ends[2];

	assert_int_equal(fd_socketpair(SOCK_STREAM, ends), 0);
	close(ends[0]);
	scoped_fd int out = ends[1];
	assert_int_equal(fd_write_full(out, "x", 1), -EPIPE);
}

static void processes_have_fds(void **state)
{
	(void)state;
	scoped_fd int fd = fd_of_pid(getpid());

	assert_true(fd >= 0);
	assert_int_equal(fd_kill(fd, 0), 0);
	assert_int_equal(fd_of_pid(-1), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_reads_and_writes),
		cmocka_unit_test(all_kinds_of_files_are_copied),
		cmocka_unit_test(fds_are_passed),
		cmocka_unit_test(waiting_ends_at_the_deadline),
		cmocka_unit_test(a_gone_reader_is_an_error),
		cmocka_unit_test(processes_have_fds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
