/*
 * The command line as data.
 *
 * Every command is a row: its words, its arguments, its options, one sentence of help and the
 * function that runs it. Parsing, help, shell completion and the manual pages read the same rows,
 * so that none of them can know an option that another does not.
 *
 * The grammar is that of GNU tools, which is also what users of lxc are used to: options may stand
 * anywhere, "--" ends them, "--name=value" and "--name value", "-n value" and "-nvalue", and short
 * flags may be run together.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "lib/base/error.h"

struct client;

enum option_type {
	OPTION_FLAG,     /* Present or not; "--name=false" takes it back. */
	OPTION_TEXT,     /* One value; the last one counts. */
	OPTION_LIST,     /* May be given many times. */
	OPTION_OPTIONAL, /* "--name" alone stands for 'fallback', a value needs "=". */
};

/* What a word on the command line names, for completion. */
enum word_kind {
	WORD_NONE,
	WORD_INSTANCE,
	WORD_IMAGE,
	WORD_PROFILE,
	WORD_PROJECT,
	WORD_POOL,
	WORD_MEMBER,
	WORD_GROUP,
	WORD_PLACEMENT,
	WORD_OPERATION,
	WORD_REMOTE,
	WORD_PLAN,
	WORD_WARNING,
	WORD_CERTIFICATE,
	WORD_FILE,
	WORD_FORMAT,
};

struct cli_option {
	const char *name; /* Without the dashes; NULL ends a table. */
	char letter;      /* 0 if it has no short form. */
	enum option_type type;
	const char *fallback; /* Value when the option is absent; shown by help if not NULL. */
	const char *doc;      /* One line. */
	enum word_kind kind;  /* What its value names. */
};

/* A parsed command line. All pointers are borrowed from argv and the tables. */
struct cli {
	const struct cli_command *command;
	const char **words; /* Positional arguments, ends with NULL. */
	size_t n_words;
	struct cli_value *values;
	size_t n_values;
	size_t n_before_dashes; /* Positional arguments in front of "--"; all of them without it. */
};

struct cli_value {
	const struct cli_option *option;
	const char *text; /* "true" or "false" for flags. */
};

struct cli_command {
	const char *path;            /* "image alias list"; NULL ends a table. */
	const char *usage;           /* Its arguments, as help shows them. */
	size_t min_words, max_words; /* How many positional arguments it takes. */
	int (*run)(struct client *client, const struct cli *args, struct error **err);
	const struct cli_option *options; /* Ends with a NULL name; or NULL. */
	const char *summary;              /* One line without a final period. */
	const char *details;              /* More for help, or NULL. */
	enum word_kind kinds[3]; /* What the words name; the last one stands for all that follow. */
	const char *aliases;     /* Other names of its last word, separated by spaces, or NULL. */
	bool hidden;
};

/* No limit on the number of words. */
#define CLI_ANY ((size_t)-1)

/* The options that every command has. */
extern const struct cli_option cli_global_options[];

/* All tables of the client, in the order of help; ends with NULL. In commands.c. */
extern const struct cli_command *const cli_tables[];

/*
 * Finds the command that the first words of 'words' name and says how many of them it took; options
 * between them are skipped. Returns NULL if no row fits even the first word; a row that only groups
 * others has no run function.
 */
const struct cli_command *cli_find(const char *const *words, size_t n_words, size_t *ret_taken);

/* As cli_find() for a path such as "image list"; exact. */
const struct cli_command *cli_lookup(const char *path);

/*
 * Parses what follows the program's name. Fails with a 400 on an unknown command or option and on a
 * missing value. The number of words is not checked if help was asked for. On success the caller
 * frees with cli_done().
 */
int cli_parse(const char *const *argv, struct cli *ret_cli, struct error **err);

void cli_done(struct cli *args);

/* Checks the number of words against the command's row; false means that usage is to be shown. */
bool cli_words_fit(const struct cli *args);

/* The value of an option, its fallback if it was not given, NULL if it has none. */
const char *cli_option(const struct cli *args, const char *name);
bool cli_flag(const struct cli *args, const char *name);
bool cli_given(const struct cli *args, const char *name);

/* The n-th value of an option that may be repeated, NULL after the last. */
const char *cli_list(const struct cli *args, const char *name, size_t n);

/* The n-th positional argument, or NULL. */
const char *cli_word(const struct cli *args, size_t n);
