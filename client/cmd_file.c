/* "muster file": files of instances. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/commands.h"
#include "client/edit.h"
#include "client/follow.h"
#include "client/instance_file.h"
#include "lib/base/alloc.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/macro.h"
#include "lib/base/parse.h"
#include "lib/base/path.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/data/jv.h"

#define EDIT_MAX (64U << 20)

/* "[remote:]instance/path" in parts; 'owned' keeps them. */
struct place {
	struct instance_path at;
	char *instance, *path;
};

static void place_done(struct place *p)
{
	free(p->instance);
	free(p->path);
}

static int place_open(struct client *client, const char *word, struct place *ret_place,
                      struct error **err)
{
	struct server *server;
	const char *name;
	int r = client_named(client, word, "instance", &server, &name, err);

	if (r < 0)
		return r;
	const char *slash = strchr(name, '/');
	if (!slash || slash == name)
		return error_set(err, 400, "Name the file as <instance>/<path>: %s", word);
	ret_place->instance = xasprintf("%.*s", (int)(slash - name), name);
	ret_place->path = xstrdup(slash);
	ret_place->at = (struct instance_path){ server, ret_place->instance, ret_place->path };
	return 0;
}

/* What --uid, --gid and --mode say; -1 for what they leave open. */
static int wanted(const struct cli *cli, struct instance_file *ret_file, struct error **err)
{
	const char *mode = cli_option(cli, "mode"), *uid = cli_option(cli, "uid");
	const char *gid = cli_option(cli, "gid");
	unsigned bits = 0;

	*ret_file = (struct instance_file){ .uid = -1, .gid = -1, .mode = -1 };
	if ((uid && parse_int64(uid, &ret_file->uid) < 0) ||
	    (gid && parse_int64(gid, &ret_file->gid) < 0))
		return error_set(err, 400, "Owner and group are numbers");
	if (!str_is_empty(mode)) {
		if (parse_mode(mode, &bits) < 0)
			return error_set(err, 400, "Invalid mode \"%s\"", mode);
		ret_file->mode = (int)bits;
	}
	return 0;
}

static void complete(struct instance_file *file, const struct instance_file *wish,
                     const struct stat *st)
{
	file->uid = wish->uid >= 0 ? wish->uid : (int64_t)st->st_uid;
	file->gid = wish->gid >= 0 ? wish->gid : (int64_t)st->st_gid;
	file->mode = wish->mode >= 0 ? wish->mode : (int)(st->st_mode & 07777);
}

/* stdin has no length, so it is read first. */
static int push_stdin(const struct instance_path *at, const struct instance_file *wish,
                      struct error **err)
{
	scoped_fd int fd = fd_memfd("stdin");
	int64_t size = fd < 0 ? fd : fd_copy(STDIN_FILENO, fd, UINT64_MAX);

	if (size < 0)
		return error_set_errno(err, (int)size, "Failed reading the input");
	lseek(fd, 0, SEEK_SET);
	return instance_file_put(at, wish, fd, (uint64_t)size, err);
}

static int push_file(const char *source, const struct instance_path *at,
                     const struct instance_file *wish, struct error **err)
{
	struct instance_file file = { .type = INSTANCE_FILE };
	struct stat st;

	if (strcmp(source, "-") == 0)
		return push_stdin(at, wish, err);
	scoped_fd int fd = open(source, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return error_set_errno(err, -errno, "Failed opening \"%s\"", source);
	if (S_ISDIR(st.st_mode))
		return error_set(err, 400, "\"%s\" is a directory: use --recursive", source);
	complete(&file, wish, &st);
	int r = instance_file_put(at, &file, fd, (uint64_t)st.st_size, err);
	return r < 0 ? error_wrap(err, "Failed pushing \"%s\"", source) : 0;
}

static int push_tree(const char *source, const struct instance_path *at,
                     const struct instance_file *wish, struct error **err);

static int push_entries(const char *source, const struct instance_path *at,
                        const struct instance_file *wish, struct error **err)
{
	struct dirent **list = NULL;
	int n = scandir(source, &list, NULL, alphasort), r = 0;

	if (n < 0)
		return error_set_errno(err, -errno, "Failed reading \"%s\"", source);
	for (int i = 0; i < n; i++) {
		const char *name = list[i]->d_name;

		if (r == 0 && strcmp(name, ".") != 0 && strcmp(name, "..") != 0) {
			scoped_free char *from = path_join(source, name, NULL);
			scoped_free char *to = path_join(at->path, name, NULL);

			r = push_tree(from, &(struct instance_path){ at->server, at->instance, to },
			              wish, err);
		}
		free(list[i]);
	}
	free(list);
	return r;
}

/* An entry of any type; --mode counts for files only. */
static int push_tree(const char *source, const struct instance_path *at,
                     const struct instance_file *wish, struct error **err)
{
	struct instance_file file = { .type = INSTANCE_DIRECTORY };
	struct instance_file any_mode = *wish;
	char target[PATH_MAX];
	struct stat st;

	if (lstat(source, &st) < 0)
		return error_set_errno(err, -errno, "Failed reading \"%s\"", source);
	any_mode.mode = -1;
	complete(&file, &any_mode, &st);
	if (S_ISDIR(st.st_mode)) {
		int r = instance_file_make(at, &file, NULL, err);

		return r < 0 ? error_wrap(err, "Failed making \"%s\"", at->path)
		             : push_entries(source, at, wish, err);
	}
	if (S_ISLNK(st.st_mode)) {
		ssize_t n = readlink(source, target, sizeof(target) - 1);

		if (n < 0)
			return error_set_errno(err, -errno, "Failed reading \"%s\"", source);
		target[n] = '\0';
		file.type = INSTANCE_SYMLINK;
		return instance_file_make(at, &file, target, err);
	}
	if (!S_ISREG(st.st_mode))
		return error_set(err, 400, "\"%s\" is neither a file, a directory nor a link",
		                 source);
	return push_file(source, at, wish, err);
}

static int push_one(struct client *client, const struct cli *cli, const char *source,
                    const struct place *to, bool into, struct error **err)
{
	struct instance_file wish;
	scoped_free char *clean = path_clean(source);
	scoped_free char *path =
		into ? path_join(to->path, path_base(clean), NULL) : xstrdup(to->path);
	struct instance_path at = { to->at.server, to->at.instance, path };
	int r = wanted(cli, &wish, err);

	if (r == 0 && cli_flag(cli, "create-dirs"))
		r = instance_file_make_parents(&at, &wish, err);
	if (r < 0)
		return r;
	if (client->verbose)
		client_say(client, "Pushing %s to %s", source, path);
	return cli_flag(cli, "recursive") ? push_tree(source, &at, &wish, err)
	                                  : push_file(source, &at, &wish, err);
}

static int push_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(place_done) struct place to = { 0 };
	size_t n_sources = cli->n_words - 1;
	const char *target = cli_word(cli, n_sources);
	bool into = str_ends(target, "/") || cli_flag(cli, "recursive");
	int r = place_open(client, target, &to, err);

	if (r == 0 && n_sources > 1 && !into)
		r = error_set(err, 400,
		              "Several files need a directory: end the target with a slash");
	for (size_t i = 0; r == 0 && i < n_sources; i++)
		r = push_one(client, cli, cli_word(cli, i), &to, into, err);
	return r;
}

static int pull_file(const struct instance_path *at, const char *target, struct error **err)
{
	scoped_free char *part = xasprintf("%s.muster-part", target), *text = NULL;
	scoped(jv_unrefp) struct json_object *names = NULL;
	struct instance_file file;
	scoped_fd int fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0)
		return error_set_errno(err, -errno, "Failed making \"%s\"", target);
	int r = instance_file_get(at, fd, &file, &text, &names, err);
	if (r == 0 && file.type == INSTANCE_DIRECTORY)
		r = error_set(err, 400, "\"%s\" is a directory: use --recursive", at->path);
	if (r == 0 && file.type == INSTANCE_SYMLINK) {
		/* Whether it came to memory or to the file depends on its content type. */
		scoped_free char *link = NULL;

		if (str_is_empty(text))
			file_read(part, PATH_MAX, &link, NULL);
		unlink(target);
		if (symlink(str_is_empty(text) ? str_or_empty(link) : text, target) < 0)
			r = error_set_errno(err, -errno, "Failed making \"%s\"", target);
		unlink(part);
		return r;
	}
	if (r == 0 && file.mode >= 0 && fchmod(fd, (mode_t)file.mode & 07777) < 0)
		r = error_set_errno(err, -errno, "Failed setting the mode of \"%s\"", target);
	if (r == 0 && rename(part, target) < 0)
		r = error_set_errno(err, -errno, "Failed making \"%s\"", target);
	if (r < 0)
		unlink(part);
	return r;
}

static int pull_tree(const struct instance_path *at, const char *target, struct error **err)
{
	scoped(jv_unrefp) struct json_object *names = NULL;
	scoped_free char *text = NULL;
	struct instance_file file;
	int r = instance_file_get(at, -1, &file, &text, &names, err);

	if (r < 0)
		return r;
	if (file.type != INSTANCE_DIRECTORY)
		return pull_file(at, target, err);
	if (mkdir(target, file.mode >= 0 ? (mode_t)(file.mode | 0700) & 07777 : 0755) < 0 &&
	    errno != EEXIST)
		return error_set_errno(err, -errno, "Failed making \"%s\"", target);
	for (size_t i = 0; r == 0 && i < jv_len(names); i++) {
		const char *name = str_or_empty(jv_string(jv_item(names, i)));

		/* A server must not write outside of the target. */
		if (!path_is_name(name))
			return error_set(err, 502, "The server names a file \"%s\"", name);
		scoped_free char *from = path_join(at->path, name, NULL);
		scoped_free char *to = path_join(target, name, NULL);

		r = pull_tree(&(struct instance_path){ at->server, at->instance, from }, to, err);
	}
	return r;
}

static int pull_one(const struct cli *cli, const struct place *from, const char *target, bool into,
                    struct error **err)
{
	scoped_free char *clean = path_clean(from->path);
	scoped_free char *path = into ? path_join(target, path_base(clean), NULL) : xstrdup(target);
	struct instance_file file;

	if (strcmp(target, "-") == 0) {
		fflush(stdout);
		int r = instance_file_get(&from->at, STDOUT_FILENO, &file, NULL, NULL, err);
		if (r == 0 && file.type == INSTANCE_DIRECTORY)
			return error_set(err, 400, "\"%s\" is a directory", from->path);
		return r;
	}
	return cli_flag(cli, "recursive") ? pull_tree(&from->at, path, err)
	                                  : pull_file(&from->at, path, err);
}

static int pull_run(struct client *client, const struct cli *cli, struct error **err)
{
	size_t n_sources = cli->n_words - 1;
	const char *target = cli_word(cli, n_sources);
	bool into = str_ends(target, "/") || file_is_dir(target);
	int r = 0;

	if (cli_flag(cli, "create-dirs")) {
		scoped_free char *dir = str_ends(target, "/") ? xstrdup(target) : path_dir(target);

		r = file_make_dirs(dir, 0755);
		if (r < 0)
			return error_set_errno(err, r, "Failed making \"%s\"", dir);
	}
	if (n_sources > 1 && !into && strcmp(target, "-") != 0)
		return error_set(err, 400, "Several files need a directory as target");
	for (size_t i = 0; r == 0 && i < n_sources; i++) {
		scoped(place_done) struct place from = { 0 };

		r = place_open(client, cli_word(cli, i), &from, err);
		if (r == 0)
			r = pull_one(cli, &from, target, into, err);
	}
	return r;
}

static int delete_run(struct client *client, const struct cli *cli, struct error **err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && cli_word(cli, i); i++) {
		scoped(place_done) struct place at = { 0 };

		r = place_open(client, cli_word(cli, i), &at, err);
		if (r == 0)
			r = instance_file_delete(&at.at, cli_flag(cli, "force"), err);
	}
	return r;
}

static int edit_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(place_done) struct place at = { 0 };
	scoped_free char *text = NULL, *edited = NULL;
	struct instance_file file;
	size_t size;
	int r = place_open(client, cli_word(cli, 0), &at, err);

	if (r == 0)
		r = instance_file_get(&at.at, -1, &file, &text, NULL, err);
	if (r == 0 && file.type != INSTANCE_FILE)
		r = error_set(err, 400, "\"%s\" is no file", at.path);
	if (r < 0)
		return r;
	if (isatty(STDIN_FILENO) != 1)
		return push_stdin(&at.at, &file, err);
	r = edit_text(text, path_base(at.path), &edited, &size, err);
	if (r < 0 || strcmp(text, edited) == 0)
		return r;
	scoped_fd int fd = fd_memfd("edited");
	r = fd < 0 ? fd : fd_write_full(fd, edited, size);
	if (r < 0)
		return error_set_errno(err, r, "Failed keeping what was edited");
	lseek(fd, 0, SEEK_SET);
	return instance_file_put(&at.at, &file, fd, size, err);
}

static int create_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(place_done) struct place at = { 0 };
	const char *type = cli_option(cli, "type"), *target = cli_word(cli, 1);
	struct instance_file file;
	int r = place_open(client, cli_word(cli, 0), &at, err);

	if (r == 0)
		r = wanted(cli, &file, err);
	if (r < 0)
		return r;
	if (str_equals(type, "directory"))
		file.type = INSTANCE_DIRECTORY;
	else if (str_equals(type, "symlink"))
		file.type = INSTANCE_SYMLINK;
	else if (!str_equals(type, "file"))
		return error_set(err, 400, "Invalid type \"%s\": use file, directory or symlink",
		                 type);
	if ((file.type == INSTANCE_SYMLINK) != (target != NULL))
		return error_set(err, 400, "A symlink, and nothing else, has a target");
	if (file.mode < 0 && file.type != INSTANCE_SYMLINK)
		file.mode = file.type == INSTANCE_FILE ? 0644 : 0755;
	if (cli_flag(cli, "create-dirs"))
		r = instance_file_make_parents(&at.at, &file, err);
	if (r == 0 && cli_flag(cli, "force")) {
		scoped(error_freep) struct error *missing = NULL;

		instance_file_delete(&at.at, false, &missing);
	}
	return r < 0 ? r : instance_file_make(&at.at, &file, target, err);
}

/* clang-format off */
#define CREATE_DIRS { "create-dirs", 'p', OPTION_FLAG, NULL, "Make missing directories", WORD_NONE }
#define RECURSIVE { "recursive", 'r', OPTION_FLAG, NULL, "Whole directories", WORD_NONE }
#define OWNERSHIP \
	{ "gid",  0, OPTION_TEXT, "-1", "Group of the file", WORD_NONE }, \
	{ "mode", 0, OPTION_TEXT, NULL, "Mode of the file, in octal", WORD_NONE }, \
	{ "uid",  0, OPTION_TEXT, "-1", "Owner of the file", WORD_NONE }

static const struct cli_option push_options[] = { CREATE_DIRS, OWNERSHIP, RECURSIVE, { .name = NULL } };
static const struct cli_option pull_options[] = { CREATE_DIRS, RECURSIVE, { .name = NULL } };

static const struct cli_option create_options[] = {
	CREATE_DIRS,
	{ "force", 'f', OPTION_FLAG, NULL, "Replace what is there", WORD_NONE },
	OWNERSHIP,
	{ "type", 0, OPTION_TEXT, "file", "file, directory or symlink", WORD_NONE },
	{ .name = NULL },
};

static const struct cli_option delete_options[] = {
	{ "force", 'f', OPTION_FLAG, NULL, "Delete directories with all that is in them", WORD_NONE },
	{ .name = NULL },
};
/* clang-format on */

#define PLACE "[<remote>:]<instance>/<path>"

const struct cli_command cmd_file_commands[] = {
	{ .path = "file", .usage = "", .summary = "Manage files in instances" },
	{ .path = "file push",
	  .usage = "<source path>... " PLACE,
	  .min_words = 2,
	  .max_words = CLI_ANY,
	  .run = push_run,
	  .options = push_options,
	  .summary = "Push files into an instance",
	  .details = "\"-\" is stdin. Example:\n  muster file push /etc/hosts c1/etc/hosts",
	  .kinds = { WORD_FILE } },
	{ .path = "file pull",
	  .usage = PLACE " [" PLACE "...] <target path>",
	  .min_words = 2,
	  .max_words = CLI_ANY,
	  .run = pull_run,
	  .options = pull_options,
	  .summary = "Pull files from an instance",
	  .details = "\"-\" is stdout. Example:\n  muster file pull c1/etc/hosts .",
	  .kinds = { WORD_INSTANCE, WORD_FILE } },
	{ .path = "file delete",
	  .usage = PLACE " [" PLACE "...]",
	  .min_words = 1,
	  .max_words = CLI_ANY,
	  .run = delete_run,
	  .options = delete_options,
	  .summary = "Delete files in an instance",
	  .aliases = "rm",
	  .kinds = { WORD_INSTANCE } },
	{ .path = "file edit",
	  .usage = PLACE,
	  .min_words = 1,
	  .max_words = 1,
	  .run = edit_run,
	  .summary = "Edit a file of an instance",
	  .kinds = { WORD_INSTANCE } },
	{ .path = "file create",
	  .usage = PLACE " [<symlink target path>]",
	  .min_words = 1,
	  .max_words = 2,
	  .run = create_run,
	  .options = create_options,
	  .summary = "Create a file, directory or link in an instance",
	  .kinds = { WORD_INSTANCE, WORD_NONE } },
	{ .path = NULL },
};
