/*  options, signals, readiness. */
#pragma once

/* Returns the exit status. */
int main_daemon_run(int argc, char **argv);
