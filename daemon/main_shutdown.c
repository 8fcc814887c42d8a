#include "daemon/main_shutdown.h"

#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <time.h>

#include "daemon/local_client.h"
#include "lib/base/date.h"
#include "lib/base/fd.h"
#include "lib/base/parse.h"
#include "lib/data/jv.h"
#include "lib/net/http_client.h"

static int read_timeout(int argc, char **argv, int64_t *ret_ms)
{
	static const struct option table[] = {
		{ "timeout", required_argument, NULL, 't' },
		{ "force", no_argument, NULL, 'f' },
		{ NULL, 0, NULL, 0 },
	};
	int64_t seconds = 0;
	int c;

	while ((c = getopt_long(argc, argv, "t:f", table, NULL)) >= 0) {
		if (c == 't' && parse_int64(optarg, &seconds) < 0) {
			fprintf(stderr, "Error: invalid timeout \"%s\"\n", optarg);
			return -1;
		}
		if (c == '?')
			return -1;
	}

	*ret_ms = seconds > 0 ? seconds * 1000 : -1;
	return 0;
}

int main_shutdown_run(int argc, char **argv)
{
	scoped(error_freep) struct error *err = NULL;
	scoped(http_client_unrefp) struct http_client *client = NULL;
	scoped(jv_unrefp) struct json_object *server = NULL;
	int64_t timeout;

	if (read_timeout(argc, argv, &timeout) < 0)
		return 1;

	client = local_client_new();
	if (local_client_call(client, "GET", "/1.0", NULL, &server, &err) < 0) {
		fprintf(stderr, "Error: %s\n", err->msg);
		return 1;
	}

	scoped_fd int pidfd =
		fd_of_pid((pid_t)jv_number(jv_member(server, "environment"), "server_pid"));

	if (local_client_call(client, "PUT", "/internal/shutdown", NULL, NULL, &err) < 0) {
		fprintf(stderr, "Error: %s\n", err->msg);
		return 1;
	}

	if (pidfd >= 0 && fd_wait(pidfd, POLLIN, date_deadline(timeout)) == 0) {
		fprintf(stderr, "Error: the daemon still runs after the timeout\n");
		return 1;
	}

	return 0;
}

int main_shutdown_wait(int argc, char **argv)
{
	const struct timespec pause = { .tv_nsec = 20000000 };
	scoped(http_client_unrefp) struct http_client *client = NULL;
	int64_t timeout;

	if (read_timeout(argc, argv, &timeout) < 0)
		return 1;

	/* Once the socket is there, the daemon itself holds the answer back until it is ready. */
	client = local_client_new();
	for (int64_t deadline = date_deadline(timeout); date_left(deadline) != 0;) {
		scoped(error_freep) struct error *err = NULL;

		if (local_client_call(client, "GET", "/internal/ready", NULL, NULL, &err) == 0)
			return 0;

		nanosleep(&pause, NULL);
	}

	fprintf(stderr, "Error: the daemon is still not running after the timeout\n");
	return 1;
}
