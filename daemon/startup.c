#include "daemon/startup.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "cluster/certificate.h"
#include "cluster/cluster.h"
#include "cluster/handover.h"
#include "daemon/api/extensions.h"
#include "daemon/api/listen.h"
#include "daemon/auth/auth.h"
#include "daemon/auth/authorizer.h"
#include "daemon/chores.h"
#include "daemon/core/dirs.h"
#include "daemon/core/environment.h"
#include "daemon/core/event.h"
#include "daemon/core/kept_answers.h"
#include "daemon/core/locks.h"
#include "daemon/core/log_events.h"
#include "daemon/core/operation.h"
#include "daemon/core/server_conf.h"
#include "daemon/core/state.h"
#include "daemon/core/upload_pass.h"
#include "daemon/driver_host.h"
#include "daemon/hooks.h"
#include "daemon/services.h"
#include "db/cache.h"
#include "lib/base/alloc.h"
#include "lib/base/cancel.h"
#include "lib/base/date.h"
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "lib/base/loop.h"
#include "lib/base/uuid.h"
#include "lib/base/worker.h"
#include "lib/net/http_server.h"
#include "lib/net/stream_pump.h"
#include "lib/net/x509.h"

#define MAX_REQUESTS 32
#define MAX_JOBS 64
#define MAX_FORWARDS 512
#define MAX_VITAL 16
#define MAX_PEERS 64
#define QUEUE_MAX 4096
/* A member may wait for others for ever, but not without looking up now and then. */
#define LEADER_MS 1000

static int make_dirs(struct state *state, const struct startup_options *options, struct error **err)
{
	(void)options;
	state->dirs = dirs_new();
	return dirs_create(state->dirs, err);
}

static void free_dirs(struct state *state)
{
	dirs_free(state->dirs);
}

/* Two daemons on one state directory would destroy it. */
static int take_lock(struct state *state, const struct startup_options *options, struct error **err)
{
	scoped_free char *path = xasprintf("%s/lock", state->dirs->root);

	(void)options;
	state->lock_fd = file_lock(path, 0600);
	if (state->lock_fd == -EWOULDBLOCK)
		return error_set(err, 409, "Another daemon uses \"%s\"", state->dirs->root);
	if (state->lock_fd < 0)
		return error_set_errno(err, state->lock_fd, "Failed locking \"%s\"", path);

	return 0;
}

static void give_lock(struct state *state)
{
	if (state->lock_fd >= 0)
		close(state->lock_fd);
}

static int make_threads(struct state *state, const struct startup_options *options,
                        struct error **err)
{
	(void)options;
	state->ready = cancel_new(NULL);
	state->loop = loop_new("loop");
	if (!state->loop)
		return error_set(err, 500, "Failed starting the event loop");

	state->requests = worker_new("request", MAX_REQUESTS, QUEUE_MAX);
	state->reads = worker_new("read", 1, QUEUE_MAX);
	state->jobs = worker_new("job", MAX_JOBS, 0);
	state->forwards = worker_new("forward", MAX_FORWARDS, QUEUE_MAX);
	state->vital = worker_new("vital", MAX_VITAL, QUEUE_MAX);
	state->peers = worker_new("peer", MAX_PEERS, QUEUE_MAX);
	return 0;
}

static void free_threads(struct state *state)
{
	worker_free(state->forwards);
	worker_free(state->vital);
	worker_free(state->peers);
	worker_free(state->jobs);
	worker_free(state->reads);
	worker_free(state->requests);
	loop_free(state->loop);
	cancel_unref(state->ready);
}

static int make_core(struct state *state, const struct startup_options *options, struct error **err)
{
	(void)options;
	(void)err;
	state->environment = environment_new();
	state->events = event_hub_new(state);
	state->answers = kept_answers_new();
	state->operations = operation_table_new(state);
	state->locks = locks_new();
	state->upload_passes = upload_passes_new();
	state->conf = server_conf_new(state);
	state->authorize = authorizer_check;
	log_events_start(state);
	return 0;
}

static void free_core(struct state *state)
{
	log_events_stop();
	event_hub_free(state->events);
	kept_answers_free(state->answers);
	operation_table_free(state->operations);
	locks_free(state->locks);
	upload_passes_free(state->upload_passes);
	server_conf_free(state->conf);
	environment_free(state->environment);
}

static int make_certificate(struct state *state, const struct startup_options *options,
                            struct error **err)
{
	(void)options;
	return x509_ensure_files(state->dirs->server_cert, state->dirs->server_key, false, err);
}

static int make_cluster(struct state *state, const struct startup_options *options,
                        struct error **err)
{
	const struct cluster_options cluster_options = {
		.dir = state->dirs->root,
		.loop = state->loop,
		.hooks = hooks_new(state),
		.version = "muster",
		.n_api_extensions = extensions_count(),
	};

	(void)options;
	state->hooks = cluster_options.hooks;

	int r = cluster_new(&cluster_options, &state->cluster, err);
	if (r < 0)
		return r;

	state->local = cluster_local(state->cluster);
	state->db = cluster_db(state->cluster);
	state->cache = db_cache_new(state->db);
	return server_conf_load(state, err);
}

static void free_cluster(struct state *state)
{
	db_cache_free(state->cache);
	cluster_free(state->cluster);
	hooks_free(state->hooks);
}

static int open_listeners(struct state *state, const struct startup_options *options,
                          struct error **err)
{
	const struct listen_options listen_options = { .group = options->group };
	struct certificate *cert;

	int r = listen_setup(state, err);
	if (r < 0)
		return r;

	cert = certificate_of_listener(state->cluster);
	r = listen_set_certificate(state, cert->cert, cert->key, err);
	certificate_free(cert);
	if (r < 0)
		return r;

	return listen_start(state, &listen_options, err);
}

static void close_listeners(struct state *state)
{
	listen_free(state);
}

/* Signals are blocked until the main thread takes them, which is after the start. */
static bool is_told_to_end(void)
{
	sigset_t pending;

	sigpending(&pending);
	return sigismember(&pending, SIGTERM) || sigismember(&pending, SIGINT) ||
	       sigismember(&pending, SIGQUIT) || sigismember(&pending, SIGPWR);
}

static int start_cluster(struct state *state, const struct startup_options *options,
                         struct error **err)
{
	(void)options;
	for (unsigned int n = 1;; n++) {
		scoped(error_freep) struct error *waiting = NULL;

		int r = cluster_start(state->cluster, LEADER_MS, &waiting);
		if (r >= 0)
			return 0;
		if (r != -ETIMEDOUT) {
			*err = TAKE_PTR(waiting);
			return r;
		}
		if (is_told_to_end())
			return error_set(err, 503, "Told to end while waiting for the database");

		if (n % 10 == 0)
			log_warn("Still waiting for the cluster's database");
	}
}

static void stop_cluster(struct state *state)
{
	cluster_stop(state->cluster);
}

/* What identifies this server or cluster for good; made by whoever comes first. */
static int ensure_uuid(struct state *state, struct error **err)
{
	scoped_free char *uuid = server_conf_string(state, "volatile.uuid");
	char fresh[UUID_SIZE];

	if (*uuid)
		return 0;

	uuid_make(fresh);
	return server_conf_set(state, "volatile.uuid", fresh, err);
}

static int prepare_database(struct state *state, const struct startup_options *options,
                            struct error **err)
{
	(void)options;

	int r = auth_refresh(state, err);
	if (r < 0)
		return r;

	return ensure_uuid(state, err);
}

static int start_drivers(struct state *state, const struct startup_options *options,
                         struct error **err)
{
	(void)options;
	return driver_host_start(state, err);
}

static void stop_drivers(struct state *state)
{
	driver_host_stop(state);
}

static int start_services(struct state *state, const struct startup_options *options,
                          struct error **err)
{
	(void)options;
	return services_start(state, err);
}

static void stop_services(struct state *state)
{
	services_stop(state);
}

static int start_chores(struct state *state, const struct startup_options *options,
                        struct error **err)
{
	(void)options;
	(void)err;
	chores_start(state);
	return 0;
}

struct step {
	const char *name;
	int (*start)(struct state *state, const struct startup_options *options,
	             struct error **err);
	void (*undo)(struct state *state); /* NULL: nothing to undo. */
};

/* clang-format off */
static const struct step steps[] = {
	{ "directories",  make_dirs,        free_dirs },
	{ "lock",         take_lock,        give_lock },
	{ "threads",      make_threads,     free_threads },
	{ "core",         make_core,        free_core },
	{ "drivers",      start_drivers,    stop_drivers },
	{ "certificate",  make_certificate, NULL },
	{ "cluster",      make_cluster,     free_cluster },
	{ "listeners",    open_listeners,   close_listeners },
	{ "database",     start_cluster,    stop_cluster },
	{ "contents",     prepare_database, NULL },
	{ "services",     start_services,   stop_services },
	{ "chores",       start_chores,     chores_stop },
};
/* clang-format on */

static void undo(struct state *state, size_t n_done)
{
	while (n_done-- > 0) {
		if (steps[n_done].undo)
			steps[n_done].undo(state);
	}
	free(state);
}

int startup_run(const struct startup_options *options, struct state **ret_state, struct error **err)
{
	struct state *state = xcalloc(1, sizeof(*state));

	state->lock_fd = -EBADF;
	state->started_at = (uint64_t)date_monotonic_ns();
	for (size_t i = 0; i < COUNT_OF(steps); i++) {
		uint64_t before = (uint64_t)date_monotonic_ns();

		int r = steps[i].start(state, options, err);
		if (r < 0) {
			/* A step that failed half-way is undone as a whole. */
			undo(state, i + 1);
			return error_wrap(err, "Failed starting (%s)", steps[i].name);
		}

		log_debug("Started %s in %llu us", steps[i].name,
		          (unsigned long long)((uint64_t)date_monotonic_ns() - before) / 1000);
	}

	atomic_store(&state->is_ready, true);
	cancel_fire(state->ready);
	*ret_state = state;
	return 0;
}

void startup_undo(struct state *state, bool is_full)
{
	int64_t minutes = server_conf_int(state, "core.shutdown_timeout");
	uint64_t seconds = is_full ? (uint64_t)minutes * 60 : 10;

	atomic_store(&state->is_shutting_down, true);
	services_quiesce(state);
	event_close_listeners(state, NULL);
	operation_drain(state, seconds * 1000000000U);
	if (is_full)
		services_stop_instances(state);
	handover_run(state->cluster);
	http_server_stop(state->http, 1000);
	stream_pump_end_all(state->loop); /* What they hold may be a mounted volume. */
	undo(state, COUNT_OF(steps));
}
