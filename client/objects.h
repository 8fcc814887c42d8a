/*
 * Commands that differ in the name of what they are about only: show, edit, get, set, unset, delete
 * and rename of profiles, projects, pools, members and groups.
 */
#pragma once

#include "client/cli.h"
#include "client/client.h"
#include "client/resource.h"
#include "lib/base/error.h"

/* A kind of object, found by the words of the command in front of the last one. */
struct object_kind {
	const char *command;         /* "cluster group". */
	const char *noun;            /* "Cluster group", for what is said and for error messages. */
	const char *collection;      /* "cluster/groups", below /1.0. */
	const char *const *writable; /* The members that a PUT takes; ends with NULL. */
	const char *help;            /* Above the document in the editor. */
};

/* The kind that a command is about; asserts that there is one. */
const struct object_kind *object_kind_of(const struct cli *cli);

/* The object that the first word names; --target is heeded if the command has it. */
int object_open(struct client *client, const struct cli *cli, struct resource *ret_resource,
                const char **ret_name, struct error **err);

/* Run functions. */
int object_show_run(struct client *client, const struct cli *cli, struct error **err);
int object_edit_run(struct client *client, const struct cli *cli, struct error **err);
int object_get_run(struct client *client, const struct cli *cli, struct error **err);
int object_set_run(struct client *client, const struct cli *cli, struct error **err);
int object_unset_run(struct client *client, const struct cli *cli, struct error **err);
int object_delete_run(struct client *client, const struct cli *cli, struct error **err);
int object_rename_run(struct client *client, const struct cli *cli, struct error **err);

/*
 * A POST to the collection: YAML from stdin, the name, and the key=value words from 'first_pair' on
 * as config. 'fill' may add more; NULL.
 */
int object_create(struct client *client, const struct cli *cli, size_t first_pair,
                  int (*fill)(const struct cli *cli, struct json_object *body, struct error **err),
                  struct error **err);

extern const struct cli_option object_property_options[];
extern const struct cli_option object_target_options[];     /* --target. */
extern const struct cli_option object_target_set_options[]; /* --target and --property. */

/* Rows of the commands that every kind has. */
#define OBJECT_COMMAND_SHOW(words, what, kind, opts)                                     \
	{                                                                                \
		.path = words " show", .usage = "[<remote>:]<" what ">", .min_words = 1, \
		.max_words = 1, .run = object_show_run, .options = opts,                 \
		.summary = "Show a " what, .kinds = {                                    \
			kind                                                             \
		}                                                                        \
	}
#define OBJECT_COMMAND_EDIT(words, what, kind, opts)                                     \
	{                                                                                \
		.path = words " edit", .usage = "[<remote>:]<" what ">", .min_words = 1, \
		.max_words = 1, .run = object_edit_run, .options = opts,                 \
		.summary = "Edit a " what " as YAML", .kinds = {                         \
			kind                                                             \
		}                                                                        \
	}
#define OBJECT_COMMAND_GET(words, what, kind, opts)                                           \
	{                                                                                     \
		.path = words " get", .usage = "[<remote>:]<" what "> <key>", .min_words = 2, \
		.max_words = 2, .run = object_get_run, .options = opts,                       \
		.summary = "Get the value of a key of a " what, .kinds = {                    \
			kind,                                                                 \
			WORD_NONE                                                             \
		}                                                                             \
	}
#define OBJECT_COMMAND_SET(words, what, kind, opts)                                           \
	{                                                                                     \
		.path = words " set", .usage = "[<remote>:]<" what "> <key>=<value>...",      \
		.min_words = 2, .max_words = CLI_ANY, .run = object_set_run, .options = opts, \
		.summary = "Set keys of a " what, .kinds = {                                  \
			kind,                                                                 \
			WORD_NONE                                                             \
		}                                                                             \
	}
#define OBJECT_COMMAND_UNSET(words, what, kind, opts)                                           \
	{                                                                                       \
		.path = words " unset", .usage = "[<remote>:]<" what "> <key>", .min_words = 2, \
		.max_words = 2, .run = object_unset_run, .options = opts,                       \
		.summary = "Unset a key of a " what, .kinds = {                                 \
			kind,                                                                   \
			WORD_NONE                                                               \
		}                                                                               \
	}
#define OBJECT_COMMAND_DELETE(words, what, kind, opts)                                     \
	{                                                                                  \
		.path = words " delete", .usage = "[<remote>:]<" what ">", .min_words = 1, \
		.max_words = 1, .run = object_delete_run, .options = opts,                 \
		.summary = "Delete a " what, .aliases = "rm", .kinds = {                   \
			kind                                                               \
		}                                                                          \
	}
#define OBJECT_COMMAND_RENAME(words, what, kind)                                      \
	{                                                                             \
		.path = words " rename", .usage = "[<remote>:]<" what "> <new-name>", \
		.min_words = 2, .max_words = 2, .run = object_rename_run,             \
		.summary = "Rename a " what, .aliases = "mv", .kinds = {              \
			kind,                                                         \
			WORD_NONE                                                     \
		}                                                                     \
	}
