/* The fork server: see drivers/instance/ct/ct_job.h for why there is one. */
#pragma once

/* Serves until the daemon lets go of the socket that is standard input. Returns the exit status. */
int helper_forkserver_run(void);
