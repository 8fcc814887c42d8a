/*
 * A job of the fork server, as the child that does it sees it. See drivers/instance/ct/ct_job.h.
 */
#pragma once

#include <stddef.h>

#include "drivers/instance/ct/ct_job.h"
#include "lib/base/bytes.h"
#include "lib/base/macro.h"
#include "lib/base/strbuf.h"

struct helper_job {
	struct bytes payload;
	int socket; /* Answers go here; it ends when the daemon lets go of the job. */
	int fds[CT_JOB_MAX_FDS];
	size_t n_fds;
};

/* Sends success with what follows the status ('more' may be NULL) and descriptors. */
int helper_job_ok(const struct helper_job *job, const struct strbuf *more, const int *fds,
                  size_t n_fds);

/* Sends failure: a negative errno, an HTTP status (0: by errno) and a sentence. */
int helper_job_fail(const struct helper_job *job, int code, int http, const char *fmt, ...)
	PRINTF(4, 5);

/* Sends one number behind a success. */
int helper_job_number(const struct helper_job *job, int32_t number);

/* The jobs. Each returns the child's exit status, having answered. */
typedef int helper_job_fn(struct helper_job *job);
helper_job_fn helper_start_run, helper_exec_run, helper_console_run, helper_files_run,
	helper_sftp_run, helper_mount_run, helper_link_run;
