/* The terminal: raw mode, its size, whether there is one. */
#pragma once

#include <stdbool.h>

/* Puts the terminal on 'fd' into raw mode until terminal_restore(), also if the process ends. */
int terminal_make_raw(int fd);
void terminal_restore(void);

/* Columns and rows of the terminal on 'fd'; false if there is none. */
bool terminal_size(int fd, unsigned *ret_columns, unsigned *ret_rows);
