/* Frames of a hostile peer, in both roles: every connection ends with one callback. */
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/base/loop.h"
#include "lib/base/thread.h"
#include "lib/net/socket.h"
#include "lib/net/websocket.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct mutex lock = MUTEX_INIT;
static struct cond changed = COND_INIT;
static unsigned n_open;

static void on_message(struct websocket *ws, enum websocket_type type, const void *data,
                       size_t size, void *arg)
{
	(void)websocket_send(ws, type, data, size);
}

static void on_close(struct websocket *ws, unsigned code, void *arg)
{
	mutex_lock(&lock);
	n_open--;
	cond_signal(&changed);
	mutex_unlock(&lock);
}

static void run(struct loop *loop, enum websocket_role role, const uint8_t *data, size_t size)
{
	int fds[2];
	char answer[4096];
	const struct websocket_config config = {
		.role = role,
		.message_max = 4096,
		.on_message = on_message,
		.on_close = on_close,
	};

	if (socket_pair(fds) < 0)
		abort();
	mutex_lock(&lock);
	n_open++;
	mutex_unlock(&lock);

	struct stream *s = stream_new_fd_take(fds[0]);
	websocket_unref(websocket_new_take(loop, stream_new_fd_take(fds[1]), &config));
	if (stream_write_full(s, data, size < 65536 ? size : 65536, 1000) == 0)
		(void)stream_shutdown(s);
	while (stream_wait(s, POLLIN, 5000) == 0)
		if (stream_read(s, answer, sizeof(answer)) <= 0)
			break;
	stream_free(s);

	mutex_lock(&lock);
	while (n_open > 0)
		if (!thread_cond_wait_until(&changed, &lock, date_deadline(10 * 1000)))
			abort();
	mutex_unlock(&lock);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct loop *loop;

	if (!loop)
		loop = loop_new("loop");
	run(loop, WEBSOCKET_SERVER, data, size);
	run(loop, WEBSOCKET_CLIENT, data, size);
	return 0;
}
