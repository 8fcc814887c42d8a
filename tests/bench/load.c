/*
 * Load and latency of one request of the API, many times: the client of the benchmark.
 *
 * Written in C because a client that costs more than the server measures itself. Speaks to whatever
 * has LXD's envelope, over the unix socket or TLS, with keep-alive or a new connection each time.
 *
 *   load (--unix SOCKET | --address HOST:PORT --cert FILE --key FILE) [OPTION...] METHOD PATH
 * [BODY]
 *     --connections N   that many at the same time (1)
 *     --count N         requests in all (1) ...
 *     --seconds S       ... or for that long
 *     --first N         what stands for the first "%d" in PATH and BODY (0), the next is one more
 *     --wait            an operation is followed to its end, which counts
 *     --fresh           a new connection for each request
 *     --exec            BODY asks for an exec with websockets: they are opened and read to their
 * end
 *
 * Prints one JSON object: requests, errors, seconds, and milliseconds in the middle, at 99 % and at
 * most.
 */
#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/base/alloc.h"
#include "lib/base/error.h"
#include "lib/base/str.h"
#include "lib/data/jv.h"
#include "lib/data/jv_parse.h"
#include "lib/net/http_client.h"
#include "lib/net/stream.h"

struct load {
	struct http_client_config config;
	const char *method, *path, *body;
	unsigned long connections, seconds, count, first;
	bool wait, fresh, exec;
};

struct lane {
	const struct load *load;
	unsigned long number, n, errors;
	double *took; /* n of them, ms. */
	char *complaint;
	pthread_t thread;
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* 'text' with its "%d" replaced by 'n'; owned, NULL for NULL. */
static char *numbered(const char *text, unsigned long n)
{
	char digits[24];

	if (!text)
		return NULL;
	snprintf(digits, sizeof(digits), "%lu", n);
	return str_replace(text, "%d", digits);
}

/* Reads one websocket of an exec until the server ends it. */
static int drain_socket(struct http_client *client, const char *operation, const char *secret,
                        struct error **err)
{
	scoped(stream_freep) struct stream *s = NULL;
	scoped_free char *path = xasprintf("%s/websocket?secret=%s", operation, secret);
	const struct http_request req = { .path = path, .timeout_ms = 60 * 1000 };
	enum { OP_CLOSE = 8, TIMEOUT = 60 * 1000 };
	uint8_t buffer[4096];

	if (http_client_upgrade(client, &req, "websocket", &s, err) < 0)
		return -EIO;
	/* A server's frame has no mask: two bytes, or ten as the length needs, and what it carries.
	 */
	while (stream_read_full(s, buffer, 2, TIMEOUT) == 0) {
		unsigned opcode = buffer[0] & 0xf, extra = buffer[1] == 126   ? 2
		                                           : buffer[1] == 127 ? 8
		                                                              : 0;
		uint64_t size = extra ? 0 : buffer[1];

		if (stream_read_full(s, buffer, extra, TIMEOUT) < 0)
			return -EPROTO;
		for (unsigned i = 0; i < extra; i++)
			size = size << 8 | buffer[i];
		while (size > 0) {
			size_t n = size < sizeof(buffer) ? (size_t)size : sizeof(buffer);

			if (stream_read_full(s, buffer, n, TIMEOUT) < 0)
				return -EPROTO;
			size -= n;
		}
		if (opcode == OP_CLOSE)
			return 0;
	}
	return 0;
}

struct drain {
	struct http_client *client;
	const char *operation, *secret;
};

static void *run_drain(void *arg)
{
	struct drain *d = arg;
	struct error *err = NULL;

	drain_socket(d->client, d->operation, d->secret, &err);
	error_free(err);
	return NULL;
}

/* Opens control and the three descriptors of an exec and reads all of them to their end. */
static int follow_exec(struct http_client *client, const char *operation,
                       struct json_object *envelope)
{
	static const char *const names[] = { "0", "1", "2", "control" };
	struct drain drains[4] = { 0 };
	pthread_t threads[4];
	unsigned n = 0;
	struct json_object *metadata = jv_member(envelope, "metadata");
	struct json_object *fds = jv_member(jv_member(metadata, "metadata"), "fds");

	for (unsigned i = 0; i < 4; i++) {
		const char *secret = jv_text(fds, names[i]);

		if (!secret)
			continue;
		drains[n] = (struct drain){ client, operation, secret };
		if (pthread_create(&threads[n], NULL, run_drain, &drains[n]) == 0)
			n++;
	}
	for (unsigned i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	return n > 0 ? 0 : -EPROTO;
}

static int once(const struct load *load, struct http_client *client, unsigned long n,
                struct error **err)
{
	scoped_free char *path = numbered(load->path, n), *body = numbered(load->body, n);
	scoped(http_response_done) struct http_response res = { 0 };
	scoped(jv_unrefp) struct json_object *envelope = NULL;
	const struct http_request req = { .method = load->method,
		                          .path = path,
		                          .body = body,
		                          .body_size = body ? strlen(body) : 0,
		                          .timeout_ms = 120 * 1000 };
	scoped_free char *operation = NULL;

	if (http_client_do(client, &req, &res, err) < 0)
		return -EIO;
	if (res.status >= 400)
		return http_client_error_of(&res, err);
	if (res.status != 202 || (!load->wait && !load->exec))
		return 0;

	if (jv_parse(res.body, res.size, &envelope, err) < 0)
		return -EPROTO;
	/* In a cluster LXD names the project behind a "?". */
	const char *url = jv_text(envelope, "operation");
	operation = xstrndup(url, strcspn(url, "?"));
	if (load->exec && follow_exec(client, operation, envelope) < 0)
		return error_set(err, 500, "No descriptors to connect to");

	scoped_free char *wait = xasprintf("%s/wait", operation);
	scoped(jv_unrefp) struct json_object *end = NULL;

	if (http_client_query(client, "GET", wait, NULL, 120 * 1000, &end, err) < 0)
		return -EIO;
	if (jv_number(jv_member(end, "metadata"), "status_code") != 200)
		return error_set(err, 500, "%s: %s", jv_text(jv_member(end, "metadata"), "status"),
		                 jv_text(jv_member(end, "metadata"), "err"));
	return 0;
}

static void *run_lane(void *arg)
{
	struct lane *lane = arg;
	const struct load *load = lane->load;
	scoped(http_client_unrefp) struct http_client *client = http_client_new(&load->config);
	double end = now() + (double)load->seconds * 1e3;
	size_t room = 0;

	for (unsigned long i = lane->number;; i += load->connections) {
		scoped(error_freep) struct error *err = NULL;
		double start = now();

		if (load->seconds ? start >= end : i >= load->count)
			return NULL;
		if (load->fresh && lane->n) {
			http_client_unref(client);
			client = http_client_new(&load->config);
		}
		if (once(load, client, load->first + i, &err) < 0) {
			lane->errors++;
			if (!lane->complaint)
				lane->complaint = xstrdup(err->msg);
		}
		if (lane->n == room) {
			room = room ? room * 2 : 1024;
			lane->took = xreallocarray(lane->took, room, sizeof(double));
		}
		lane->took[lane->n++] = now() - start;
	}
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void print(struct lane *lanes, unsigned long n_lanes, double seconds)
{
	unsigned long n = 0, errors = 0;
	const char *complaint = NULL;

	for (unsigned i = 0; i < n_lanes; i++)
		n += lanes[i].n, errors += lanes[i].errors;
	double *all = xcalloc(n + 1, sizeof(double));
	unsigned long at = 0;

	for (unsigned i = 0; i < n_lanes; i++) {
		if (lanes[i].n)
			memcpy(all + at, lanes[i].took, lanes[i].n * sizeof(double));
		at += lanes[i].n;
		complaint = complaint ? complaint : lanes[i].complaint;
		free(lanes[i].took);
	}
	qsort(all, n, sizeof(double), by_size);
	all[n] = 0;
	printf("{\"requests\":%lu,\"errors\":%lu,\"seconds\":%.4f,\"p50\":%.4f,\"p99\":%.4f,\"max\":%.4f}\n",
	       n, errors, seconds, all[n / 2], all[n * 99 / 100], all[n ? n - 1 : 0]);
	if (complaint)
		fprintf(stderr, "load: %s\n", complaint);
	free(all);
}

int main(int argc, char **argv)
{
	enum {
		OPT_UNIX = 1,
		OPT_ADDRESS,
		OPT_CERT,
		OPT_KEY,
		OPT_CONNECTIONS,
		OPT_COUNT,
		OPT_SECONDS,
		OPT_FIRST,
		OPT_WAIT,
		OPT_FRESH,
		OPT_EXEC,
		N_OPTIONS
	};
	static const struct option options[] = {
		{ "unix", 1, NULL, OPT_UNIX },
		{ "address", 1, NULL, OPT_ADDRESS },
		{ "cert", 1, NULL, OPT_CERT },
		{ "key", 1, NULL, OPT_KEY },
		{ "connections", 1, NULL, OPT_CONNECTIONS },
		{ "count", 1, NULL, OPT_COUNT },
		{ "seconds", 1, NULL, OPT_SECONDS },
		{ "first", 1, NULL, OPT_FIRST },
		{ "wait", 0, NULL, OPT_WAIT },
		{ "fresh", 0, NULL, OPT_FRESH },
		{ "exec", 0, NULL, OPT_EXEC },
		{ 0 },
	};
	struct load load = { .connections = 1, .count = 1, .config = { .trust_any = true } };
	const char **const texts[N_OPTIONS] = { [OPT_UNIX] = &load.config.unix_path,
		                                [OPT_ADDRESS] = &load.config.address,
		                                [OPT_CERT] = &load.config.cert_path,
		                                [OPT_KEY] = &load.config.key_path };
	unsigned long *const numbers[N_OPTIONS] = { [OPT_CONNECTIONS] = &load.connections,
		                                    [OPT_COUNT] = &load.count,
		                                    [OPT_SECONDS] = &load.seconds,
		                                    [OPT_FIRST] = &load.first };
	bool *const flags[N_OPTIONS] = {
		[OPT_WAIT] = &load.wait, [OPT_FRESH] = &load.fresh, [OPT_EXEC] = &load.exec
	};
	int option;

	while ((option = getopt_long(argc, argv, "+", options, NULL)) > 0) {
		if (option >= N_OPTIONS)
			return 2;
		if (texts[option])
			*texts[option] = optarg;
		if (numbers[option])
			*numbers[option] = strtoul(optarg, NULL, 10);
		if (flags[option])
			*flags[option] = true;
	}
	if (argc - optind < 2 || !load.connections ||
	    (!load.config.unix_path && !load.config.address))
		return fprintf(stderr, "load: wrong arguments, see the head of load.c\n"), 2;
	load.method = argv[optind];
	load.path = argv[optind + 1];
	load.body = argv[optind + 2];
	signal(SIGPIPE, SIG_IGN);

	struct lane *lanes = xcalloc(load.connections, sizeof(struct lane));
	double start = now();

	for (unsigned long i = 0; i < load.connections; i++) {
		lanes[i] = (struct lane){ .load = &load, .number = i };
		if (pthread_create(&lanes[i].thread, NULL, run_lane, &lanes[i]) != 0)
			return fprintf(stderr, "load: no thread\n"), 1;
	}
	for (unsigned long i = 0; i < load.connections; i++)
		pthread_join(lanes[i].thread, NULL);
	print(lanes, load.connections, (now() - start) / 1e3);
	free(lanes);
	return 0;
}
