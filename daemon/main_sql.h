/* SQL on the databases of a running daemon. */
#pragma once

/* Returns the exit status. */
int main_sql_run(int argc, char **argv);
