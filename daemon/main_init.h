/*  preseed, automatic, dump. */
#pragma once

/* Returns the exit status. */
int main_init_run(int argc, char **argv);
