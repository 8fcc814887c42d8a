/*
 * Short-lived processes: whatever forks on, changes namespace or runs liblxc.
 *
 * The daemon has threads, so it may only fork to exec at once. What must do more between fork and
 * exec, or run as somebody else somewhere else, is a helper: this same program with the helper's
 * name as first argument. A helper has no threads, no database and no sockets but those it was
 * given. main() asks helper_find() before it looks at anything else.
 *
 * What containers need at each start and command is not here but in a program of its own, which is
 * embedded in this one: forkserver_main.c.
 */
#pragma once

struct helper {
	const char *name; /* argv[1], "forkunpack" */

	/*
	 * argv[0] is the helper's name; ends with NULL. The return value is the exit status.
	 * Standard input, output and error are what the caller of the helper wants them to be.
	 */
	int (*run)(int argc, char **argv);

	const char *usage; /* Its arguments, for the developer who reads this. */
};

/* All helpers; ends with a name of NULL. */
extern const struct helper helpers[];

/* By name, or NULL. */
const struct helper *helper_find(const char *name);

/*
 * Runs the helper that argv[1] names and returns its exit status, or -1 if it names none (then
 * nothing happened). Sets the umask and default signal handling first.
 */
int helper_main(int argc, char **argv);
