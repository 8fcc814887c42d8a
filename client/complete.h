/*
 * What could come next on a command line: commands and options from the tables, names from the
 * server. The shells' scripts call "muster __complete" with the words so far.
 */
#pragma once

#include <stdio.h>

#include "client/client.h"

/*
 * Prints the candidates for the last word, one per line, with a tab and a description where there
 * is one. 'words' follow the program's name and end with NULL. Errors yield no candidates.
 */
void complete_print(struct client *client, const char *const *words, FILE *out);
