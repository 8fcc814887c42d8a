#include "lib/net/http_server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/alloc.h"
#include "lib/base/log.h"
#include "lib/base/loop.h"
#include "lib/base/thread.h"
#include "lib/base/worker.h"
#include "lib/net/http_conn.h"
#include "lib/net/http_server_impl.h"
#include "lib/net/socket.h"

enum {
	ACCEPTS_AT_ONCE = 64,
	IO_THREADS = 4,
	LINGER_MS = 2000,
	BODY_MAX = 1024 * 1024,
	WARN_MS = 10 * 1000
};

struct listener {
	struct list entry;
	struct http_server *server;
	unsigned id;
	enum http_listener_kind kind;
	int fd;
	struct loop_watch *watch;
};

/* A thread that waits for the last connection to end. */
struct http_stop {
	struct mutex lock;
	struct cond changed;
	bool is_over GUARDED;
	struct http_server *server;
};

struct http_server *http_server_ref(struct http_server *server)
{
	refs_get(&server->refs);
	return server;
}

static void destroy(void *arg)
{
	struct http_server *server = arg;

	http_lanes_free(server->lanes);
	http_deadline_done(&server->deadlines);
	tls_credentials_unref(server->cred);
	gnutls_free(server->ticket_key.data);
	if (server->reserve_fd >= 0)
		close(server->reserve_fd);
	free(server->scratch);
	free(server->scratch_out);
	free(server);
}

void http_server_unref(struct http_server *server)
{
	if (refs_put(&server->refs))
		loop_call(server->loop, destroy, server);
}

static void fill_in(unsigned *value, unsigned fallback)
{
	if (*value == 0)
		*value = fallback;
}

static void fill_in_defaults(struct http_server_config *config)
{
	fill_in(&config->handshake_ms, 10 * 1000);
	fill_in(&config->head_ms, 15 * 1000);
	fill_in(&config->body_ms, 30 * 1000);
	fill_in(&config->send_ms, 60 * 1000);
	fill_in(&config->idle_ms, 300 * 1000);
	fill_in(&config->max_connections, 4096);
	fill_in(&config->max_per_peer, 1024);
	if (config->head_max == 0)
		config->head_max = (size_t)16 * 1024;
	if (config->body.size_max == 0 && config->body.memory_max == 0) {
		config->body.size_max = BODY_MAX;
		config->body.memory_max = BODY_MAX;
		config->body.spool_dir = -1;
	}
}

/* On the loop thread. */
static void start(void *arg)
{
	struct http_server *server = arg;

	http_conn_init_deadlines(server);
	server->lanes = http_lanes_new(server->loop, server->io);
}

struct http_server *http_server_new(const struct http_server_config *config)
{
	struct http_server *server = xcalloc(1, sizeof(*server));

	refs_init(&server->refs);
	server->config = *config;
	fill_in_defaults(&server->config);
	server->loop = config->loop;
	server->io = worker_new("http-io", IO_THREADS, 0);
	list_init(&server->listeners);
	list_init(&server->conns);
	server->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	server->scratch = xmalloc(HTTP_SCRATCH_SIZE);
	server->scratch_out = xmalloc(HTTP_SCRATCH_SIZE);
	if (gnutls_session_ticket_key_generate(&server->ticket_key) < 0)
		abort();

	unsigned *ms = server->deadlines.ms;
	ms[HTTP_DEADLINE_HANDSHAKE] = server->config.handshake_ms;
	ms[HTTP_DEADLINE_HEAD] = server->config.head_ms;
	ms[HTTP_DEADLINE_BODY] = server->config.body_ms;
	ms[HTTP_DEADLINE_SEND] = server->config.send_ms;
	ms[HTTP_DEADLINE_IDLE] = server->config.idle_ms;
	ms[HTTP_DEADLINE_LINGER] = LINGER_MS;

	loop_call_wait(server->loop, start, server);
	if (!server->lanes)
		abort();
	return server;
}

/* --- Listeners --- */

static void close_listener(struct listener *l)
{
	list_remove(&l->entry);
	loop_watch_free(l->watch);
	close(l->fd);
	free(l);
}

/* Without a free descriptor a client can be neither served nor refused: borrow one to refuse it. */
static void refuse_one(struct listener *l)
{
	struct http_server *server = l->server;
	struct netaddr peer;

	if (server->reserve_fd >= 0)
		close(server->reserve_fd);
	int fd = socket_accept(l->fd, &peer);
	if (fd >= 0)
		close(fd);
	server->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	server->counts.refused++;

	int64_t now = date_monotonic();
	if (server->warned_at == 0 || now - server->warned_at >= WARN_MS) {
		server->warned_at = now;
		log_warn("Refusing connections: too many open files");
	}
}

static void on_connection(unsigned events, void *arg)
{
	struct listener *l = arg;

	for (unsigned i = 0; i < ACCEPTS_AT_ONCE; i++) {
		struct netaddr peer;
		int fd = socket_accept(l->fd, &peer);
		if (fd == -EMFILE || fd == -ENFILE) {
			refuse_one(l);
			return;
		}
		if (fd == -ECONNABORTED || fd == -EINTR)
			continue;
		if (fd < 0)
			return;
		http_conn_start_take(l->server, l->kind, fd, &peer);
	}
}

static void add_listener(void *arg)
{
	struct listener *l = arg;

	l->id = ++l->server->last_listener_id;
	list_add_last(&l->server->listeners, &l->entry);
	l->watch = loop_watch_new(l->server->loop, l->fd, LOOP_READABLE, on_connection, l);
}

unsigned http_server_add_listener_take(struct http_server *server, enum http_listener_kind kind,
                                       int fd)
{
	struct listener *l = xcalloc(1, sizeof(*l));

	l->server = server;
	l->kind = kind;
	l->fd = fd;
	(void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	loop_call_wait(server->loop, add_listener, l);
	return l->id;
}

struct removal {
	struct http_server *server;
	unsigned id;
};

static void remove_listener(void *arg)
{
	const struct removal *removal = arg;
	struct listener *l;

	LIST_FOREACH (l, &removal->server->listeners, entry)
		if (l->id == removal->id)
			close_listener(l);
}

void http_server_remove_listener(struct http_server *server, unsigned id)
{
	loop_call_wait(server->loop, remove_listener,
	               &(struct removal){ .server = server, .id = id });
}

struct new_credentials {
	struct http_server *server;
	struct tls_credentials *cred;
};

static void set_credentials(void *arg)
{
	const struct new_credentials *new = arg;

	tls_credentials_unref(new->server->cred);
	new->server->cred = tls_credentials_ref(new->cred);
}

void http_server_set_credentials(struct http_server *server, struct tls_credentials *cred)
{
	loop_call_wait(server->loop, set_credentials,
	               &(struct new_credentials){ .server = server, .cred = cred });
}

/* --- The end --- */

void http_server_conn_ended(struct http_server *server)
{
	struct http_stop *stop = server->stop;

	if (!stop || !list_is_empty(&server->conns))
		return;

	server->stop = NULL;
	mutex_lock(&stop->lock);
	stop->is_over = true;
	cond_signal(&stop->changed);
	mutex_unlock(&stop->lock);
}

static void begin_stop(void *arg)
{
	struct http_stop *stop = arg;
	struct http_server *server = stop->server;
	struct listener *l;

	server->is_stopping = true;
	LIST_FOREACH (l, &server->listeners, entry)
		close_listener(l);
	server->stop = stop;
	http_conn_drain_all(server);
	http_server_conn_ended(server);
}

static void end_stop(void *arg)
{
	struct http_server *server = arg;

	server->stop = NULL;
	http_conn_cut_all(server);
}

void http_server_stop(struct http_server *server, unsigned grace_ms)
{
	struct http_stop stop = { .lock = MUTEX_INIT, .changed = COND_INIT, .server = server };
	int64_t deadline = date_deadline(grace_ms);

	loop_call_wait(server->loop, begin_stop, &stop);
	mutex_lock(&stop.lock);
	while (!stop.is_over && thread_cond_wait_until(&stop.changed, &stop.lock, deadline))
		;
	mutex_unlock(&stop.lock);
	loop_call_wait(server->loop, end_stop, server);
	mutex_done(&stop.lock);
	cond_done(&stop.changed);
}

struct io_taker {
	struct http_server *server;
	struct worker *io;
};

static void take_io(void *arg)
{
	struct io_taker *taker = arg;

	taker->io = TAKE_PTR(taker->server->io);
}

void http_server_free(struct http_server *server)
{
	struct io_taker taker = { .server = server };

	if (!server)
		return;

	http_server_stop(server, 0);

	/* What still runs there finds its connection gone; waiting for it must not block the loop.
	 */
	loop_call_wait(server->loop, take_io, &taker);
	worker_free(taker.io);
	http_server_unref(server);
}

struct count_copy {
	const struct http_server *server;
	struct http_server_counts *ret_counts;
};

static void copy_counts(void *arg)
{
	const struct count_copy *copy = arg;

	*copy->ret_counts = copy->server->counts;
}

void http_server_counts(struct http_server *server, struct http_server_counts *ret_counts)
{
	loop_call_wait(server->loop, copy_counts,
	               &(struct count_copy){ .server = server, .ret_counts = ret_counts });
}
