/*  instances that start by themselves. */
#pragma once

/* Returns the exit status. */
int main_activate_run(int argc, char **argv);
