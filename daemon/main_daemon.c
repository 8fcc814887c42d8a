#include "daemon/main_daemon.h"

#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/state.h"
#include "daemon/service_manager.h"
#include "daemon/startup.h"
#include "lib/base/failpoint.h"
#include "lib/base/log.h"
#include "lib/base/macro.h"

struct options {
	struct startup_options startup;
	const char *logfile;
	enum log_level level;
};

static int read_options(int argc, char **argv, struct options *o)
{
	static const struct option table[] = {
		{ "group", required_argument, NULL, 'g' },
		{ "logfile", required_argument, NULL, 'l' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "debug", no_argument, NULL, 'd' },
		{ "syslog", no_argument, NULL, 's' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "vd", table, NULL)) >= 0) {
		switch (c) {
		case 'g':
			o->startup.group = optarg;
			break;
		case 'l':
			o->logfile = optarg;
			break;
		case 'v':
			o->level = LOG_LEVEL_INFO;
			break;
		case 'd':
			o->level = LOG_LEVEL_DEBUG;
			break;
		case 's':
			break; /* Standard error goes to the journal anyway. */
		default:
			return -1;
		}
	}

	if (optind < argc) {
		fprintf(stderr, "Error: unexpected argument \"%s\"\n", argv[optind]);
		return -1;
	}

	return 0;
}

/*
 * Waits for a signal that ends the daemon. SIGPWR is the host going down: instances are stopped
 * too, as with "musterd shutdown".
 */
static void wait_for_end(struct state *state, const sigset_t *signals)
{
	for (;;) {
		int sig = 0;

		if (sigwait(signals, &sig) != 0)
			continue;

		if (sig == SIGHUP) {
			log_reopen();
			continue;
		}

		if (sig == SIGPWR)
			atomic_store(&state->is_full_stop, true);
		log_info("Stopping on signal %d", sig);
		return;
	}
}

/* What tests ask for is in the environment; a build without failpoints knows none of the names. */
static int arm_failpoints(void)
{
	const char *spec = getenv("MUSTER_FAILPOINTS");
	scoped(error_freep) struct error *err = NULL;

	if (!spec || failpoint_arm(spec, &err) == 0)
		return 0;

	fprintf(stderr, "Error: %s\n", err->msg);
	return -1;
}

int main_daemon_run(int argc, char **argv)
{
	struct options o = { .level = LOG_LEVEL_WARN };
	struct state *state = NULL;
	scoped(error_freep) struct error *err = NULL;
	sigset_t signals;

	if (read_options(argc, argv, &o) < 0 || arm_failpoints() < 0)
		return 1;

	/* Blocked before there is a thread: all of them leave signals to this one. */
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGQUIT);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGPWR);
	sigprocmask(SIG_BLOCK, &signals, NULL);

	log_set_level(o.level);
	if (o.logfile) {
		int r = log_open(o.logfile);

		if (r < 0) {
			fprintf(stderr, "Error: Failed opening \"%s\": %s\n", o.logfile,
			        strerror(-r));
			return 1;
		}
	}

	if (startup_run(&o.startup, &state, &err) < 0) {
		log_error("%s", err->msg);
		if (o.logfile)
			fprintf(stderr, "Error: %s\n", err->msg);
		return 1;
	}

	service_manager_tell("READY=1");
	log_info("Ready");
	malloc_trim(0); /* What starting took. */
	wait_for_end(state, &signals);
	service_manager_tell("STOPPING=1");
	startup_undo(state, atomic_load(&state->is_full_stop));
	return 0;
}
