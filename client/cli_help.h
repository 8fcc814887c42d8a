/* Help and manual pages, made from the command tables. */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "client/cli.h"

/*
 * Help for 'command', or for the whole program if it is NULL, laid out as lxc lays out its own;
 * 'all' shows the commands that are rarely needed and those below the groups.
 */
void cli_help_print(FILE *out, const struct cli_command *command, bool all);

/* The manual page of one command, or of the program if it is NULL, in roff. */
void cli_help_man(FILE *out, const struct cli_command *command);

/* All commands on one page, in Markdown. */
void cli_help_markdown(FILE *out);
