#include "tests/kit/net_server.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/alloc.h"
#include "lib/base/file.h"
#include "lib/base/loop.h"
#include "lib/base/strbuf.h"
#include "lib/base/worker.h"
#include "lib/net/socket.h"
#include "lib/net/tls.h"
#include "lib/net/x509.h"

enum { TIMEOUT_MS = 20 * 1000 };

#define MUST(condition)                                                                 \
	do {                                                                            \
		if (!(condition)) {                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
			abort();                                                        \
		}                                                                       \
	} while (0)

static uint16_t listen_on_loopback(struct net_server *s, enum http_listener_kind kind)
{
	struct netaddr addr = { 0 };
	MUST(netaddr_parse("127.0.0.1", 0, &addr) == 0);
	int fd = socket_listen_tcp(&addr);
	MUST(fd >= 0);

	struct sockaddr_in in;
	socklen_t size = sizeof(in);
	MUST(getsockname(fd, (struct sockaddr *)&in, &size) == 0);
	http_server_add_listener_take(s->server, kind, fd);
	return ntohs(in.sin_port);
}

static void load_credentials(struct net_server *s)
{
	struct error *err = NULL;
	struct tls_credentials *cred = NULL;

	MUST(tls_credentials_load(s->cert_path, s->key_path, &cred, &err) == 0);
	http_server_set_credentials(s->server, cred);
	tls_credentials_unref(cred);
}

void net_server_start(struct net_server *s, const struct http_server_config *config)
{
	struct error *err = NULL;

	*s = (struct net_server){ .dir = "/tmp/muster-net-XXXXXX" };
	MUST(mkdtemp(s->dir));
	s->spool_dir = open(s->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	s->unix_path = xasprintf("%s/socket", s->dir);
	s->cert_path = xasprintf("%s/server.crt", s->dir);
	s->key_path = xasprintf("%s/server.key", s->dir);
	s->client_cert_path = xasprintf("%s/client.crt", s->dir);
	s->client_key_path = xasprintf("%s/client.key", s->dir);
	MUST(x509_ensure_files(s->cert_path, s->key_path, false, &err) == 0);
	MUST(x509_ensure_files(s->client_cert_path, s->client_key_path, true, &err) == 0);
	MUST(file_read(s->cert_path, 65536, &s->cert_pem, NULL) == 0);

	struct x509 *cert = NULL;
	MUST(x509_load(s->client_cert_path, &cert, &err) == 0);
	s->client_fingerprint = xstrdup(cert->fingerprint);
	x509_free(cert);

	s->loop = loop_new("loop");
	s->worker = worker_new("http", 4, 16);
	struct http_server_config copy = *config;
	copy.loop = s->loop;
	copy.worker = s->worker;
	copy.is_tls_on_unix = true;
	if (copy.body.size_max > 0)
		copy.body.spool_dir = s->spool_dir;
	s->server = http_server_new(&copy);
	load_credentials(s);

	int fd = socket_listen_unix(s->unix_path, 0600, (gid_t)-1);
	MUST(fd >= 0);
	http_server_add_listener_take(s->server, HTTP_LISTENER_UNIX, fd);
	s->tls_port = listen_on_loopback(s, HTTP_LISTENER_TLS);
	s->plain_port = listen_on_loopback(s, HTTP_LISTENER_PLAIN);
}

static void drop_file(char *path)
{
	MUST(unlink(path) == 0);
	free(path);
}

static void nothing(void *arg)
{
}

void net_server_stop(struct net_server *s)
{
	http_server_free(s->server);
	worker_free(s->worker);
	loop_call_wait(s->loop, nothing, NULL); /* What was put off is over. */
	loop_call_wait(s->loop, nothing, NULL);
	loop_free(s->loop);
	close(s->spool_dir);
	drop_file(s->unix_path);
	drop_file(s->cert_path);
	drop_file(s->key_path);
	drop_file(s->client_cert_path);
	drop_file(s->client_key_path);
	free(s->cert_pem);
	free(s->client_fingerprint);
	MUST(rmdir(s->dir) == 0);
}

int net_server_dial_plain(const struct net_server *s)
{
	struct netaddr addr = { 0 };

	MUST(netaddr_parse("127.0.0.1", s->plain_port, &addr) == 0);
	int fd = socket_connect_tcp(&addr, TIMEOUT_MS);
	MUST(fd >= 0);
	return fd;
}

int net_server_dial_unix(const struct net_server *s)
{
	int fd = socket_connect_unix(s->unix_path, TIMEOUT_MS);

	MUST(fd >= 0);
	return fd;
}

static struct stream *start_tls(const struct net_server *s, int fd, bool has_cert)
{
	struct error *err = NULL;
	struct tls_credentials *cred = NULL;

	if (has_cert)
		MUST(tls_credentials_load(s->client_cert_path, s->client_key_path, &cred, &err) ==
		     0);
	else
		MUST(tls_credentials_new(NULL, NULL, &cred, &err) == 0);
	struct tls_session *tls = tls_session_new(TLS_CLIENT, fd, cred, &(struct tls_options){ 0 });
	MUST(tls);
	tls_credentials_unref(cred);

	int r;
	while ((r = tls_session_handshake(tls)) == -EAGAIN)
		MUST(socket_wait(fd, tls_session_wants(tls), TIMEOUT_MS) == 0);
	MUST(r == 0);
	return stream_new_tls_take(tls, fd);
}

struct stream *net_server_dial_tls(const struct net_server *s, bool has_cert)
{
	struct netaddr addr = { 0 };

	MUST(netaddr_parse("127.0.0.1", s->tls_port, &addr) == 0);
	int fd = socket_connect_tcp(&addr, TIMEOUT_MS);
	MUST(fd >= 0);
	return start_tls(s, fd, has_cert);
}

struct stream *net_server_dial_starttls(const struct net_server *s)
{
	int fd = net_server_dial_unix(s);

	MUST(send(fd, "STARTTLS\n", 9, MSG_NOSIGNAL) == 9);
	return start_tls(s, fd, true);
}

struct http_client *net_server_client(const struct net_server *s)
{
	scoped_free char *address = xasprintf("127.0.0.1:%u", (unsigned)s->tls_port);
	const struct http_client_config config = {
		.address = address,
		.server_cert_pem = s->cert_pem,
		.cert_path = s->client_cert_path,
		.key_path = s->client_key_path,
	};

	return http_client_new(&config);
}

struct http_client *net_server_unix_client(const struct net_server *s)
{
	return http_client_new(&(struct http_client_config){ .unix_path = s->unix_path });
}

char *net_server_talk(struct stream *s, const void *text, size_t size, const char *until)
{
	struct strbuf all = { 0 };

	if (size > 0)
		(void)stream_write_full(s, text, size, TIMEOUT_MS);
	for (;;) {
		char *room = strbuf_reserve(&all, 4096);
		ssize_t n = stream_read(s, room, 4096);
		if (n == -EAGAIN) {
			MUST(stream_wait(s, stream_read_events(s), TIMEOUT_MS) == 0);
			continue;
		}
		if (n <= 0)
			break;
		strbuf_advance(&all, (size_t)n);
		if (until && strstr(strbuf_text(&all), until))
			break;
	}
	return strbuf_take(&all);
}
