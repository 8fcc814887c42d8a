#include "lib/net/stream_pump.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/alloc.h"
#include "lib/base/list.h"
#include "lib/base/loop.h"
#include "lib/base/strbuf.h"
#include "lib/base/thread.h"
#include "lib/net/socket.h"

enum { READ_SIZE = 32 * 1024, BUDGET = 512 * 1024 };

/* One way: from the side it is a member of to the other. */
struct direction {
	struct strbuf pending; /* Read, not taken by the other side yet. */
	bool has_end, is_over; /* The end was read; and was passed on. */
	short wants_read, wants_write;
};

struct side {
	struct stream_pump *pump;
	struct stream *stream;
	struct loop_watch *watch;
	unsigned events;
	struct direction out; /* What this side says. */
};

struct stream_pump {
	struct list entry;
	struct loop *loop;
	struct side sides[2];
	stream_pump_done_fn *done;
	void *arg;
	bool is_over, is_call_due;
};

/* Those that run, of all loops; one of a loop comes and goes on its thread only. */
static struct {
	struct mutex lock;
	struct list pumps GUARDED;
} running = { .lock = MUTEX_INIT, .pumps = LIST_INIT(running.pumps) };

static void free_later(void *arg)
{
	free(arg);
}

static void end(struct stream_pump *p, int status)
{
	p->is_over = true;
	mutex_lock(&running.lock);
	list_remove(&p->entry);
	mutex_unlock(&running.lock);
	for (unsigned i = 0; i < 2; i++) {
		loop_watch_free(p->sides[i].watch);
		stream_free(p->sides[i].stream);
		strbuf_done(&p->sides[i].out.pending);
	}
	if (p->done)
		p->done(status, p->arg);
	loop_call(p->loop, free_later, p); /* A call of ours may be queued. */
}

/* Writes what waits and then 'data'; keeps what is not taken. Returns 0, -EAGAIN or another errno.
 */
static int pass_on(struct direction *d, struct stream *to, const char *data, size_t size)
{
	bool is_pending = d->pending.size > 0;
	const char *text = is_pending ? d->pending.text : data;
	size_t left = is_pending ? d->pending.size : size, done = 0;
	ssize_t n = 0;

	while (done < left && n >= 0) {
		n = stream_write(to, text + done, left - done);
		if (n > 0)
			done += (size_t)n;
	}

	if (is_pending)
		strbuf_consume(&d->pending, done);
	else if (done < left)
		strbuf_add_n(&d->pending, data + done, left - done);
	if (is_pending && d->pending.size == 0)
		strbuf_done(&d->pending);
	if (n == -EAGAIN)
		d->wants_write = stream_write_events(to);
	return n < 0 ? (int)n : 0;
}

/* Moves what can be moved one way. Returns 0, 1 if there is more to do at once, or an errno. */
static int move(struct side *from, struct side *to)
{
	struct direction *d = &from->out;
	char data[READ_SIZE];
	size_t n_moved = 0;

	d->wants_read = d->wants_write = 0;
	while (!d->is_over) {
		int r = d->pending.size > 0 ? pass_on(d, to->stream, NULL, 0) : 0;
		if (r == 0 && d->has_end) {
			r = stream_shutdown(to->stream);
			d->is_over = r != -EAGAIN; /* Who is gone needs not be told. */
			if (r == -EAGAIN)
				d->wants_write = stream_write_events(to->stream);
			return 0;
		}
		if (r == -EAGAIN)
			return 0;
		if (r < 0)
			return r;
		if (n_moved >= BUDGET)
			return 1;

		ssize_t n = stream_read(from->stream, data, sizeof(data));
		if (n == -EAGAIN) {
			d->wants_read = stream_read_events(from->stream);
			return 0;
		}
		if (n < 0)
			return (int)n;
		if (n == 0) {
			d->has_end = true;
			continue;
		}
		n_moved += (size_t)n;
		r = pass_on(d, to->stream, data, (size_t)n);
		if (r < 0 && r != -EAGAIN)
			return r;
	}
	return 0;
}

static unsigned loop_events(short poll_events)
{
	return (poll_events & POLLIN ? LOOP_READABLE : 0) |
	       (poll_events & POLLOUT ? LOOP_WRITABLE : 0);
}

static void watch(struct side *side, const struct side *other)
{
	unsigned events = loop_events(side->out.wants_read | other->out.wants_write);

	if (events != side->events)
		loop_watch_set(side->watch, events);
	side->events = events;
}

static void turn(struct stream_pump *p);

static void call_turn(void *arg)
{
	struct stream_pump *p = arg;

	p->is_call_due = false;
	if (!p->is_over)
		turn(p);
}

static void turn(struct stream_pump *p)
{
	struct side *a = &p->sides[0], *b = &p->sides[1];
	int r_ab = move(a, b);
	int r_ba = r_ab < 0 ? 0 : move(b, a);

	if (r_ab < 0 || r_ba < 0) {
		end(p, r_ab < 0 ? r_ab : r_ba);
		return;
	}
	if (a->out.is_over && b->out.is_over) {
		end(p, 0);
		return;
	}

	watch(a, b);
	watch(b, a);
	if ((r_ab > 0 || r_ba > 0) && !p->is_call_due) {
		p->is_call_due = true;
		loop_call(p->loop, call_turn, p);
	}
}

static void on_event(unsigned events, void *arg)
{
	struct side *side = arg;

	if (!side->pump->is_over)
		turn(side->pump);
}

static void start(void *arg)
{
	struct stream_pump *p = arg;

	mutex_lock(&running.lock);
	list_add_last(&running.pumps, &p->entry);
	mutex_unlock(&running.lock);
	for (unsigned i = 0; i < 2; i++)
		p->sides[i].watch = loop_watch_new(p->loop, stream_fd(p->sides[i].stream), 0,
		                                   on_event, &p->sides[i]);
	turn(p);
}

void stream_pump_take(struct loop *loop, struct stream *a, struct stream *b,
                      stream_pump_done_fn *done, void *arg)
{
	struct stream_pump *p = xcalloc(1, sizeof(*p));

	p->loop = loop;
	p->sides[0] = (struct side){ .pump = p, .stream = a };
	p->sides[1] = (struct side){ .pump = p, .stream = b };
	p->done = done;
	p->arg = arg;
	loop_call(loop, start, p);
}

static struct stream_pump *first_of(const struct loop *loop)
{
	struct stream_pump *p, *found = NULL;

	mutex_lock(&running.lock);
	LIST_FOREACH (p, &running.pumps, entry) {
		if (p->loop == loop) {
			found = p;
			break;
		}
	}
	mutex_unlock(&running.lock);
	return found;
}

static void end_of_loop(void *arg)
{
	struct stream_pump *p;

	while ((p = first_of(arg)))
		end(p, -ECANCELED);
}

void stream_pump_end_all(struct loop *loop)
{
	loop_call_wait(loop, end_of_loop, loop);
}

int stream_pump_to_fd(struct loop *loop, struct stream *s)
{
	int fds[2];

	int fd = stream_take_plain_fd(s);
	if (fd >= 0)
		return fd;

	int r = socket_pair(fds);
	if (r < 0) {
		stream_free(s);
		return r;
	}
	stream_pump_take(loop, s, stream_new_fd_take(fds[0]), NULL, NULL);
	return fds[1];
}
