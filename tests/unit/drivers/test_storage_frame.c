#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "drivers/storage/storage_frame.h"
#include "lib/base/alloc.h"
#include "lib/base/cancel.h"
#include "lib/base/fd.h"
#include "lib/base/macro.h"

#define MIB (1024 * 1024)

static void make_pair(int pair[2])
{
	assert_int_equal(fd_socketpair(SOCK_STREAM, pair), 0);
}

static void messages_arrive(void **state)
{
	scoped(error_freep) struct error *err = NULL;
	scoped_free char *first = NULL;
	scoped_free char *second = NULL;
	int pair[2];

	(void)state;
	make_pair(pair);
	assert_int_equal(storage_frame_send(pair[0], "one", &err), 0);
	assert_int_equal(storage_frame_send(pair[0], "", &err), 0);
	assert_int_equal(storage_frame_receive(pair[1], NULL, &first, &err), 0);
	assert_int_equal(storage_frame_receive(pair[1], NULL, &second, &err), 0);
	assert_string_equal(first, "one");
	assert_string_equal(second, "");
	close(pair[0]);
	close(pair[1]);
}

static void errors_and_rubbish_are_told(void **state)
{
	static const struct {
		const char *bytes;
		size_t size;
		int status;
	} cases[] = {
		{ "\x01\0\0\0\x01x", 6, 400 },      /* Data where a message is due. */
		{ "\x09\0\0\0\0", 5, 400 },         /* No such type. */
		{ "\x03\x7f\xff\xff\xff", 5, 400 }, /* Too large. */
		{ "\x03\0\0\0\x03"
		  "a\0b",
		  8, 400 }, /* A NUL in a message. */
		{ "\x03\0\0\0\x09"
		  "abc",
		  8, 503 }, /* Cut off. */
		{ "\x03\0", 2, 503 },
		{ "", 0, 503 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		scoped(error_freep) struct error *err = NULL;
		scoped_free char *text = NULL;
		int pair[2];

		make_pair(pair);
		assert_int_equal(fd_write_full(pair[0], cases[i].bytes, cases[i].size), 0);
		close(pair[0]);
		assert_true(storage_frame_receive(pair[1], NULL, &text, &err) < 0);
		assert_int_equal(err->status, cases[i].status);
		close(pair[1]);
	}

	scoped(error_freep) struct error *err = NULL;
	scoped_free char *text = NULL;
	int pair[2];
	make_pair(pair);
	storage_frame_send_error(pair[0], "No space left");
	assert_true(storage_frame_receive(pair[1], NULL, &text, &err) < 0);
	assert_string_equal(err->msg, "The other side failed: No space left");
	close(pair[0]);
	close(pair[1]);
}

/* One side of a stream. */
struct side {
	struct storage_frame_pump pump;
	int result;
};

static void *run_side(void *arg)
{
	struct side *s = arg;
	scoped(error_freep) struct error *err = NULL;

	s->result = storage_frame_pump(&s->pump, NULL, &err);
	return NULL;
}

struct writer {
	int fd;
	size_t size;
	uint8_t fill;
};

static void *run_writer(void *arg)
{
	struct writer *w = arg;
	scoped_free uint8_t *data = xmalloc(w->size + 1);

	memset(data, w->fill, w->size);
	assert_int_equal(fd_write_full(w->fd, data, w->size), 0);
	close(w->fd);
	return NULL;
}

static size_t read_filled(int fd, uint8_t fill)
{
	static uint8_t buf[65536];
	size_t total = 0;
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		for (ssize_t i = 0; i < n; i++)
			assert_int_equal(buf[i], fill);
		total += (size_t)n;
	}
	close(fd);
	return total;
}

static void streams_run_both_ways_and_end(void **state)
{
	static const struct {
		size_t there, back;
	} cases[] = { { 0, 0 }, { 1, 0 }, { 3 * MIB + 17, 5 }, { 5, 2 * MIB } };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		int pair[2], out_a[2], in_a[2], out_b[2], in_b[2];
		pthread_t threads[4];
		scoped(error_freep) struct error *err = NULL;
		scoped_free char *text = NULL;

		make_pair(pair);
		assert_int_equal(fd_pipe(out_a) | fd_pipe(in_a) | fd_pipe(out_b) | fd_pipe(in_b),
		                 0);
		struct side a = { .pump = { .fd = pair[0], .output = out_a[0], .input = in_a[1] } };
		struct side b = { .pump = { .fd = pair[1], .output = out_b[0], .input = in_b[1] } };
		struct writer write_a = { out_a[1], cases[i].there, 'a' };
		struct writer write_b = { out_b[1], cases[i].back, 'b' };

		pthread_create(&threads[0], NULL, run_side, &a);
		pthread_create(&threads[1], NULL, run_side, &b);
		pthread_create(&threads[2], NULL, run_writer, &write_a);
		pthread_create(&threads[3], NULL, run_writer, &write_b);
		/* The smaller one first: the other waits for nobody. */
		if (cases[i].there > cases[i].back) {
			assert_int_equal(read_filled(in_b[0], 'a'), cases[i].there);
			assert_int_equal(read_filled(in_a[0], 'b'), cases[i].back);
		} else {
			assert_int_equal(read_filled(in_a[0], 'b'), cases[i].back);
			assert_int_equal(read_filled(in_b[0], 'a'), cases[i].there);
		}
		for (size_t k = 0; k < COUNT_OF(threads); k++)
			pthread_join(threads[k], NULL);
		assert_int_equal(a.result, 0);
		assert_int_equal(b.result, 0);
		assert_int_equal(a.pump.sent, cases[i].there);
		assert_int_equal(a.pump.received, cases[i].back);

		/* The socket is at the next frame. */
		assert_int_equal(storage_frame_send(pair[0], "next", &err), 0);
		assert_int_equal(storage_frame_receive(pair[1], NULL, &text, &err), 0);
		assert_string_equal(text, "next");
		close(pair[0]);
		close(pair[1]);
	}
}

static void a_cancelled_pump_ends_at_once(void **state)
{
	scoped(cancel_unrefp) struct cancel *cancel = cancel_new(NULL);
	scoped(error_freep) struct error *err = NULL;
	struct op op = { .cancel = cancel };
	int pair[2], out[2];

	(void)state;
	make_pair(pair);
	assert_int_equal(fd_pipe(out), 0);
	struct storage_frame_pump pump = { .fd = pair[0], .output = out[0], .input = -1 };
	cancel_fire(cancel);
	assert_int_equal(storage_frame_pump(&pump, &op, &err), -ECANCELED);
	close(out[1]);
	close(pair[0]);
	close(pair[1]);
}

static void a_side_that_is_gone_is_an_error(void **state)
{
	scoped(error_freep) struct error *err = NULL;
	int pair[2];

	(void)state;
	make_pair(pair);
	close(pair[1]);
	struct storage_frame_pump pump = { .fd = pair[0], .output = -1, .input = -1 };
	assert_true(storage_frame_pump(&pump, NULL, &err) < 0);
	close(pair[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_arrive),
		cmocka_unit_test(errors_and_rubbish_are_told),
		cmocka_unit_test(streams_run_both_ways_and_end),
		cmocka_unit_test(a_cancelled_pump_ends_at_once),
		cmocka_unit_test(a_side_that_is_gone_is_an_error),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
