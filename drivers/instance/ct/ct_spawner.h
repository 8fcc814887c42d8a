/*
 * The daemon's side of the fork server: starts it when it is needed, hands it jobs. See ct_job.h.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "drivers/instance/ct/ct_job.h"
#include "lib/base/error.h"
#include "lib/base/strbuf.h"

struct ct_spawner;

/* 'run_dir' may get a file without a name, where programs in memory may not be run. */
struct ct_spawner *ct_spawner_new(const char *run_dir);

/* Jobs that run go on; the server ends. */
void ct_spawner_free(struct ct_spawner *spawner);

/*
 * Hands over a job and returns our end of the job socket, the caller's. 'fds' are borrowed. From
 * any thread. Fails with a 400 if the payload is too long.
 */
int ct_spawner_run(struct ct_spawner *spawner, enum ct_job job, const struct strbuf *payload,
                   const int *fds, size_t n_fds, int *ret_socket, struct error **err);

/*
 * Waits up to 'timeout_ms' for a reply on a job socket. A reply that says failure sets '*err'. On
 * success 'ret_reply' holds what followed the status, and 'ret_fds' the descriptors (-1 where there
 * are none), the caller's. The child's sudden end is a 500.
 */
int ct_spawner_reply(int job_socket, int timeout_ms, struct strbuf *ret_reply, int *ret_fds,
                     size_t max_fds, struct error **err);
