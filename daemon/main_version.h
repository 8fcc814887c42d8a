/* Shows the version. */
#pragma once

/* Returns the exit status. */
int main_version_run(int argc, char **argv);
