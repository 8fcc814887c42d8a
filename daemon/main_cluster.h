/* Tools for a stopped member of a cluster. */
#pragma once

/* Returns the exit status. */
int main_cluster_run(int argc, char **argv);
