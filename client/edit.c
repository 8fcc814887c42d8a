#include "client/edit.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/alloc.h"
#include "lib/base/command.h"
#include "lib/base/fd.h"
#include "lib/base/file.h"
#include "lib/base/macro.h"
#include "lib/base/str.h"
#include "lib/base/strbuf.h"
#include "lib/base/strv.h"
#include "lib/data/jv.h"
#include "lib/data/yaml.h"

#define DOCUMENT_MAX (16U << 20)

static const char *find_editor(void)
{
	static const char *const known[] = { "editor", "vi", "emacs", "nano" };
	const char *e = getenv("VISUAL");

	if (str_is_empty(e))
		e = getenv("EDITOR");
	for (size_t i = 0; str_is_empty(e) && i < COUNT_OF(known); i++) {
		if (command_exists(known[i]))
			e = known[i];
	}
	return str_is_empty(e) ? NULL : e;
}

int edit_file(const char *path, struct error **err)
{
	const char *editor = find_editor();
	int status;
	pid_t pid;

	if (!editor)
		return error_set(err, 400, "No editor found: set EDITOR");
	/* "code --wait": an editor may come with arguments. */
	scoped(strv_freep) char **argv = strv_split_trimmed(editor, ' ');
	strv_add(&argv, path);
	int r = posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ);
	if (r)
		return error_set_errno(err, -r, "Failed starting the editor \"%s\"", argv[0]);
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return error_set_errno(err, -errno, "Failed waiting for the editor");
	}
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		return error_set(err, 400, "The editor \"%s\" failed", argv[0]);
	return 0;
}

static int write_temporary(const char *text, size_t size, const char *suffix, char **ret_path,
                           struct error **err)
{
	const char *dir = getenv("TMPDIR");
	scoped_free char *path =
		xasprintf("%s/muster_editor_XXXXXX%s", dir && *dir ? dir : "/tmp", suffix);
	scoped_fd int fd = mkostemps(path, (int)strlen(suffix), O_CLOEXEC);

	if (fd < 0)
		return error_set_errno(err, -errno, "Failed making a temporary file");
	int r = fd_write_full(fd, text, size);
	if (r < 0) {
		unlink(path);
		return error_set_errno(err, r, "Failed writing a temporary file");
	}
	*ret_path = TAKE_PTR(path);
	return 0;
}

int edit_text(const char *text, const char *suffix, char **ret_text, size_t *ret_size,
              struct error **err)
{
	scoped_free char *path = NULL;
	int r = write_temporary(text, strlen(text), suffix, &path, err);

	if (r < 0)
		return r;
	r = edit_file(path, err);
	if (r == 0) {
		r = file_read(path, DOCUMENT_MAX, ret_text, ret_size);
		if (r < 0)
			error_set_errno(err, r, "Failed reading what was edited");
	}
	unlink(path);
	return r;
}

int edit_from_stdin(struct json_object **ret_document, struct error **err)
{
	scoped_free char *text = NULL;
	size_t size;

	*ret_document = NULL;
	if (isatty(STDIN_FILENO) == 1)
		return 0;
	int r = fd_read_all(STDIN_FILENO, DOCUMENT_MAX, &text, &size);
	if (r < 0)
		return error_set_errno(err, r, "Failed reading the input");
	r = yaml_decode(text, size, ret_document, err);
	return r < 0 ? error_wrap(err, "Failed reading the input") : 0;
}

/* YAML to the server. */
static int send_text(const char *text, size_t size, edit_apply *apply, void *arg,
                     struct error **err)
{
	scoped(jv_unrefp) struct json_object *document = NULL;
	int r = yaml_decode(text, size, &document, err);

	if (r < 0)
		return error_wrap(err, "Failed reading the YAML");
	if (!document)
		document = jv_object();
	return apply(arg, document, err);
}

/* Whether the user wants the editor again. */
static bool ask_again(struct error **err)
{
	int c;

	fprintf(stderr,
	        "Error: %s\nPress enter to open the editor again or ctrl+c to abort the change\n",
	        (*err)->msg);
	while ((c = getchar()) != EOF) {
		if (c == '\n')
			return true;
	}
	return false;
}

int edit_document(struct json_object *document, const char *help, edit_apply *apply, void *arg,
                  struct error **err)
{
	scoped(strbuf_done) struct strbuf before = { 0 };
	scoped_free char *text = NULL;
	size_t size;

	if (isatty(STDIN_FILENO) != 1) {
		scoped(jv_unrefp) struct json_object *given = NULL;
		int r = edit_from_stdin(&given, err);

		if (r < 0)
			return r;
		if (!given)
			return error_set(err, 400, "The input is empty");
		return apply(arg, given, err);
	}
	scoped(strv_freep) char **lines = help ? strv_split(help, '\n') : NULL;
	STRV_FOREACH (line, lines) {
		strbuf_addf(&before, "###%s%s\n", *line ? " " : "", line);
	}
	if (help)
		strbuf_add(&before, "\n");
	yaml_encode(document, &before);
	text = xstrdup(strbuf_text(&before));
	for (;;) {
		char *edited;
		int r = edit_text(text, ".yaml", &edited, &size, err);

		if (r < 0)
			return r;
		bool same = strcmp(edited, strbuf_text(&before)) == 0;
		free(text);
		text = edited;
		if (same)
			return 0;
		r = send_text(text, size, apply, arg, err);
		if (r == 0 || !ask_again(err))
			return r;
		error_free(*err);
		*err = NULL;
	}
}
