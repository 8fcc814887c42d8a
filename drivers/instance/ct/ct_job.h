/*
 * What the daemon and its fork server say to each other.
 *
 * Starting a program as large as the daemon costs more than starting a container: some fifty shared
 * libraries are loaded and relocated each time, and the relocated pages are private memory of each
 * process, monitors of containers too. So there is a small program that only has what containers
 * need (daemon/helper/forkserver_main.c), embedded in the daemon, and that is started once: it has
 * no threads and no state, and forks a child for each job, which shares all untouched pages with
 * its siblings. (The daemon itself never forks on into code, as it has threads.)
 *
 * The daemon sends a job as one packet over the server's socket: its kind, a payload, and
 * descriptors, of which the first is one end of a fresh SEQPACKET socket pair, the "job socket".
 * The child answers there. Both sides are of one build, so the format has no version; the only data
 * that is not ours comes in payloads and is checked by whoever uses it.
 *
 * Replies begin with a status: 0, or a negative errno followed by an HTTP status and a sentence.
 */
#pragma once

#include <stdint.h>

enum ct_job {
	CT_JOB_START, /* run_dir, log file, le32 count of disks; of each le32 enum ct_job_mount_flag
	               * and its source -> init's pid. Descriptors: pidfd of init. */
	CT_JOB_EXEC,  /* A command -> pid; later its exit status. Descriptors: pidfd, terminal. */
	CT_JOB_CONSOLE, /* run_dir -> nothing. Descriptors: connection to the monitor, terminal. */
	CT_JOB_FILES,   /* Enters the root; then requests and replies of enum ct_job_file. */
	CT_JOB_SFTP,    /* Enters the root and speaks SFTP on the first descriptor. */
	CT_JOB_MOUNT,   /* Puts a mount into a running container, or takes it out. */
	CT_JOB_LINK,    /* Init's pid, name of a link that is brought up inside. */
	N_CT_JOBS,
};

/* What a session on files can do; each request is a u8 of these, a path, and more. */
enum ct_job_file {
	CT_JOB_FILE_STAT,    /* -> info */
	CT_JOB_FILE_GET,     /* -> info, target of a link. Descriptors: content, or names */
	CT_JOB_FILE_PUT,     /* attributes, u8 append. Descriptors: content */
	CT_JOB_FILE_MKDIR,   /* attributes */
	CT_JOB_FILE_SYMLINK, /* attributes, target */
	CT_JOB_FILE_DELETE,  /* u8 recursive */
	N_CT_JOB_FILES,
};

/* How a session on files reaches the root. */
enum ct_job_root {
	CT_JOB_ROOT_RUNNING, /* pid of init. */
	CT_JOB_ROOT_STOPPED, /* path, u8: map the mount. Last descriptor: user namespace, if any. */
};

enum ct_job_mount_flag {
	CT_JOB_MOUNT_REMOVE = 1 << 0,
	CT_JOB_MOUNT_FILE = 1 << 1,
	CT_JOB_MOUNT_READONLY = 1 << 2,
	CT_JOB_MOUNT_RECURSIVE = 1 << 3,
	CT_JOB_MOUNT_SHIFT = 1 << 4, /* With the id map of the container's user namespace. */
	CT_JOB_MOUNT_OPTIONAL = 1 << 5,
	CT_JOB_MOUNT_WITHIN = 1 << 6, /* A text follows the source: path_open_within(). */
};

/* Beneath run_dir, where a starting container finds its disks as "0", "1" and so on. */
#define CT_JOB_DISKS "disks"

/* Packets are at most that long; callers answer 400 for requests that would be longer. */
#define CT_JOB_MAX_SIZE (192 * 1024)
#define CT_JOB_MAX_FDS 8

/* The server's socket is its standard input; what it was run from is closed by it. */
#define CT_JOB_SERVER_FD 0
#define CT_JOB_PROGRAM_FD 3

/* Seconds without a job after which the server ends; the next job starts it again. */
#define CT_JOB_IDLE_S 300
