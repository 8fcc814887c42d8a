#include "drivers/storage/storage_rsync.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "drivers/host/host.h"
#include "drivers/host/op.h"
#include "drivers/storage/storage_frame.h"
#include "lib/base/alloc.h"
#include "lib/base/array.h"
#include "lib/base/command.h"
#include "lib/base/fd.h"
#include "lib/base/macro.h"
#include "lib/base/str.h"
#include "lib/base/strbuf.h"
#include "lib/base/strv.h"
#include "lib/data/jv.h"
#include "lib/data/jv_parse.h"
#include "lib/data/jv_print.h"

#define COMMAND_MAX 8192
#define HELPER_FD 3
#define STATUS_PARTIAL 23  /* Some files could not be read or written. */
#define STATUS_VANISHED 24 /* Some files vanished meanwhile. */

/*
 * Owners by number, links, ACLs, attributes, devices; holes stay holes; what is gone goes. Times
 * are compared to the nanosecond: to the second, a file that changed twice in one would be missed.
 */
static const char *const common_options[] = {
	"-aHAXS",   "--numeric-ids",      "--devices", "--specials",
	"--delete", "--modify-window=-1", NULL,
};

/* What rsync says about itself in "-e.iLsfxCIvu" and the letters of -aHAXS among others. */
#define SHORT_OPTIONS "-.@0123456789ACDHILSWXZcefgilnoprstuvwxz"

static const char *const long_options[] = {
	"--delete",       "--delete-during", "--delete-before", "--delete-after",
	"--delete-delay", "--numeric-ids",   "--devices",       "--specials",
	"--sparse",       "--new-compress",  "--old-compress",
};

static const char *const valued_options[] = {
	"--bwlimit=",
	"--compress-choice=",
	"--compress-level=",
	"--checksum-choice=",
};

int storage_rsync_local(const char *from, const char *to, struct op *op, struct error **err)
{
	scoped(strv_freep) char **argv = strv_new("rsync", NULL);

	strv_add_all(&argv, (char *const *)common_options);
	strv_add(&argv, "--");
	strv_addf(&argv, "%s/", from);
	strv_addf(&argv, "%s/", to);

	scoped(command_done) struct command c = { .argv = (const char *const *)argv,
		                                  .cancel = op_cancel(op) };
	if (command_check(&c, err) < 0)
		return error_wrap(err, "Failed copying \"%s\" to \"%s\"", from, to);
	return 0;
}

static bool is_known_option(const char *word)
{
	if (word[0] == '-' && word[1] != '-')
		return str_is_made_of(word, SHORT_OPTIONS);

	for (size_t i = 0; i < COUNT_OF(long_options); i++)
		if (strcmp(word, long_options[i]) == 0)
			return true;
	for (size_t i = 0; i < COUNT_OF(valued_options); i++) {
		const char *value = str_after(word, valued_options[i]);

		if (value && str_is_made_of(value, "0123456789abcdefghijklmnopqrstuvwxyz.-"))
			return true;
	}
	return false;
}

int storage_rsync_check_command(const char *const *words, struct error **err)
{
	size_t n = strv_len((char *const *)words);

	if (!words || n < 4 || strcmp(words[0], "rsync") != 0 ||
	    strcmp(words[1], "--server") != 0 || strcmp(words[n - 2], ".") != 0)
		return error_set(err, 400, "Invalid rsync command");

	for (size_t i = 2; i < n - 2; i++)
		if (!is_known_option(words[i]))
			return error_set(err, 400, "Invalid rsync option \"%s\"", words[i]);
	return 0;
}

/*
 * Files change while an instance runs: they vanish, and what is read does not fit together. That is
 * no error where it is allowed; the second only when another pass follows, which copies them again.
 */
static bool is_complete(int status, const struct storage_transfer *transfer)
{
	return status == 0 ||
	       (transfer->allow_inconsistent &&
	        (status == STATUS_VANISHED || (status == STATUS_PARTIAL && !transfer->is_last)));
}

/* Waits for rsync and turns its status and what it wrote into an error. */
static int finish(pid_t pid, int errors, const struct storage_transfer *transfer,
                  struct error **err)
{
	scoped_free char *text = NULL;
	size_t size;
	int status;

	int r = command_wait(pid, &status);
	if (r < 0)
		return error_set_errno(err, r, "Failed waiting for rsync");
	if (is_complete(status, transfer))
		return 0;

	if (lseek(errors, 0, SEEK_SET) < 0 || fd_read_all(errors, 65536, &text, &size) < 0)
		text = xstrdup("");
	scoped_free char *message = str_chomp(text);
	return error_set(err, 500, "rsync failed with status %d: %s", status, message);
}

static void kill_program(pid_t pid)
{
	int status;

	kill(-pid, SIGKILL);
	command_wait(pid, &status);
}

/* "/proc/self/exe" would be rsync's own there. */
static char *helper_path(const struct host *host)
{
	if (strcmp(host->helper_program, "/proc/self/exe") == 0)
		return xasprintf("/proc/%d/exe", getpid());
	return xstrdup(host->helper_program);
}

static int start_client(const struct host *host, const char *path,
                        const struct storage_transfer *transfer, int helper_fd, int errors,
                        pid_t *ret_pid, struct error **err)
{
	scoped(strv_freep) char **argv = strv_new("rsync", NULL);
	scoped_free char *helper = helper_path(host);
	const int fds[] = { helper_fd };

	strv_add_all(&argv, (char *const *)common_options);
	if (transfer->bytes_per_second > 0)
		strv_addf(
			&argv, "--bwlimit=%llu",
			(unsigned long long)MAX_OF(transfer->bytes_per_second / 1024, UINT64_C(1)));
	strv_addf(&argv, "--rsh=%s forkrsync", helper);
	strv_add(&argv, "--");
	strv_addf(&argv, "%s/", path);
	strv_add(&argv, "sink:.");

	const struct command c = {
		.argv = (const char *const *)argv,
		.stderr_fd = errors,
		.fds = fds,
		.n_fds = COUNT_OF(fds),
	};
	int r = command_start(&c, ret_pid);
	return r < 0 ? error_set_errno(err, r, "Failed starting rsync") : 0;
}

/* The helper's words and pipes, or an error if rsync ended before it asked for a connection. */
static int receive_pipes(int sock, int pipes[2], char **ret_command, struct op *op,
                         struct error **err)
{
	char text[COMMAND_MAX];
	size_t n_fds = 0;

	int ready = fd_wait(sock, POLLIN, date_deadline(60000));
	if (ready <= 0)
		return error_set(err, 500, "rsync did not ask for a connection");
	ssize_t n = fd_receive(sock, text, sizeof(text), pipes, 2, &n_fds);
	if (n <= 0 || n_fds != 2 || (size_t)n == sizeof(text)) {
		for (size_t i = 0; i < n_fds; i++)
			close(pipes[i]);
		pipes[0] = pipes[1] = -1;
		return error_set(err, 500, "rsync did not ask for a connection");
	}

	scoped(jv_unrefp) struct json_object *words = jv_array();
	text[n] = '\0';
	for (const char *at = text; at < text + n; at += strlen(at) + 1)
		jv_add_string(words, at);
	*ret_command = jv_print_text(words, NULL);
	return op_check(op, err);
}

int storage_rsync_send(const struct host *host, const char *path,
                       const struct storage_transfer *transfer, struct op *op, struct error **err)
{
	scoped_free char *command = NULL;
	int pair[2], pipes[2] = { -1, -1 };
	pid_t pid;

	scoped_fd int errors = fd_memfd("rsync");
	if (errors < 0)
		return error_set_errno(err, errors, "Failed making a file");
	int r = fd_socketpair(SOCK_STREAM, pair);
	if (r < 0)
		return error_set_errno(err, r, "Failed making a socket");

	scoped_fd int sock = pair[0];
	r = start_client(host, path, transfer, pair[1], errors, &pid, err);
	close(pair[1]);
	if (r < 0)
		return r;

	r = receive_pipes(sock, pipes, &command, op, err);
	if (r < 0) {
		scoped(error_freep) struct error *first = TAKE_PTR(*err);

		/* The helper, if there is one, must not wait for us. */
		shutdown(sock, SHUT_RDWR);
		if (op_check(op, err) < 0 || finish(pid, errors, transfer, err) < 0)
			return (*err)->code;
		*err = TAKE_PTR(first);
		return r;
	}

	r = storage_frame_send(transfer->fd, command, err);
	struct storage_frame_pump pump = {
		.fd = transfer->fd,
		.input = pipes[1],
		.output = pipes[0],
		/* rsync ends after its remote shell, and that is when the sink has ended. */
		.release = sock,
		.what = transfer->what,
	};
	if (r == 0)
		r = storage_frame_pump(&pump, op, err);
	if (transfer->ret_bytes)
		*transfer->ret_bytes += pump.sent;
	if (r < 0) {
		kill_program(pid);
		return r;
	}
	return finish(pid, errors, transfer, err);
}

static int parse_command(const char *text, const char *path, char ***ret_words, struct error **err)
{
	scoped(jv_unrefp) struct json_object *array = NULL;
	scoped(strv_freep) char **words = NULL;

	if (jv_parse(text, strlen(text), &array, err) < 0)
		return (*err)->code;
	for (size_t i = 0; i < jv_len(array); i++) {
		const char *word = jv_string(jv_item(array, i));

		if (!word)
			return error_set(err, 400, "Invalid rsync command");
		strv_add(&words, word);
	}
	if (storage_rsync_check_command((const char *const *)words, err) < 0)
		return (*err)->code;

	assert(words);
	char **last = &words[strv_len(words) - 1];
	free(*last);
	*last = xasprintf("%s/", path);
	*ret_words = TAKE_PTR(words);
	return 0;
}

int storage_rsync_receive(const char *path, const struct storage_transfer *transfer, struct op *op,
                          struct error **err)
{
	scoped_free char *text = NULL;
	scoped(strv_freep) char **words = NULL;
	int to_program[2], from_program[2];
	pid_t pid;

	int r = storage_frame_receive(transfer->fd, op, &text, err);
	if (r == 0)
		r = parse_command(text, path, &words, err);
	if (r < 0)
		return r;

	scoped_fd int errors = fd_memfd("rsync");
	if (errors < 0)
		return error_set_errno(err, errors, "Failed making a file");
	r = fd_pipe(to_program);
	if (r < 0)
		return error_set_errno(err, r, "Failed making a pipe");
	r = fd_pipe(from_program);
	if (r < 0) {
		close(to_program[0]);
		close(to_program[1]);
		return error_set_errno(err, r, "Failed making a pipe");
	}

	const struct command c = {
		.argv = (const char *const *)words,
		.stdin_fd = to_program[0],
		.stdout_fd = from_program[1],
		.stderr_fd = errors,
	};
	r = command_start(&c, &pid);
	close(to_program[0]);
	close(from_program[1]);
	if (r < 0) {
		close(to_program[1]);
		close(from_program[0]);
		return error_set_errno(err, r, "Failed starting rsync");
	}

	struct storage_frame_pump pump = {
		.fd = transfer->fd,
		.input = to_program[1],
		.output = from_program[0],
		.what = transfer->what,
	};
	r = storage_frame_pump(&pump, op, err);
	if (transfer->ret_bytes)
		*transfer->ret_bytes += pump.received;
	if (r < 0) {
		kill_program(pid);
		return r;
	}
	return finish(pid, errors, transfer, err);
}

int storage_rsync_helper(int argc, char **argv)
{
	const int pipes[] = { STDIN_FILENO, STDOUT_FILENO };
	struct strbuf words = { 0 };
	char byte;

	/* argv[1] is the host, which has no meaning here. */
	for (int i = 2; i < argc; i++)
		strbuf_add_n(&words, argv[i], strlen(argv[i]) + 1);

	int r = fd_send(HELPER_FD, strbuf_text(&words), words.size, pipes, COUNT_OF(pipes));
	strbuf_done(&words);
	if (r < 0)
		return 1;

	/* The daemon has them now; as long as this process had them too, neither would end. */
	close(STDIN_FILENO);
	close(STDOUT_FILENO);
	while (read(HELPER_FD, &byte, 1) < 0 && errno == EINTR)
		;
	return 0;
}
