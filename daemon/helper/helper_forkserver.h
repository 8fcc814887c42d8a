/* The fork server: see drivers/instance/ct/ct_job.h for why there is one. */
#pragma once

int helper_forkserver_run(int argc, char **argv);
