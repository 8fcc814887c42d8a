#include "tests/sim/cluster_member.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cluster/bootstrap.h"
#include "cluster/certificate.h"
#include "cluster/cluster.h"
#include "cluster/cluster_conf.h"
#include "cluster/gateway.h"
#include "cluster/handover.h"
#include "cluster/heartbeat.h"
#include "cluster/join.h"
#include "cluster/join_leader.h"
#include "cluster/leave.h"
#include "cluster/raft_nodes.h"
#include "cluster/rebalance.h"
#include "cluster/recovery.h"
#include "cluster/trust.h"
#include "db/config.h"
#include "db/db.h"
#include "lib/base/alloc.h"
#include "lib/base/array.h"
#include "lib/base/date.h"
#include "lib/base/log.h"
#include "lib/base/loop.h"
#include "lib/base/parse.h"
#include "lib/base/path.h"
#include "lib/base/smap.h"
#include "lib/base/str.h"
#include "lib/base/strbuf.h"
#include "lib/base/strv.h"
#include "lib/base/thread.h"
#include "lib/base/worker.h"
#include "lib/data/jv.h"
#include "lib/data/jv_parse.h"
#include "lib/data/jv_print.h"
#include "lib/net/http_server.h"
#include "lib/net/socket.h"
#include "lib/net/tls.h"
#include "lib/net/websocket.h"
#include "lib/net/x509.h"

struct process {
	struct cluster *cluster;
	struct loop *loop;
	struct worker *worker;
	struct http_server *server;
	const char *address;

	/* On the loop only. */
	ARRAY_OF(struct websocket *) listeners;

	char *breakage; /* "crash" or "fail": what join_commit() does. */

	struct mutex lock;
	char **events; /* "member text" of each event that came. */
};

/* --- Routes --- */

static void reply(struct http_exchange *x, int status, struct json_object *body_take)
{
	size_t size = 0;
	char *text = jv_print_text(body_take, &size);

	jv_unref(body_take);
	http_exchange_add_header(x, "Content-Type", "application/json");
	http_exchange_reply_take(x, status, text, size);
}

static void reply_error(struct http_exchange *x, const struct error *err)
{
	struct json_object *o = jv_object();

	jv_set_string(o, "type", "error");
	jv_set_int(o, "error_code", err->status);
	jv_set_string(o, "error", err->msg);
	reply(x, err->status, o);
}

static void reply_ok(struct http_exchange *x, struct json_object *metadata_take)
{
	struct json_object *o = jv_object();

	jv_set_string(o, "type", "sync");
	jv_set_take(o, "metadata", metadata_take);
	reply(x, 200, o);
}

static void database_upgraded(struct stream *s, void *arg)
{
	struct process *p = arg;
	scoped(error_freep) struct error *err = NULL;

	if (s && gateway_accept_take(cluster_gateway(p->cluster), s, &err) < 0)
		log_warn("%s", err->msg);
}

static void listener_closed(struct websocket *ws, unsigned code, void *arg)
{
	struct process *p = arg;

	for (size_t i = 0; i < p->listeners.n_items; i++) {
		if (p->listeners.items[i] == ws) {
			ARRAY_REMOVE(&p->listeners, i);
			websocket_unref(ws);
			return;
		}
	}
}

static void events_upgraded(struct stream *s, void *arg)
{
	struct process *p = arg;
	const struct websocket_config config = { .role = WEBSOCKET_SERVER,
		                                 .on_close = listener_closed,
		                                 .arg = p };

	if (s)
		ARRAY_ADD(&p->listeners, websocket_new_take(p->loop, s, &config));
}

typedef int route_fn(struct process *p, struct json_object *body, bool is_member,
                     struct json_object **ret, struct error **err);

static int heartbeat(struct process *p, struct json_object *body, bool is_member,
                     struct json_object **ret, struct error **err)
{
	return heartbeat_local_receive(p->cluster, body, ret, err);
}

static int accept_joiner(struct process *p, struct json_object *body, bool is_member,
                         struct json_object **ret, struct error **err)
{
	return join_leader_accept(p->cluster, body, is_member, ret, err);
}

static int undo_joiner(struct process *p, struct json_object *body, bool is_member,
                       struct json_object **ret, struct error **err)
{
	return join_leader_undo(p->cluster, body, err);
}

static int rebalance(struct process *p, struct json_object *body, bool is_member,
                     struct json_object **ret, struct error **err)
{
	return rebalance_leader_receive(p->cluster, body, err);
}

static int take_role(struct process *p, struct json_object *body, bool is_member,
                     struct json_object **ret, struct error **err)
{
	return handover_leader_take(p->cluster, body, err);
}

static int reset(struct process *p, struct json_object *body, bool is_member,
                 struct json_object **ret, struct error **err)
{
	return leave_local_reset(p->cluster, err);
}

static int take_certificate(struct process *p, struct json_object *body, bool is_member,
                            struct json_object **ret, struct error **err)
{
	return certificate_local_receive(
		p->cluster, str_or_empty(jv_text(body, "cluster_certificate")),
		str_or_empty(jv_text(body, "cluster_certificate_key")), err);
}

static const struct {
	const char *method, *path;
	route_fn *fn;
	bool is_open;
} routes[] = {
	{ "PUT", "/internal/database", heartbeat, false },
	{ "POST", "/internal/cluster/accept", accept_joiner, true },
	{ "POST", "/internal/cluster/undo", undo_joiner, false },
	{ "POST", "/internal/cluster/rebalance", rebalance, false },
	{ "POST", "/internal/cluster/handover", take_role, false },
	{ "PUT", "/internal/cluster/reset", reset, false },
	{ "PUT", "/internal/cluster/certificate", take_certificate, false },
};

static int run_route(struct process *p, struct http_exchange *x, route_fn *fn, bool is_member,
                     struct json_object **ret, struct error **err)
{
	scoped(jv_unrefp) struct json_object *body = NULL;
	size_t size = 0;
	const char *text = http_exchange_body(x, &size);

	int r = size ? jv_parse_object(text, size, &body, err) : 0;
	if (r < 0)
		return r;
	return fn(p, body, is_member, ret, err);
}

static int remove_by_route(struct process *p, struct http_exchange *x, struct error **err)
{
	const char *name = str_after(http_exchange_path(x), "/1.0/cluster/members/");

	return leave_remove(p->cluster, name, http_exchange_query_value(x, "force") != NULL, err);
}

static void handle(struct http_exchange *x, void *arg)
{
	struct process *p = arg;
	const struct http_peer *peer = http_exchange_peer(x);
	const char *method = http_exchange_method(x), *path = http_exchange_path(x);
	bool is_member = trust_is_member(p->cluster, peer->fingerprint);
	struct json_object *metadata = NULL;
	scoped(error_freep) struct error *err = NULL;
	route_fn *fn = NULL;
	bool is_open = false;
	int r = 0;

	for (size_t i = 0; i < COUNT_OF(routes); i++) {
		if (strcmp(routes[i].method, method) == 0 && strcmp(routes[i].path, path) == 0) {
			fn = routes[i].fn;
			is_open = routes[i].is_open;
		}
	}
	if (!is_member && !is_open) {
		r = error_set(&err, 403, "not authorized");
	} else if (fn) {
		r = run_route(p, x, fn, is_member, &metadata, &err);
	} else if (http_exchange_wants_upgrade(x, "dqlite")) {
		http_exchange_upgrade(x, "dqlite", database_upgraded, p);
		return;
	} else if (http_exchange_wants_upgrade(x, "websocket")) {
		r = http_exchange_upgrade_websocket(x, events_upgraded, p, &err);
		if (r >= 0)
			return;
	} else if (strcmp(method, "DELETE") == 0) {
		r = remove_by_route(p, x, &err);
	} else {
		r = error_set(&err, 404, "not found");
	}
	if (r < 0)
		reply_error(x, err);
	else
		reply_ok(x, metadata);
}

/* --- Hooks --- */

static void certificate_changed(void *arg, const char *cert, const char *key)
{
	struct process *p = arg;
	scoped(tls_credentials_unrefp) struct tls_credentials *credentials = NULL;
	scoped(error_freep) struct error *err = NULL;

	if (tls_credentials_new(cert, key, &credentials, &err) < 0)
		log_error("%s", err->msg);
	else
		http_server_set_credentials(p->server, credentials);
}

static void event(void *arg, const char *member_name, const char *json, size_t size)
{
	struct process *p = arg;

	mutex_lock(&p->lock);
	strv_addf(&p->events, "%s:%.*s", member_name, (int)size, json);
	mutex_unlock(&p->lock);
}

static int join_commit(void *arg, struct db_tx *tx, int64_t member_id, struct error **err)
{
	struct process *p = arg;

	if (str_equals(p->breakage, "crash"))
		_exit(9);
	if (str_equals(p->breakage, "fail"))
		return error_set(err, 500, "Broken as asked");

	return 0;
}

/* --- Commands --- */

struct setting {
	const char *key, *value;
	struct smap config;
};

static int write_setting(struct db_tx *tx, void *arg, struct error **err)
{
	const struct setting *s = arg;

	return db_config_set(tx, s->key, s->value, err);
}

static int read_settings(struct db_tx *tx, void *arg, struct error **err)
{
	struct setting *s = arg;

	smap_clear(&s->config);
	return db_config_load(tx, &s->config, err);
}

static int do_token(struct process *p, char **words, struct strbuf *out, struct error **err)
{
	scoped(join_token_done) struct join_token token = { 0 };
	int r = join_leader_make_token(p->cluster, words[1], &token, err);
	if (r < 0)
		return r;

	scoped_free char *text = join_token_format(&token);
	strbuf_add(out, text);
	return 0;
}

static int do_join(struct process *p, char **words, struct strbuf *out, struct error **err)
{
	const struct join_request request = { .server_name = words[1],
		                              .server_address = p->address,
		                              .token = words[2] };

	return join_run(p->cluster, &request, err);
}

static int do_leader(struct process *p, char **words, struct strbuf *out, struct error **err)
{
	scoped_free char *address = NULL;
	int r = cluster_leader_address(p->cluster, &address, err);
	if (r < 0)
		return r;

	strbuf_add(out, address);
	return 0;
}

/* "m1=V* m2=S m3=-!": role, leader, offline ("?" when suspect). */
static int do_members(struct process *p, char **words, struct strbuf *out, struct error **err)
{
	scoped(member_list_unrefp) struct member_list *list = cluster_members(p->cluster);

	for (size_t i = 0; i < list->n_members; i++) {
		const struct member *m = &list->members[i];

		strbuf_addf(out, "%s%s=%c%s%s", i ? " " : "", m->name,
		            m->role == ROLE_VOTER     ? 'V'
		            : m->role == ROLE_STANDBY ? 'S'
		                                      : '-',
		            m->is_leader ? "*" : "", m->is_online ? "" : "!");
		strbuf_add(out, m->is_suspect ? "?" : "");
	}
	return 0;
}

static int do_name(struct process *p, char **words, struct strbuf *out, struct error **err)
{
	scoped_free char *name = cluster_member_name(p->cluster);

	strbuf_add(out, name);
	return 0;
}

static int do_write(struct process *p, char **words, struct strbuf *out, struct error **err)
{
	struct setting s = { .key = words[1], .value = words[2] };

	return db_write(cluster_db(p->cluster), write_setting, &s, err);
}

static int do_read(struct process *p, char **words, struct strbuf *out, struct error **err)
{
	struct setting s = { .key = words[1] };

	int r = db_read(cluster_db(p->cluster), read_settings, &s, err);
	if (r >= 0)
		strbuf_add(out, str_or_empty(smap_get(&s.config, s.key)));
	smap_done(&s.config);

	return r;
}

static int do_handover(struct process *p, char **words, struct strbuf *out, struct error **err)
{
	handover_run(p->cluster);
	return 0;
}

static int do_remove(struct process *p, char **words, struct strbuf *out, struct error **err)
{
	return leave_remove(p->cluster, words[1], words[2] != NULL, err);
}

static int do_rename(struct process *p, char **words, struct strbuf *out, struct error **err)
{
	return leave_rename(p->cluster, words[1], words[2], err);
}

static int do_bootstrap(struct process *p, char **words, struct strbuf *out, struct error **err)
{
	return bootstrap_run(p->cluster, words[1], p->address, err);
}

static int do_disable(struct process *p, char **words, struct strbuf *out, struct error **err)
{
	return bootstrap_disable(p->cluster, err);
}

static int do_reload(struct process *p, char **words, struct strbuf *out, struct error **err)
{
	return cluster_conf_changed(p->cluster, err);
}

static int do_break(struct process *p, char **words, struct strbuf *out, struct error **err)
{
	free(p->breakage);
	p->breakage = xstrdup(words[1]);
	return 0;
}

/* Another certificate for the cluster; its fingerprint. */
static int do_certificate(struct process *p, char **words, struct strbuf *out, struct error **err)
{
	const struct x509_wish wish = { .common_name = "cluster" };
	scoped_free char *cert = NULL, *key = NULL;

	int r = x509_generate(&wish, &cert, &key, err);
	if (r >= 0)
		r = certificate_update(p->cluster, cert, key, err);
	if (r < 0)
		return r;

	scoped(certificate_freep) struct certificate *shown = certificate_of_listener(p->cluster);
	strbuf_add(out, shown->fingerprint);
	return 0;
}

static int do_fingerprint(struct process *p, char **words, struct strbuf *out, struct error **err)
{
	scoped(certificate_freep) struct certificate *shown = certificate_of_listener(p->cluster);

	strbuf_add(out, shown->fingerprint);
	return 0;
}

struct publication {
	struct process *process;
	const char *text;
};

static void publish(void *arg)
{
	const struct publication *publication = arg;
	struct process *p = publication->process;

	for (size_t i = 0; i < p->listeners.n_items; i++)
		websocket_send(p->listeners.items[i], WEBSOCKET_TEXT, publication->text,
		               strlen(publication->text));
}

static int do_event(struct process *p, char **words, struct strbuf *out, struct error **err)
{
	struct publication publication = { .process = p, .text = words[1] };

	loop_call_wait(p->loop, publish, &publication);
	return 0;
}

static int do_events(struct process *p, char **words, struct strbuf *out, struct error **err)
{
	mutex_lock(&p->lock);
	scoped_free char *text = strv_join(p->events, " ");
	mutex_unlock(&p->lock);

	strbuf_add(out, text);
	return 0;
}

static const struct {
	const char *name;
	size_t n_words;
	int (*fn)(struct process *p, char **words, struct strbuf *out, struct error **err);
} commands[] = {
	{ "bootstrap", 2, do_bootstrap },
	{ "disable", 1, do_disable },
	{ "join", 3, do_join },
	{ "token", 2, do_token },
	{ "leader", 1, do_leader },
	{ "members", 1, do_members },
	{ "name", 1, do_name },
	{ "write", 3, do_write },
	{ "read", 2, do_read },
	{ "handover", 1, do_handover },
	{ "remove", 2, do_remove },
	{ "rename", 3, do_rename },
	{ "reload", 1, do_reload },
	{ "break", 2, do_break },
	{ "certificate", 1, do_certificate },
	{ "fingerprint", 1, do_fingerprint },
	{ "event", 2, do_event },
	{ "events", 1, do_events },
};

static void obey(struct process *p, char **words)
{
	scoped(strbuf_done) struct strbuf out = { 0 };
	scoped(error_freep) struct error *err = NULL;
	int r = error_set(&err, 400, "Unknown command");

	for (size_t i = 0; i < COUNT_OF(commands); i++) {
		if (strcmp(commands[i].name, words[0]) != 0 ||
		    strv_len(words) < commands[i].n_words)
			continue;
		error_clear(&err);
		r = commands[i].fn(p, words, &out, &err);
		break;
	}
	if (r < 0)
		printf("error %d %s\n", err->status, err->msg);
	else
		printf("ok %s\n", strbuf_text(&out));
	fflush(stdout);
}

/* MUSTER_TEST_LATENCY tries other times of raft than the default. */
static unsigned latency_ms(void)
{
	const char *text = getenv("MUSTER_TEST_LATENCY");
	int n = 0;

	return text && parse_int(text, &n) == 0 && n > 0 ? (unsigned)n : 0;
}

static int serve(struct process *p, const char *dir, struct error **err)
{
	const struct cluster_hooks hooks = { .arg = p,
		                             .certificate_changed = certificate_changed,
		                             .event = event,
		                             .join_commit = join_commit };
	const struct cluster_options options = { .dir = dir,
		                                 .loop = p->loop,
		                                 .hooks = &hooks,
		                                 .version = "test",
		                                 .latency_ms = latency_ms() };
	const struct http_server_config config = {
		.loop = p->loop, .worker = p->worker, .handler = handle, .arg = p
	};
	int fds[1];

	int r = cluster_new(&options, &p->cluster, err);
	if (r < 0)
		return r;
	p->server = http_server_new(&config);

	scoped(certificate_freep) struct certificate *shown = certificate_of_listener(p->cluster);
	certificate_changed(p, shown->cert, shown->key);
	r = socket_listen_address(p->address, 8443, fds, 1);
	if (r < 1)
		return error_set_errno(err, r, "Failed listening on \"%s\"", p->address);
	http_server_add_listener_take(p->server, HTTP_LISTENER_TLS, fds[0]);

	return cluster_start(p->cluster, 30000, err);
}

int cluster_member_recover(const char *dir)
{
	scoped(error_freep) struct error *err = NULL;
	struct raft_node *nodes = NULL;
	size_t n_nodes = 0;

	if (recovery_list(dir, &nodes, &n_nodes, &err) < 0 ||
	    recovery_from_quorum_loss(dir, &err) < 0) {
		printf("error %d %s\n", err->status, err->msg);
		return 1;
	}
	printf("ok %zu\n", n_nodes);
	raft_nodes_free(nodes, n_nodes);

	return 0;
}

int cluster_member_main(const char *dir, const char *address)
{
	struct process p = { .address = address, .lock = MUTEX_INIT };
	scoped_free char *cert = path_join(dir, "server.crt", NULL);
	scoped_free char *key = path_join(dir, "server.key", NULL);
	scoped(error_freep) struct error *err = NULL;
	char *line = NULL;
	size_t size = 0;

	cluster_setup_process();
	if (getenv("MUSTER_TEST_DEBUG"))
		log_set_level(LOG_LEVEL_DEBUG);
	p.loop = loop_new("loop");
	p.worker = worker_new("requests", 16, 0);
	if (x509_ensure_files(cert, key, false, &err) < 0 || serve(&p, dir, &err) < 0) {
		printf("error %d %s\n", err->status, err->msg);
		fflush(stdout);
		_exit(1);
	}
	printf("ok\n");
	fflush(stdout);

	while (getline(&line, &size, stdin) > 0) {
		scoped_free char *text = str_chomp(line);
		scoped(strv_freep) char **words = strv_split_trimmed(text, ' ');

		if (words && strcmp(words[0], "stop") == 0)
			break;
		if (words)
			obey(&p, words);
	}
	free(line);
	cluster_stop(p.cluster);
	http_server_free(p.server);
	cluster_free(p.cluster);
	worker_free(p.worker);
	loop_free(p.loop);
	strv_free(p.events);
	free(p.breakage);
	ARRAY_DONE(&p.listeners);

	return 0;
}
