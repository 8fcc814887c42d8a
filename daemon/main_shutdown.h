/* Ends a daemon and its instances; waits for one to be ready. */
#pragma once

/* Both return the exit status. */
int main_shutdown_run(int argc, char **argv);
int main_shutdown_wait(int argc, char **argv);
