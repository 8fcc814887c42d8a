/*
 * The blocking client of one node.
 *
 * What was asked for ahead lies in a queue of whole messages, in the order in which the node will
 * answer them: answered, sent, not yet sent. A call whose message is the first unanswered one, byte
 * for byte, takes that one's answer; any other call first reads away what is still to come.
 */
#include "db/conn.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "db/row.h"
#include "db/stream.h"
#include "db/wire.h"
#include "lib/base/alloc.h"
#include "lib/base/date.h"
#include "lib/base/fd.h"

enum {
	MAX_PREPARED = 64,         /* Statements kept per connection; the server's memory counts. */
	MAX_IDLE_BUFFER = 1 << 18, /* A buffer that grew beyond is freed. */
	MAX_AHEAD = 1 << 14,       /* Bytes asked for ahead; less than a socket takes at once. */
	TYPE_AT = 4,               /* Where a message has its type. */
	MAX_NODES = 4096,
};

struct prepared {
	char *sql;
	uint64_t hash;
	uint64_t last_used;
	uint32_t id;
	uint64_t n_args;
};

struct db_conn {
	struct db_stream stream;
	bool is_broken;
	enum db_failure failure;
	uint32_t db;
	uint64_t clock; /* Counts requests, for the age of statements. */
	struct prepared prepared[MAX_PREPARED];
	size_t n_prepared;
	struct strbuf out;
	struct strbuf ahead; /* Messages of db_conn_ahead(). */
	size_t n_answered;   /* Bytes of them. */
	size_t n_sent;
	size_t n_stale; /* What nobody may take any more. */
	uint64_t n_requests;
	struct wire_rows rows;
};

/* Results codes of SQLite and of the engine; the rest is an error of the statement. */
enum {
	CODE_BUSY = 5,
	CODE_LOCKED = 6,
	CODE_NOMEM = 7,
	CODE_ABORT = 4,
	CODE_IOERR = 10,
	CODE_NOTFOUND = 12,
	CODE_CONSTRAINT = 19,
	CODE_NOT_LEADER = 10250,     /* SQLITE_IOERR_NOT_LEADER */
	CODE_LEADERSHIP_LOST = 10506 /* SQLITE_IOERR_LEADERSHIP_LOST */
};

static enum db_failure failure_of_code(uint64_t code, const char *text)
{
	if (code == CODE_NOT_LEADER)
		return DB_FAILURE_NOT_LEADER;
	if (code == CODE_NOTFOUND)
		return DB_FAILURE_NOT_LEADER; /* "no database opened": it lost its leader. */
	if (code == CODE_NOMEM && strcmp(text, "out of memory") == 0)
		return DB_FAILURE_SQL;

	switch (code & UCHAR_MAX) {
	case CODE_BUSY:
	case CODE_LOCKED:
		return DB_FAILURE_BUSY;
	case CODE_NOMEM: /* Raft's "not leader", leaking during a transfer. */
	case CODE_ABORT:
	case CODE_IOERR: /* Also 778 (disk full) and 10506 (leadership lost). */
		return DB_FAILURE_UNKNOWN;
	default:
		return DB_FAILURE_SQL;
	}
}

static int break_with(struct db_conn *conn, enum db_failure failure, int code, struct error **err)
{
	conn->is_broken = true;
	conn->failure = failure;
	/* At once, so that the server rolls back and releases its lock. */
	shutdown(conn->stream.fd, SHUT_RDWR);
	return error_set_errno(err, code, "Failed talking to the database");
}

/* An answer of type FAILURE as an error; the connection lives on if nothing is in doubt. */
static int fail_as_told(struct db_conn *conn, struct bytes body, struct error **err)
{
	uint64_t code = bytes_le64(&body);
	const char *text = wire_get_text(&body);

	if (!text)
		return break_with(conn, DB_FAILURE_UNKNOWN, -EBADMSG, err);

	conn->failure = failure_of_code(code, text);
	switch (conn->failure) {
	case DB_FAILURE_NOT_LEADER:
	case DB_FAILURE_UNKNOWN:
		conn->is_broken = true;
		shutdown(conn->stream.fd, SHUT_RDWR);
		return error_set(err, 503, "The database has no leader: %s", text);
	case DB_FAILURE_BUSY:
		return error_set(err, 503, "The database is busy: %s", text);
	default:
		return db_row_error(code, text, err);
	}
}

/* Begins a request; the caller adds the body and calls exchange(). */
static size_t begin(struct db_conn *conn, enum wire_request type)
{
	if (conn->out.capacity > MAX_IDLE_BUFFER)
		strbuf_done(&conn->out);
	strbuf_truncate(&conn->out, 0);
	conn->failure = DB_FAILURE_NONE;
	conn->clock++;
	return wire_begin(&conn->out, type);
}

/* The size of the message of the queue that begins at 'at'. */
static size_t size_at(const struct db_conn *conn, size_t at)
{
	struct bytes head = { .data = (const uint8_t *)conn->ahead.text + at, .size = WIRE_WORD };

	return WIRE_WORD + (size_t)bytes_le32(&head) * WIRE_WORD;
}

static void forget_ahead(struct db_conn *conn)
{
	strbuf_truncate(&conn->ahead, 0);
	conn->n_answered = conn->n_sent = conn->n_stale = 0;
}

/* Reads an answer away, of however many messages. */
static int skip_answer(struct db_conn *conn, int64_t deadline)
{
	struct wire_header header;
	struct bytes body;

	do {
		int r = db_stream_receive(&conn->stream, deadline, &header, &body);
		if (r < 0)
			return r;
	} while (header.type == WIRE_ROWS && wire_rows_has_more(&body));

	return 0;
}

/* Reads away the answers to what was sent ahead, up to that of the message at 'end'. */
static int skip_answers(struct db_conn *conn, int64_t deadline, size_t end)
{
	while (conn->n_answered < end) {
		int r = skip_answer(conn, deadline);
		if (r < 0)
			return r;
		conn->n_answered += size_at(conn, conn->n_answered);
	}

	return 0;
}

/* Whether the message in 'out' was sent or is to be sent ahead, and where it is there. */
static bool find_ahead(const struct db_conn *conn, size_t *ret_at)
{
	size_t size = conn->out.size;

	size_t begin = MAX_OF(conn->n_answered, conn->n_stale);

	for (size_t at = begin; at < conn->ahead.size; at += size_at(conn, at)) {
		if (size_at(conn, at) == size &&
		    memcmp(conn->ahead.text + at, conn->out.text, size) == 0) {
			*ret_at = at;
			return true;
		}
	}

	return false;
}

/* Sees to it that the answer to the message of the queue at 'at' is the next to come. */
static int take_ahead(struct db_conn *conn, int64_t deadline, size_t at)
{
	int r = 0;

	if (at >= conn->n_sent) {
		r = db_stream_send(&conn->stream, conn->ahead.text + conn->n_sent,
		                   conn->ahead.size - conn->n_sent, deadline);
		conn->n_sent = conn->ahead.size;
	}
	if (r == 0)
		r = skip_answers(conn, deadline, at);
	conn->n_answered = at + conn->out.size;
	if (conn->n_answered == conn->ahead.size)
		forget_ahead(conn);
	return r;
}

/* Sees to it that the answer to the message in 'out' is the next to come. */
static int send_message(struct db_conn *conn, int64_t deadline)
{
	int r = 0;
	size_t at;

	if (find_ahead(conn, &at))
		return take_ahead(conn, deadline, at);

	/* What only prepares may overtake what was not sent yet. */
	if (conn->n_sent > conn->n_answered || conn->out.text[TYPE_AT] != WIRE_PREPARE) {
		r = skip_answers(conn, deadline, conn->n_sent);
		forget_ahead(conn);
	}
	conn->n_requests++;
	return r < 0 ? r : db_stream_send(&conn->stream, conn->out.text, conn->out.size, deadline);
}

/* Sends what begin() began and receives the answer, which must be of type 'answer'. */
static int exchange(struct db_conn *conn, int64_t deadline, size_t start, enum wire_answer answer,
                    struct bytes *ret_body, struct error **err)
{
	struct wire_header header = { 0 };
	struct bytes body = { 0 };

	if (conn->is_broken) {
		conn->failure = DB_FAILURE_NOT_LEADER;
		return error_set(err, 503, "The connection to the database is gone");
	}

	wire_end(&conn->out, start);
	int r = send_message(conn, deadline);
	if (r == 0)
		r = db_stream_receive(&conn->stream, deadline, &header, &body);
	if (r < 0)
		return break_with(conn, DB_FAILURE_UNKNOWN, r, err);
	if (header.type == WIRE_FAILURE)
		return fail_as_told(conn, body, err);
	if (header.type != answer)
		return break_with(conn, DB_FAILURE_UNKNOWN, -EBADMSG, err);

	*ret_body = body;
	return 0;
}

static int refuse_message(struct db_conn *conn, struct error **err)
{
	return break_with(conn, DB_FAILURE_UNKNOWN, -EBADMSG, err);
}

int db_conn_open(int fd, int64_t deadline, struct db_conn **ret_conn, struct error **err)
{
	scoped(db_conn_freep) struct db_conn *conn = xcalloc(1, sizeof(*conn));
	struct strbuf hello = { 0 };

	conn->stream.fd = fd;
	fd_set_nonblock(fd, false);
	bytes_put_le64(&hello, WIRE_HANDSHAKE);
	int r = db_stream_send(&conn->stream, hello.text, hello.size, deadline);
	strbuf_done(&hello);
	if (r < 0)
		return error_set_errno(err, r, "Failed talking to the database");

	*ret_conn = TAKE_PTR(conn);
	return 0;
}

void db_conn_free(struct db_conn *conn)
{
	if (!conn)
		return;

	for (size_t i = 0; i < conn->n_prepared; i++)
		free(conn->prepared[i].sql);
	close(conn->stream.fd);
	db_stream_done(&conn->stream);
	strbuf_done(&conn->out);
	strbuf_done(&conn->ahead);
	wire_rows_done(&conn->rows);
	free(conn);
}

bool db_conn_is_broken(const struct db_conn *conn)
{
	return conn->is_broken;
}

enum db_failure db_conn_failure(const struct db_conn *conn)
{
	return conn->failure;
}

uint64_t db_conn_n_requests(const struct db_conn *conn)
{
	return conn->n_requests;
}

void db_conn_cut(struct db_conn *conn)
{
	shutdown(conn->stream.fd, SHUT_RDWR);
}

int db_conn_leader(struct db_conn *conn, int64_t deadline, uint64_t *ret_id, char **ret_address,
                   struct error **err)
{
	struct bytes body;
	size_t start = begin(conn, WIRE_LEADER);

	bytes_put_le64(&conn->out, 0);
	int r = exchange(conn, deadline, start, WIRE_SERVER, &body, err);
	if (r < 0)
		return r;

	uint64_t id = bytes_le64(&body);
	const char *address = wire_get_text(&body);
	if (!address)
		return refuse_message(conn, err);

	*ret_id = id;
	*ret_address = xstrdup(address);
	return 0;
}

void db_conn_nodes_done(struct db_conn_nodes *nodes)
{
	for (size_t i = 0; i < nodes->n; i++)
		free(nodes->rows[i].address);
	free(nodes->rows);
	*nodes = (struct db_conn_nodes){ 0 };
}

int db_conn_cluster(struct db_conn *conn, int64_t deadline, struct db_conn_nodes *ret_nodes,
                    struct error **err)
{
	struct bytes body;
	size_t start = begin(conn, WIRE_CLUSTER);

	bytes_put_le64(&conn->out, 1); /* The format with roles. */
	int r = exchange(conn, deadline, start, WIRE_SERVERS, &body, err);
	if (r < 0)
		return r;

	scoped(db_conn_nodes_done) struct db_conn_nodes nodes = { 0 };
	uint64_t n = bytes_le64(&body);
	if (body.is_bad || n > MAX_NODES)
		return refuse_message(conn, err);

	nodes.rows = xcalloc(n, sizeof(*nodes.rows));
	for (uint64_t i = 0; i < n; i++) {
		uint64_t id = bytes_le64(&body);
		const char *address = wire_get_text(&body);
		uint64_t role = bytes_le64(&body);
		if (body.is_bad || role > ENGINE_SPARE)
			return refuse_message(conn, err);

		nodes.rows[nodes.n++] = (struct db_conn_node){ .id = id,
			                                       .address = xstrdup(address),
			                                       .role = (enum engine_role)role };
	}

	*ret_nodes = nodes;
	nodes = (struct db_conn_nodes){ 0 };
	return 0;
}

/* Ends a request whose answer says nothing but that it was done. */
static int exchange_empty(struct db_conn *conn, int64_t deadline, size_t start, struct error **err)
{
	struct bytes body;

	return exchange(conn, deadline, start, WIRE_EMPTY, &body, err);
}

int db_conn_add(struct db_conn *conn, int64_t deadline, uint64_t id, const char *address,
                struct error **err)
{
	size_t start = begin(conn, WIRE_ADD);

	bytes_put_le64(&conn->out, id);
	wire_put_text(&conn->out, address);
	return exchange_empty(conn, deadline, start, err);
}

int db_conn_assign(struct db_conn *conn, int64_t deadline, uint64_t id, enum engine_role role,
                   struct error **err)
{
	size_t start = begin(conn, WIRE_ASSIGN);

	bytes_put_le64(&conn->out, id);
	bytes_put_le64(&conn->out, (uint64_t)role);
	return exchange_empty(conn, deadline, start, err);
}

int db_conn_remove(struct db_conn *conn, int64_t deadline, uint64_t id, struct error **err)
{
	size_t start = begin(conn, WIRE_REMOVE);

	bytes_put_le64(&conn->out, id);
	return exchange_empty(conn, deadline, start, err);
}

int db_conn_transfer(struct db_conn *conn, int64_t deadline, uint64_t id, struct error **err)
{
	size_t start = begin(conn, WIRE_TRANSFER);

	bytes_put_le64(&conn->out, id);
	return exchange_empty(conn, deadline, start, err);
}

int db_conn_open_database(struct db_conn *conn, int64_t deadline, const char *name,
                          struct error **err)
{
	struct bytes body;
	size_t start = begin(conn, WIRE_OPEN);

	wire_put_text(&conn->out, name);
	bytes_put_le64(&conn->out, 0);
	wire_put_text(&conn->out, "");
	int r = exchange(conn, deadline, start, WIRE_DB, &body, err);
	if (r < 0)
		return r;

	conn->db = bytes_le32(&body);
	return body.is_bad ? refuse_message(conn, err) : 0;
}

/* FNV-1a; collisions are told apart by the text. */
static uint64_t hash_of(const char *s)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (; *s; s++)
		hash = (hash ^ (uint8_t)*s) * UINT64_C(0x100000001b3);
	return hash;
}

static int finalize(struct db_conn *conn, int64_t deadline, uint32_t id, struct error **err)
{
	size_t start = begin(conn, WIRE_FINALIZE);

	bytes_put_le32(&conn->out, conn->db);
	bytes_put_le32(&conn->out, id);
	return exchange_empty(conn, deadline, start, err);
}

/* Makes room for one more statement: the one that was not used longest goes. */
static int evict(struct db_conn *conn, int64_t deadline, struct error **err)
{
	struct prepared *oldest = &conn->prepared[0];

	for (size_t i = 1; i < conn->n_prepared; i++)
		if (conn->prepared[i].last_used < oldest->last_used)
			oldest = &conn->prepared[i];

	int r = finalize(conn, deadline, oldest->id, err);
	if (r < 0)
		return r;

	free(oldest->sql);
	*oldest = conn->prepared[--conn->n_prepared];
	return 0;
}

/* Prepares a statement, unless it is; NULL on failure. Borrowed until the next one. */
static const struct prepared *prepare(struct db_conn *conn, int64_t deadline, const char *sql,
                                      struct error **err)
{
	uint64_t hash = hash_of(sql);

	for (size_t i = 0; i < conn->n_prepared; i++) {
		struct prepared *p = &conn->prepared[i];

		if (p->hash == hash && strcmp(p->sql, sql) == 0) {
			p->last_used = conn->clock;
			return p;
		}
	}

	if (conn->n_prepared == MAX_PREPARED && evict(conn, deadline, err) < 0)
		return NULL;

	struct bytes body;
	size_t start = begin(conn, WIRE_PREPARE);
	bytes_put_le64(&conn->out, conn->db);
	wire_put_text(&conn->out, sql);
	if (exchange(conn, deadline, start, WIRE_STMT, &body, err) < 0)
		return NULL;

	bytes_le32(&body);
	uint32_t id = bytes_le32(&body);
	uint64_t n_args = bytes_le64(&body);
	if (body.is_bad) {
		refuse_message(conn, err);
		return NULL;
	}

	struct prepared *p = &conn->prepared[conn->n_prepared++];
	*p = (struct prepared){ .sql = xstrdup(sql),
		                .hash = hash,
		                .last_used = conn->clock,
		                .id = id,
		                .n_args = n_args };
	return p;
}

/* Begins EXEC or QUERY. All arguments are always given: the server keeps those of the last run. */
static int begin_run(struct db_conn *conn, int64_t deadline, enum wire_request type,
                     const char *sql, struct db_args args, size_t *ret_start, struct error **err)
{
	const struct prepared *p = prepare(conn, deadline, sql, err);

	if (!p)
		return (*err)->code;
	if (p->n_args != args.n) {
		conn->failure = DB_FAILURE_SQL;
		return error_set(err, 500, "The statement takes %llu arguments, not %zu",
		                 (unsigned long long)p->n_args, args.n);
	}

	*ret_start = begin(conn, type);
	bytes_put_le32(&conn->out, conn->db);
	bytes_put_le32(&conn->out, p->id);
	int r = wire_put_args(&conn->out, args);
	if (r < 0) {
		conn->failure = DB_FAILURE_SQL;
		return error_set_errno(err, r, "Failed running a statement");
	}

	return 0;
}

void db_conn_ahead(struct db_conn *conn, int64_t deadline, enum db_ahead what, const char *sql,
                   struct db_args args)
{
	scoped(error_freep) struct error *ignored = NULL;
	enum wire_request type = what == DB_AHEAD_EXEC ? WIRE_EXEC : WIRE_QUERY;
	size_t start;

	/* Whoever asks then fails for the same reason, and tells it. */
	if (begin_run(conn, deadline, type, sql, args, &start, &ignored) < 0)
		return;
	wire_end(&conn->out, start);
	if (conn->ahead.size + conn->out.size > MAX_AHEAD)
		return;

	strbuf_add_n(&conn->ahead, conn->out.text, conn->out.size);
	conn->n_requests++;
}

void db_conn_forget_ahead(struct db_conn *conn)
{
	strbuf_truncate(&conn->ahead, conn->n_sent);
	conn->n_stale = conn->n_sent;
}

int db_conn_exec_all(struct db_conn *conn, int64_t deadline, const char *sql, struct db_args args,
                     struct error **err)
{
	struct bytes body;
	size_t start = begin(conn, WIRE_EXEC_SQL);

	bytes_put_le64(&conn->out, conn->db);
	wire_put_text(&conn->out, sql);
	int r = wire_put_args(&conn->out, args);
	if (r < 0) {
		conn->failure = DB_FAILURE_SQL;
		return error_set_errno(err, r, "Failed running a statement");
	}

	return exchange(conn, deadline, start, WIRE_RESULT, &body, err);
}

int db_conn_exec(struct db_conn *conn, int64_t deadline, const char *sql, struct db_args args,
                 int64_t *ret_id, int64_t *ret_changes, struct error **err)
{
	struct bytes body;
	size_t start;

	int r = begin_run(conn, deadline, WIRE_EXEC, sql, args, &start, err);
	if (r < 0)
		return r;
	r = exchange(conn, deadline, start, WIRE_RESULT, &body, err);
	if (r < 0)
		return r;

	int64_t id = (int64_t)bytes_le64(&body);
	int64_t changes = (int64_t)bytes_le64(&body);
	if (body.is_bad)
		return refuse_message(conn, err);
	if (ret_id)
		*ret_id = id;
	if (ret_changes)
		*ret_changes = changes;
	return 0;
}

/* Reads one message of rows; returns 1 if another follows. 'stopped' is what 'fn' returned. */
static int read_rows(struct db_conn *conn, struct bytes body, db_row_fn *fn, void *arg,
                     int *stopped, struct error **err)
{
	int r = wire_rows_begin(&conn->rows, body.data, body.size);
	if (r < 0)
		return refuse_message(conn, err);

	for (;;) {
		r = wire_rows_next(&conn->rows);
		if (r < 0)
			return refuse_message(conn, err);
		if (r != WIRE_ROW)
			return r == WIRE_ROWS_MORE;
		if (*stopped)
			continue;

		struct db_row row = { .names = conn->rows.names,
			              .values = conn->rows.values,
			              .n_columns = conn->rows.n_columns };
		*stopped = fn(&row, arg, err);
	}
}

int db_conn_query(struct db_conn *conn, int64_t deadline, const char *sql, struct db_args args,
                  db_row_fn *fn, void *arg, struct error **err)
{
	struct bytes body;
	size_t start;
	int stopped = 0;

	int r = begin_run(conn, deadline, WIRE_QUERY, sql, args, &start, err);
	if (r < 0)
		return r;
	r = exchange(conn, deadline, start, WIRE_ROWS, &body, err);
	if (r < 0)
		return r;

	for (;;) {
		/* Once 'fn' has stopped, its error is the one to keep. */
		scoped(error_freep) struct error *late = NULL;
		struct wire_header header;

		r = read_rows(conn, body, fn, arg, &stopped, stopped ? &late : err);
		if (r <= 0)
			break;

		r = db_stream_receive(&conn->stream, deadline, &header, &body);
		if (r < 0) {
			r = break_with(conn, DB_FAILURE_UNKNOWN, r, stopped ? &late : err);
			break;
		}
		if (header.type == WIRE_FAILURE) {
			r = fail_as_told(conn, body, stopped ? &late : err);
			break;
		}
		if (header.type != WIRE_ROWS) {
			r = break_with(conn, DB_FAILURE_UNKNOWN, -EBADMSG, stopped ? &late : err);
			break;
		}
	}

	db_stream_shrink(&conn->stream);
	return stopped ? stopped : r;
}
