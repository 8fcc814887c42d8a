#include "db/engine.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/base/alloc.h"

/* The functions differ in the prefix only. */
#ifdef ENGINE_COWSQL
#	include <cowsql.h>
#	define LIB(name) cowsql_##name
#	define LIB_ROLE cowsql_role
#else
#	include <dqlite.h>
#	define LIB(name) dqlite_##name
#	define LIB_ROLE dqlite_role
#endif

#define LOCK_NAME ".lock"

enum { MAX_FD = 1024 }; /* Where the listener is looked for; it is opened early. */
enum { LOOKASIDE_SIZE = 128, LOOKASIDE_COUNT = 64 };
enum { DEFAULT_LATENCY_MS = 50, DEFAULT_THRESHOLD = 512, DEFAULT_TRAILING = 1024 };

struct engine_node {
	LIB(node) * lib;
	int lock; /* Open and locked for as long as the node exists. */
	struct sockaddr_un bound;
	socklen_t bound_size;
	int (*connect)(void *arg, const char *address, int *ret_fd);
	void *connect_arg;
};

const char *engine_name(void)
{
	return ENGINE_NAME;
}

const char *engine_version(void)
{
	return ENGINE_VERSION;
}

/*
 * SQLite reserves 87 KB of page cache and 48 KB for small objects with each connection, whether it
 * needs them or not. Most of ours are idle, so pages are allocated one by one and the reserve is
 * what a usual statement takes. SQLite's statistics of memory stay on: without them the engine's VFS
 * reads frames of its WAL that nobody has written.
 */
static void configure_sqlite(void)
{
	sqlite3_config(SQLITE_CONFIG_PAGECACHE, NULL, 0, 0);
	sqlite3_config(SQLITE_CONFIG_LOOKASIDE, LOOKASIDE_SIZE, LOOKASIDE_COUNT);
}

void engine_init(void)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };

	sigaction(SIGPIPE, &ignore, NULL);
	/*
	 * The connect function runs on this pool, which is shared with disk writes: one thread for
	 * each node that could hang in it, and some. A thread that has worked costs 14 KiB.
	 */
	setenv("UV_THREADPOOL_SIZE", "16", 0);
	configure_sqlite();
}

static int connect_to_peer(void *arg, const char *address, int *ret_fd)
{
	struct engine_node *node = arg;

	if (!node->connect)
		return 1;
	return node->connect(node->connect_arg, address, ret_fd) < 0 ? 1 : 0;
}

/* The library takes no lock in all of its versions; two nodes in one directory destroy it. */
static int lock_dir(const char *dir, int *ret_lock, struct error **err)
{
	scoped_fd int dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dirfd < 0)
		return error_set_errno(err, -errno, "Failed opening \"%s\"", dir);

	/* Beside the directory's own files, since the library dislikes names it does not know. */
	size_t n = strlen(dir);
	while (n > 1 && dir[n - 1] == '/')
		n--;
	scoped_free char *path = xasprintf("%.*s%s", (int)n, dir, LOCK_NAME);

	scoped_fd int lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (lock < 0)
		return error_set_errno(err, -errno, "Failed opening \"%s\"", path);
	if (flock(lock, LOCK_EX | LOCK_NB) < 0) {
		int code = errno == EWOULDBLOCK ? -EBUSY : -errno;

		return error_set_errno(err, code, "Failed locking the database in \"%s\"", dir);
	}

	*ret_lock = TAKE_FD(lock);
	return 0;
}

static int fail(LIB(node) * lib, struct error **err, const char *what)
{
	const char *text = lib ? LIB(node_errmsg)(lib) : NULL;

	return error_set(err, 500, "Failed %s: %s", what, text && *text ? text : "no reason given");
}

static int configure(struct engine_node *node, const struct engine_options *options,
                     struct error **err)
{
	uint32_t threshold = options->snapshot_threshold;
	uint32_t trailing = options->snapshot_trailing;
	uint32_t latency = options->latency_ms ? options->latency_ms : DEFAULT_LATENCY_MS;

	if (LIB(node_set_bind_address)(node->lib, "@") != 0)
		return fail(node->lib, err, "binding the database node");
	if (LIB(node_set_connect_func)(node->lib, connect_to_peer, node) != 0)
		return fail(node->lib, err, "setting how database nodes connect");
	if (LIB(node_set_network_latency_ms)(node->lib, latency) != 0)
		return fail(node->lib, err, "setting the latency of the database network");
	if (LIB(node_set_snapshot_params)(node->lib, threshold ? threshold : DEFAULT_THRESHOLD,
	                                  trailing ? trailing : DEFAULT_TRAILING) != 0)
		return fail(node->lib, err, "setting the snapshots of the database");
	if (LIB(node_set_failure_domain)(node->lib, options->failure_domain) != 0)
		return fail(node->lib, err, "setting the failure domain of the database node");

	return 0;
}

/* An abstract socket: the name has no NUL at its end, so the exact size counts. */
static int remember_bound(struct engine_node *node, struct error **err)
{
	const char *name = LIB(node_get_bind_address)(node->lib);
	size_t size = name ? strlen(name) : 0;

	if (size < 2 || name[0] != '@' || size > sizeof(node->bound.sun_path))
		return error_set(err, 500, "The database node listens on no local socket");

	node->bound.sun_family = AF_UNIX;
	memcpy(node->bound.sun_path + 1, name + 1, size - 1);
	node->bound_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size);
	return 0;
}

/* Most versions of the library leave the listener open for every program that is run. */
static void set_cloexec(const struct engine_node *node)
{
	long max = sysconf(_SC_OPEN_MAX);

	for (int fd = 3; fd < MIN_OF(max, (long)MAX_FD); fd++) {
		struct sockaddr_un name;
		socklen_t size = sizeof(name);

		if (getsockname(fd, (struct sockaddr *)&name, &size) == 0 &&
		    size == node->bound_size && memcmp(&name, &node->bound, size) == 0) {
			fcntl(fd, F_SETFD, FD_CLOEXEC);
			return;
		}
	}
}

static void node_free(struct engine_node *node)
{
	if (node->lib)
		LIB(node_destroy)(node->lib);
	if (node->lock >= 0)
		close(node->lock);
	free(node);
}
DEFINE_SCOPED(struct engine_node *, node_free);

static int node_new(const struct engine_options *options, struct engine_node **ret_node,
                    struct error **err)
{
	scoped(node_freep) struct engine_node *node = xcalloc(1, sizeof(*node));

	node->lock = -EBADF;
	node->connect = options->connect;
	node->connect_arg = options->connect_arg;

	int r = lock_dir(options->dir, &node->lock, err);
	if (r < 0)
		return r;
	if (LIB(node_create)(options->id, options->address, options->dir, &node->lib) != 0)
		return fail(node->lib, err, "preparing the database node");

	*ret_node = TAKE_PTR(node);
	return 0;
}

int engine_node_start(const struct engine_options *options, struct engine_node **ret_node,
                      struct error **err)
{
	scoped(node_freep) struct engine_node *node = NULL;

	int r = node_new(options, &node, err);
	if (r < 0)
		return r;
	r = configure(node, options, err);
	if (r < 0)
		return r;
	r = remember_bound(node, err);
	if (r < 0)
		return r;
	set_cloexec(node);
	if (LIB(node_start)(node->lib) != 0)
		return fail(node->lib, err, "starting the database node");

	*ret_node = TAKE_PTR(node);
	return 0;
}

int engine_node_connect(struct engine_node *node)
{
	scoped_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&node->bound, node->bound_size) < 0)
		return -errno;

	return TAKE_FD(fd);
}

void engine_node_stop(struct engine_node *node)
{
	if (!node)
		return;

	LIB(node_stop)(node->lib);
	node_free(node);
}

int engine_recover(const struct engine_options *options, const struct engine_member *members,
                   size_t n_members, struct error **err)
{
	scoped(node_freep) struct engine_node *node = NULL;

	int r = node_new(options, &node, err);
	if (r < 0)
		return r;

	scoped_free struct LIB(node_info_ext) *infos = xcalloc(n_members, sizeof(*infos));
	for (size_t i = 0; i < n_members; i++) {
		infos[i].size = sizeof(infos[i]);
		infos[i].id = members[i].id;
		infos[i].address = (uint64_t)(uintptr_t)members[i].address;
		infos[i].LIB_ROLE = (uint64_t)members[i].role;
	}
	if (LIB(node_recover_ext)(node->lib, infos, (int)n_members) != 0)
		return fail(node->lib, err, "rewriting the membership of the database");

	return 0;
}
