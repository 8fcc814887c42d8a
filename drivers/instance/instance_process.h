/*
 * A command that runs inside an instance, or a session on its console.
 *
 * The handle is driver-neutral: descriptors for its streams, and calls to signal it, to resize its
 * terminal and to learn its end. Its end is reported once, on the loop thread. Freeing the handle
 * of a command that still runs closes its streams and leaves it to itself; kill it first if that is
 * not meant.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/base/error.h"
#include "lib/base/scoped.h"

struct loop;

struct instance_process;

struct instance_exec {
	const char *const *argv;        /* At least one; ends with NULL. */
	const char *const *environment; /* "NAME=value" each, complete; ends with NULL. */
	const char *cwd;                /* NULL or "": "/root" for root, else "/". */
	uid_t uid;                      /* Inside. */
	gid_t gid;
	bool is_interactive;    /* A terminal instead of three pipes. */
	uint16_t width, height; /* 0: not set. */

	/*
	 * Streams to use instead of fresh pipes, or -1; borrowed. For recorded output: files; for
	 * nothing: /dev/null. Must all be -1 if interactive.
	 */
	int stdin_fd, stdout_fd, stderr_fd;
};

/* Index of instance_process_fd(). */
enum {
	INSTANCE_PROCESS_STDIN,
	INSTANCE_PROCESS_STDOUT,
	INSTANCE_PROCESS_STDERR,
	INSTANCE_PROCESS_TERMINAL = 0, /* If interactive: the pty, the only one. */
};

/*
 * Our end of a stream, nonblocking, close-on-exec; -EBADF if there is none. Borrowed; with 'take'
 * it is the caller's from now on.
 */
int instance_process_fd(const struct instance_process *process, int index);
int instance_process_take_fd(struct instance_process *process, int index);

bool instance_process_is_interactive(const struct instance_process *process);

/*
 * Sends a signal to the command itself (not to its group). -ESRCH once it has ended. For
 * a console session -EOPNOTSUPP.
 */
int instance_process_signal(struct instance_process *process, int signal);

/* Sets the terminal's size; 0 or negative errno. */
int instance_process_resize(struct instance_process *process, uint16_t width, uint16_t height);

/*
 * Called once, on the loop thread, when the command has ended: exit status 0-255, 128+n after
 * signal n, 126 or 127 if it could not be run, -1 if that is not known (the helper died). Set it
 * before anything else; if the command has ended already it is called soon.
 */
typedef void instance_process_exit_fn(void *arg, int status);
void instance_process_on_exit(struct instance_process *process, instance_process_exit_fn *fn,
                              void *arg);

/*
 * Waits for the end on a worker thread, instead of on_exit. Returns the status as above, or
 * -ETIMEDOUT. 'timeout_ms' < 0: forever.
 */
int instance_process_wait(struct instance_process *process, int timeout_ms);

/* Host's pid of the command, or 0. */
pid_t instance_process_pid(const struct instance_process *process);

/* From any thread; on_exit is not called any more when it has returned. */
void instance_process_free(struct instance_process *process);
DEFINE_SCOPED(struct instance_process *, instance_process_free);

/*
 * For drivers: makes a handle of what they started. Descriptors in it become the handle's.
 * 'control' is a SEQPACKET socket whose other end says the exit status as two le32, 0 and the
 * number, or just closes; if 'end_status' is not negative its closing means that status. 'pidfd'
 * may be -1.
 */
struct instance_process_setup {
	struct loop *loop;
	int control;
	int pidfd;
	pid_t pid;
	int fds[3]; /* -1 where there is none. */
	bool is_interactive;
	int end_status;
	int held_fd; /* Closed with the handle, or -1. */
};

struct instance_process *instance_process_new(const struct instance_process_setup *setup);
