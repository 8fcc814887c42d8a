/*
 * Running programs.
 *
 * No shell, nothing inherited but what is named: the environment is given or minimal, fds beyond
 * those of the record are closed, signals are at their defaults and the child leads a process group
 * of its own, which is killed as a whole when the deadline passes or the work is cancelled.
 *
 *	const char *argv[] = { "btrfs", "subvolume", "show", path, NULL };
 *	scoped(command_done) struct command c = { .argv = argv };
 *	if (command_check(&c, err) < 0)
 *		return error_wrap(err, "Failed reading subvolume \"%s\"", path);
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/base/cancel.h"
#include "lib/base/error.h"

struct command {
	/* What to run; all zero but 'argv' is a good default. */
	const char *const *argv; /* [0] is a path, or a name searched in the system's folders. */
	const char *const *env; /* "NAME=value"..., NULL; or NULL for PATH, HOME and LC_ALL only. */
	const char *cwd;        /* Or NULL: "/". */
	int stdin_fd;           /* Borrowed; 0: 'input', or /dev/null if there is none. */
	int stdout_fd;          /* Borrowed; 0: into 'output'. */
	int stderr_fd;          /* Borrowed; 0: into 'errors'. */
	const int *fds;         /* Borrowed; these become 3, 4, ... of the child. */
	size_t n_fds;
	const void *input;
	size_t input_size;
	size_t max_output;     /* Bytes kept of each output (0: 1 MiB); more is -EFBIG. */
	int64_t timeout_ms;    /* 0: none. */
	struct cancel *cancel; /* Or NULL. */
	bool own_session;      /* setsid() instead of a process group. */

	/* What came of it. */
	int status;   /* Exit status, or 128 + signal. */
	char *output; /* With a NUL behind it; NULL if there was none. */
	size_t output_size;
	char *errors;
	size_t errors_size;
};

/*
 * Runs it to its end. Returns 0 when it ran, whatever its status; -ETIMEDOUT or -ECANCELED after
 * killing it; -ENOENT if there is no such program; another negative errno if it could not start.
 */
int command_run(struct command *c);

/* The same, and a status other than 0 is a failure too, worded with what it wrote to stderr. */
int command_check(struct command *c, struct error **err);

/*
 * Starts it and returns at once: the caller waits for '*ret_pid'. 'input', 'max_output',
 * 'timeout_ms' and 'cancel' are not used; stdout and stderr that are 0 go to /dev/null.
 */
int command_start(const struct command *c, pid_t *ret_pid);

/* Waits for a child; yields its status as in struct command. */
int command_wait(pid_t pid, int *ret_status);

/* Whether a program is in the system's folders. */
bool command_exists(const char *name);

/* Frees what came of it. */
void command_done(struct command *c);
