/*
 * Each candidate has a thread of its own, so that one that does not answer holds up nobody. The
 * threads share a search; the first that finds a leader puts its connection there and all others
 * end. The caller returns with it at once: threads that hang in a dial end later, by themselves,
 * and db_leader_free() waits for them.
 */
#include "db/leader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/refs.h"
#include "lib/base/strv.h"
#include "lib/base/thread.h"

enum {
	MAX_PROBES = 32,
	DIAL_MS = 2000, /* Time for a dial and a question. */
	MIN_PAUSE_MS = 20,
	MAX_PAUSE_MS = 50,
};

struct db_leader {
	struct mutex mutex;
	struct cond ended;
	const struct db_ops *ops;
	void *ops_arg;
	unsigned n_probes GUARDED;
};

struct search {
	struct mutex mutex;
	struct cond changed;
	struct refs refs;
	struct db_leader *leader;
	int64_t deadline;
	bool is_over GUARDED; /* Found, or given up. */
	struct db_conn *conn GUARDED;
	char *address GUARDED;
	char **asked GUARDED; /* Addresses that have a thread. */
	unsigned n_running GUARDED;
};

struct probe {
	struct search *search;
	char *address;
	struct db_conn *conn; /* Kept between questions. */
};

struct db_leader *db_leader_new(const struct db_ops *ops, void *ops_arg)
{
	struct db_leader *leader = xcalloc(1, sizeof(*leader));

	mutex_init(&leader->mutex);
	cond_init(&leader->ended);
	leader->ops = ops;
	leader->ops_arg = ops_arg;
	return leader;
}

void db_leader_free(struct db_leader *leader)
{
	if (!leader)
		return;

	mutex_lock(&leader->mutex);
	while (leader->n_probes > 0)
		cond_wait(&leader->ended, &leader->mutex);
	mutex_unlock(&leader->mutex);

	mutex_done(&leader->mutex);
	cond_done(&leader->ended);
	free(leader);
}

static void search_unref(struct search *search) NO_LOCK_CHECK
{
	if (!refs_put(&search->refs))
		return;

	db_conn_free(search->conn);
	free(search->address);
	strv_free(search->asked);
	mutex_done(&search->mutex);
	cond_done(&search->changed);
	free(search);
}
DEFINE_SCOPED(struct search *, search_unref);

static void *probe_run(void *arg);

/* Starts a thread that asks 'address', unless there is one. */
static void search_ask(struct search *search, const char *address)
{
	mutex_lock(&search->mutex);
	bool is_new = *address && !search->is_over && !strv_contains(search->asked, address) &&
	              strv_len(search->asked) < MAX_PROBES;
	if (is_new) {
		strv_add(&search->asked, address);
		search->n_running++;
	}
	mutex_unlock(&search->mutex);
	if (!is_new)
		return;

	struct probe *probe = xcalloc(1, sizeof(*probe));
	probe->search = search;
	probe->address = xstrdup(address);
	refs_get(&search->refs);
	mutex_lock(&search->leader->mutex);
	search->leader->n_probes++;
	mutex_unlock(&search->leader->mutex);
	if (thread_start_detached("db-probe", 0, probe_run, probe) < 0)
		probe_run(probe); /* No thread to be had: ask from here, once. */
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* Asks who leads. Returns 1 if it is the node itself. */
static int probe_ask(struct probe *probe, char **ret_address, struct error **err)
{
	struct search *search = probe->search;
	int64_t deadline = earlier(search->deadline, date_deadline(DIAL_MS));
	uint64_t id;

	if (!probe->conn) {
		int fd = search->leader->ops->dial(search->leader->ops_arg, probe->address,
		                                   deadline);
		if (fd < 0)
			return error_set_errno(err, fd, "Failed connecting to \"%s\"",
			                       probe->address);
		int r = db_conn_open(fd, deadline, &probe->conn, err);
		if (r < 0)
			return r;
	}

	int r = db_conn_leader(probe->conn, deadline, &id, ret_address, err);
	if (r < 0) {
		db_conn_free(probe->conn);
		probe->conn = NULL;
		return r;
	}

	return strcmp(*ret_address, probe->address) == 0;
}

/* Waits before the next question; returns false if the search is over. */
static bool probe_pause(struct search *search, int64_t pause_ms)
{
	int64_t until = earlier(search->deadline, date_deadline(pause_ms));

	mutex_lock(&search->mutex);
	while (!search->is_over && thread_cond_wait_until(&search->changed, &search->mutex, until))
		;
	bool goes_on = !search->is_over && date_left(search->deadline) != 0;
	mutex_unlock(&search->mutex);
	return goes_on;
}

static void probe_found(struct probe *probe)
{
	struct search *search = probe->search;

	mutex_lock(&search->mutex);
	if (!search->is_over) {
		search->is_over = true;
		search->conn = TAKE_PTR(probe->conn);
		search->address = xstrdup(probe->address);
		cond_broadcast(&search->changed);
	}
	mutex_unlock(&search->mutex);
}

static void probe_end(struct probe *probe)
{
	struct search *search = probe->search;
	struct db_leader *leader = search->leader;

	db_conn_free(probe->conn);
	free(probe->address);
	free(probe);

	mutex_lock(&search->mutex);
	search->n_running--;
	cond_broadcast(&search->changed);
	mutex_unlock(&search->mutex);
	search_unref(search);

	mutex_lock(&leader->mutex);
	leader->n_probes--;
	cond_broadcast(&leader->ended);
	mutex_unlock(&leader->mutex);
}

static void *probe_run(void *arg)
{
	struct probe *probe = arg;
	int64_t pause = MIN_PAUSE_MS;

	do {
		scoped(error_freep) struct error *err = NULL;
		scoped_free char *address = NULL;

		int r = probe_ask(probe, &address, &err);
		if (r > 0) {
			probe_found(probe);
			break;
		}
		if (r == 0)
			search_ask(probe->search, address);
		pause = earlier(pause * 3 / 2, MAX_PAUSE_MS);
	} while (probe_pause(probe->search, pause));

	probe_end(probe);
	return NULL;
}

static struct search *search_new(struct db_leader *leader, int64_t deadline)
{
	struct search *search = xcalloc(1, sizeof(*search));

	refs_init(&search->refs);
	mutex_init(&search->mutex);
	cond_init(&search->changed);
	search->leader = leader;
	search->deadline = deadline;
	return search;
}

int db_leader_connect(struct db_leader *leader, int64_t deadline, struct db_conn **ret_conn,
                      char **ret_address, struct error **err)
{
	scoped(search_unrefp) struct search *search = search_new(leader, deadline);
	scoped(strv_freep) char **candidates = leader->ops->candidates(leader->ops_arg);

	STRV_FOREACH (address, candidates)
		search_ask(search, address);

	mutex_lock(&search->mutex);
	while (!search->is_over && search->n_running > 0) {
		if (!thread_cond_wait_until(&search->changed, &search->mutex, deadline))
			break;
	}
	search->is_over = true;
	cond_broadcast(&search->changed);
	*ret_conn = TAKE_PTR(search->conn);
	*ret_address = TAKE_PTR(search->address);
	mutex_unlock(&search->mutex);

	if (!*ret_conn)
		return error_set(err, 503, "The database has no leader");
	return 0;
}

int db_leader_connect_to(struct db_leader *leader, const char *address, int64_t deadline,
                         struct db_conn **ret_conn, struct error **err)
{
	scoped_free char *told = NULL;
	struct search search = { .leader = leader, .deadline = deadline };
	struct probe probe = { .search = &search, .address = (char *)address };

	int r = probe_ask(&probe, &told, err);
	if (r > 0) {
		*ret_conn = probe.conn;
		return 0;
	}

	db_conn_free(probe.conn);
	return r < 0 ? r : error_set(err, 503, "\"%s\" does not lead the database", address);
}
