/*
 * The command table of musterd. Without a subcommand it is the daemon, in the foreground; helpers,
 * which run inside containers' namespaces and know nothing of the rest, are looked for first.
 */
#include <errno.h>
#include <getopt.h>
#include <locale.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "cluster/cluster.h"
#include "daemon/helper/helper.h"
#include "daemon/main_activate.h"
#include "daemon/main_cluster.h"
#include "daemon/main_daemon.h"
#include "daemon/main_docs.h"
#include "daemon/main_init.h"
#include "daemon/main_shutdown.h"
#include "daemon/main_sql.h"
#include "daemon/main_version.h"
#include "lib/base/failpoint.h"
#include "lib/base/macro.h"

struct command {
	const char *name;
	int (*run)(int argc, char **argv); /* argv[0] is the command's name. */
	const char *help;
};

/* clang-format off */
static const struct command commands[] = {
	{ "activateifneeded", main_activate_run,  "Start the daemon if there is something for it to do" },
	{ "cluster",          main_cluster_run,   "Tools for a stopped member of a cluster" },
	{ "docs",             main_docs_run,      "Print a reference page: rest-api, config, events" },
	{ "init",             main_init_run,      "Configure the daemon: --auto, --preseed, --dump" },
	{ "shutdown",         main_shutdown_run,  "Stop all instances and the daemon" },
	{ "sql",              main_sql_run,       "Run SQL on the local or global database" },
	{ "version",          main_version_run,   "Show the version" },
	{ "waitready",        main_shutdown_wait, "Wait until the daemon is ready" },
};
/* clang-format on */

static int help(void)
{
	printf("Usage: musterd [--group=GROUP] [--logfile=PATH] [--verbose] [--debug]\n"
	       "       musterd COMMAND ...\n\n");
	for (size_t i = 0; i < COUNT_OF(commands); i++)
		printf("  %-18s %s\n", commands[i].name, commands[i].help);

	return 0;
}

/* For tests: where this build can be made to fail. */
static int list_failpoints(void)
{
	const struct failpoint **points = failpoint_list();

	for (size_t i = 0; points[i]; i++)
		printf("%-24s %s\n", points[i]->name, points[i]->text);
	free(points);
	return 0;
}

/* Each connection is a descriptor or two; the usual soft limit is for other programs. */
static void raise_limits(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

int main(int argc, char **argv)
{
	if (argc > 1 && helper_find(argv[1]))
		return helper_main(argc, argv);

	cluster_setup_process();
	setlocale(LC_CTYPE, "C.UTF-8");
	umask(0022);

	/* Many threads that are mostly idle: an arena for each would be most of the memory. */
	mallopt(M_ARENA_MAX, 2);
	mallopt(M_TRIM_THRESHOLD, 256 * 1024);

	if (argc > 1 && argv[1][0] != '-') {
		for (size_t i = 0; i < COUNT_OF(commands); i++) {
			if (strcmp(commands[i].name, argv[1]) == 0)
				return commands[i].run(argc - 1, argv + 1);
		}
		if (strcmp(argv[1], "help") == 0)
			return help();

		fprintf(stderr, "Error: unknown command \"%s\"\n", argv[1]);
		return 1;
	}

	if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0))
		return help();
	if (argc > 1 && strcmp(argv[1], "--version") == 0)
		return main_version_run(argc, argv);
	if (argc > 1 && strcmp(argv[1], "--failpoints") == 0)
		return list_failpoints();

	raise_limits();
	return main_daemon_run(argc, argv);
}
