/* "muster export" and "import": backups of instances. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/commands.h"
#include "client/follow.h"
#include "lib/base/alloc.h"
#include "lib/base/date.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/data/jv.h"
#include "lib/net/url.h"

/* The backup that an operation has made: the last part of its resource's URL. */
static char *backup_of(struct json_object *op)
{
	struct json_object *list = jv_member(jv_member(op, "resources"), "backups");
	const char *url = jv_string(jv_item(list, 0));
	const char *slash = url ? strrchr(url, '/') : NULL;
	char *name;

	if (!slash || url_decode(slash + 1, strcspn(slash + 1, "?"), false, &name) < 0)
		return NULL;
	return name;
}

static int download(struct client *client, struct server *server, const char *instance,
                    const char *backup, const char *target, struct error **err)
{
	struct follow_transfer progress = { .label = "Exporting the backup" };
	scoped_free char *path =
		server_path(server, "/1.0/instances/%s/backups/%s/export", instance, backup);
	bool to_stdout = strcmp(target, "-") == 0;
	struct server_answer answer;
	scoped_fd int fd = to_stdout ? dup(STDOUT_FILENO)
	                             : open(target, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0)
		return error_set_errno(err, -errno, "Failed making \"%s\"", target);
	struct server_call call = { .sink_fd = fd,
		                    .has_sink = true,
		                    .progress = follow_is_shown(client) && !to_stdout
		                                        ? follow_transfer
		                                        : NULL,
		                    .progress_arg = &progress };
	int r = server_call(server, &call, path, &answer, err);
	if (call.progress)
		follow_show_line(NULL, NULL);
	if (r < 0) {
		if (!to_stdout)
			unlink(target);
		return r;
	}
	server_answer_done(&answer);
	return 0;
}

static int make_backup(struct client *client, const struct cli *cli, struct server *server,
                       const char *instance, char **ret_backup, struct error **err)
{
	scoped(jv_unrefp) struct json_object *body = jv_object(), *op = NULL, *done = NULL;

	jv_set_string(body, "name", "");
	jv_set_date(body, "expires_at", date_now() + DATE_SECOND * 24 * 3600);
	jv_set_bool(body, "instance_only", cli_flag(cli, "instance-only"));
	jv_set_bool(body, "container_only", cli_flag(cli, "instance-only"));
	jv_set_bool(body, "optimized_storage", cli_flag(cli, "optimized-storage"));
	jv_set_string(body, "compression_algorithm", cli_option(cli, "compression"));
	int r = server_start(server, "POST", body, &op, err, "/1.0/instances/%s/backups", instance);
	if (r == 0)
		r = follow_operation(client, server, op,
		                     &(struct follow){ .label = "Backing up instance" }, &done,
		                     err);
	if (r < 0)
		return r;
	*ret_backup = backup_of(done);
	return *ret_backup ? 0 : error_set(err, 502, "The server does not say what it has made");
}

static int export_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(error_freep) struct error *unread = NULL;
	scoped_free char *backup = NULL, *target = NULL;
	struct server *server;
	const char *name;
	int r = client_named(client, cli_word(cli, 0), "instance", &server, &name, err);

	if (r == 0)
		r = make_backup(client, cli, server, name, &backup, err);
	if (r < 0)
		return r;
	target = cli_word(cli, 1) ? xstrdup(cli_word(cli, 1)) : xasprintf("%s.backup", name);
	r = download(client, server, name, backup, target, err);
	server_send(server, "DELETE", NULL, &unread, "/1.0/instances/%s/backups/%s", name, backup);
	if (r == 0 && strcmp(target, "-") != 0)
		client_say(client, "Backup exported successfully!");
	return r;
}

static int upload(struct client *client, const struct cli *cli, struct server *server,
                  const char *path, const char *name, struct json_object **ret_op,
                  struct error **err)
{
	struct follow_transfer progress = { .label = "Importing instance" };
	const char *pool = cli_option(cli, "storage");
	scoped(strv_freep) char **headers =
		strv_new("Content-Type: application/octet-stream", NULL);
	scoped_free char *url = server_path(server, "/1.0/instances");
	struct server_answer answer;
	struct stat st;
	scoped_fd int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) < 0)
		return error_set_errno(err, -errno, "Failed opening \"%s\"", path);
	if (!S_ISREG(st.st_mode) || !st.st_size)
		return error_set(err, 400, "\"%s\" is no file with something in it", path);
	if (pool)
		strv_addf(&headers, "X-LXD-pool: %s", pool);
	if (name)
		strv_addf(&headers, "X-LXD-name: %s", name);
	struct server_call call = { .method = "POST",
		                    .headers = (const char *const *)headers,
		                    .body_fd = fd,
		                    .body_fd_size = (uint64_t)st.st_size,
		                    .progress = follow_is_shown(client) ? follow_transfer : NULL,
		                    .progress_arg = &progress };
	int r = server_call(server, &call, url, &answer, err);
	if (call.progress)
		follow_show_line(NULL, NULL);
	if (r < 0)
		return r;
	*ret_op = jv_ref(jv_member(answer.envelope, "metadata"));
	server_answer_done(&answer);
	return 0;
}

static int import_run(struct client *client, const struct cli *cli, struct error **err)
{
	scoped(jv_unrefp) struct json_object *op = NULL;
	size_t first = str_ends(cli_word(cli, 0), ":");
	struct server *server;
	int r = client_server_only(client, first ? cli_word(cli, 0) : NULL, &server, err);

	if (r < 0)
		return r;
	if (!cli_word(cli, first) || cli->n_words - first > 2)
		return error_set(err, 400, "Name one backup file");
	r = upload(client, cli, server, cli_word(cli, first), cli_word(cli, first + 1), &op, err);
	return r < 0 ? r
	             : follow_operation(client, server, op,
	                                &(struct follow){ .label = "Importing instance" }, NULL,
	                                err);
}

/* clang-format off */
static const struct cli_option export_options[] = {
	{ "compression",       0, OPTION_TEXT, NULL, "How to compress it: gzip, xz, zstd, bzip2, none ...", WORD_NONE },
	{ "instance-only",     0, OPTION_FLAG, NULL, "Leave the snapshots out", WORD_NONE },
	{ "optimized-storage", 0, OPTION_FLAG, NULL, "In the form of the storage driver", WORD_NONE },
	{ .name = NULL },
};

static const struct cli_option import_options[] = {
	{ "storage", 's', OPTION_TEXT, NULL, "Storage pool to put it in", WORD_POOL },
	{ .name = NULL },
};
/* clang-format on */

const struct cli_command cmd_backup_commands[] = {
	{ .path = "export",
	  .usage = "[<remote>:]<instance> [target]",
	  .min_words = 1,
	  .max_words = 2,
	  .run = export_run,
	  .options = export_options,
	  .summary = "Back up an instance to a file",
	  .kinds = { WORD_INSTANCE, WORD_FILE } },
	{ .path = "import",
	  .usage = "[<remote>:] <backup file> [<instance name>]",
	  .min_words = 1,
	  .max_words = 3,
	  .run = import_run,
	  .options = import_options,
	  .summary = "Make an instance from a backup file",
	  .kinds = { WORD_FILE } },
	{ .path = NULL },
};
