#include "tests/kit/db_proxy.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/alloc.h"
#include "lib/base/bytes.h"
#include "lib/base/fd.h"
#include "lib/base/scoped.h"
#include "lib/base/thread.h"

struct wire {
	int client;
	int node;
};

static atomic_uint left; /* Requests up to the one that is lost; 0: none is. */
static atomic_int loss;
static atomic_bool has_tripped;

void db_proxy_arm(unsigned n, enum db_proxy_loss what)
{
	atomic_store(&has_tripped, false);
	atomic_store(&loss, (int)what);
	atomic_store(&left, n);
}

int db_proxy_has_tripped(void)
{
	return atomic_load(&has_tripped);
}

/* Counts one request; true if it is the one. */
static bool is_the_one(void)
{
	unsigned now = atomic_load(&left);

	while (now > 0)
		if (atomic_compare_exchange_weak(&left, &now, now - 1))
			return now == 1;
	return false;
}

/* Reads one message of the client, header included. */
static int read_request(int fd, struct strbuf *message)
{
	uint8_t head[8];

	if (fd_read_full(fd, head, sizeof(head)) != sizeof(head))
		return -ECONNRESET;

	struct bytes b = { .data = head, .size = sizeof(head) };
	size_t size = (size_t)bytes_le32(&b) * 8;
	strbuf_truncate(message, 0);
	strbuf_add_n(message, head, sizeof(head));
	char *body = strbuf_reserve(message, size);
	if (fd_read_full(fd, body, size) != (ssize_t)size)
		return -ECONNRESET;
	strbuf_advance(message, size);
	return 0;
}

/* 0 to go on. */
static int pass_request(struct wire *wire, struct strbuf *message)
{
	if (read_request(wire->client, message) < 0)
		return -1;
	if (!is_the_one())
		return fd_write_full(wire->node, message->text, message->size);

	atomic_store(&has_tripped, true);
	if (atomic_load(&loss) == DB_PROXY_LOSES_ANSWER &&
	    fd_write_full(wire->node, message->text, message->size) == 0)
		fd_wait(wire->node, POLLIN, date_deadline(10000));
	return -1;
}

static int pass_answer(struct wire *wire)
{
	char buffer[65536];
	ssize_t n = read(wire->node, buffer, sizeof(buffer));

	return n <= 0 ? -1 : fd_write_full(wire->client, buffer, (size_t)n);
}

static void *run(void *arg)
{
	struct wire *wire = arg;
	struct strbuf message = { 0 };
	char hello[8];
	bool goes_on = fd_read_full(wire->client, hello, sizeof(hello)) == sizeof(hello) &&
	               fd_write_full(wire->node, hello, sizeof(hello)) == 0;

	while (goes_on) {
		struct pollfd fds[] = { { .fd = wire->client, .events = POLLIN },
			                { .fd = wire->node, .events = POLLIN } };

		if (poll(fds, 2, -1) < 0)
			continue;
		if (fds[1].revents)
			goes_on = pass_answer(wire) == 0;
		else if (fds[0].revents)
			goes_on = pass_request(wire, &message) == 0;
	}

	close(wire->client);
	close(wire->node);
	strbuf_done(&message);
	free(wire);
	return NULL;
}

int db_proxy_wrap(int fd)
{
	int pair[2];
	struct wire *wire = xcalloc(1, sizeof(*wire));

	if (fd_socketpair(SOCK_STREAM, pair) < 0)
		abort();
	*wire = (struct wire){ .client = pair[1], .node = fd };
	if (thread_start_detached("proxy", 0, run, wire) < 0)
		abort();
	return pair[0];
}
