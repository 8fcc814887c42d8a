#include "drivers/instance/ct/ct_exec.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/alloc.h"
#include "lib/base/bytes.h"
#include "lib/base/date.h"
#include "lib/base/fd.h"

#define TIMEOUT_MS 30000
#define FORCE_TIMEOUT_MS 2000
#define MAX_CONSOLE_LOG (1024 * 1024)

/* Pipes for the streams that the caller does not bring. */
struct streams {
	int inside[3];  /* For the command; borrowed where the caller gave one. */
	int outside[3]; /* For us, or -1. */
	bool is_ours[3];
};

static void streams_done(struct streams *s)
{
	for (size_t i = 0; i < 3; i++) {
		if (s->is_ours[i] && s->inside[i] >= 0)
			close(s->inside[i]);
		if (s->outside[i] >= 0)
			close(s->outside[i]);
	}
}

static int streams_open(const struct instance_exec *exec, struct streams *s)
{
	const int given[3] = { exec->stdin_fd, exec->stdout_fd, exec->stderr_fd };

	for (size_t i = 0; i < 3; i++) {
		int pair[2];

		if (given[i] >= 0) {
			s->inside[i] = given[i];
			continue;
		}
		int r = fd_pipe(pair);
		if (r < 0)
			return r;
		s->is_ours[i] = true;
		s->inside[i] = pair[i != 0];
		s->outside[i] = pair[i == 0];
	}

	return 0;
}

static void put_text(struct strbuf *b, const char *text)
{
	strbuf_add_n(b, text, strlen(text) + 1);
}

static void put_strings(struct strbuf *b, const char *const *strings)
{
	uint32_t n = 0;

	while (strings && strings[n])
		n++;
	bytes_put_le32(b, n);
	for (uint32_t i = 0; i < n; i++)
		put_text(b, strings[i]);
}

int ct_exec(struct instance_engine *engine, const struct instance_spec *spec,
            const struct instance_exec *exec, struct instance_process **ret_process,
            struct error **err)
{
	scoped(streams_done) struct streams s = { { -1, -1, -1 }, { -1, -1, -1 }, { false } };
	scoped(strbuf_done) struct strbuf payload = { 0 }, reply = { 0 };
	struct ct_running running;
	scoped_fd int job = -1;
	int fds[2];

	if (!exec->argv || !exec->argv[0])
		return error_set(err, 400, "Command is empty");
	int r = ct_engine_need(engine, spec->id, &running, err);
	if (r < 0)
		return r;
	if (running.is_frozen)
		return error_set(err, 400, "Instance is frozen");
	r = exec->is_interactive ? 0 : streams_open(exec, &s);
	if (r < 0)
		return error_set_errno(err, r, "Failed making pipes");

	put_text(&payload, running.run_dir);
	bytes_put_u8(&payload, exec->is_interactive);
	bytes_put_le32(&payload, exec->uid);
	bytes_put_le32(&payload, exec->gid);
	bytes_put_le16(&payload, exec->width);
	bytes_put_le16(&payload, exec->height);
	put_text(&payload, exec->cwd ? exec->cwd : "");
	put_strings(&payload, exec->argv);
	put_strings(&payload, exec->environment);
	r = ct_spawner_run(engine->spawner, CT_JOB_EXEC, &payload, s.inside,
	                   exec->is_interactive ? 0 : 3, &job, err);
	if (r == 0)
		r = ct_spawner_reply(job, TIMEOUT_MS, &reply, fds, 2, err);
	if (r < 0)
		return r;

	struct bytes b = { .data = (const uint8_t *)reply.text, .size = reply.size };
	*ret_process = instance_process_new(&(struct instance_process_setup){
		.loop = engine->setup.loop,
		.control = TAKE_FD(job),
		.pidfd = fds[0],
		.pid = (pid_t)bytes_le32(&b),
		.fds = { exec->is_interactive ? fds[1] : s.outside[0], s.outside[1], s.outside[2] },
		.is_interactive = exec->is_interactive,
		.end_status = -1,
		.held_fd = -1,
	});
	for (size_t i = 0; i < 3; i++)
		s.outside[i] = -1;
	return 0;
}

static int open_console(struct instance_engine *engine, const char *run_dir, int *ret_fds,
                        struct error **err)
{
	scoped(strbuf_done) struct strbuf payload = { 0 }, reply = { 0 };
	scoped_fd int job = -1;

	put_text(&payload, run_dir);
	int r = ct_spawner_run(engine->spawner, CT_JOB_CONSOLE, &payload, NULL, 0, &job, err);
	if (r == 0)
		r = ct_spawner_reply(job, TIMEOUT_MS, &reply, ret_fds, 2, err);
	return r;
}

int ct_exec_console(struct instance_engine *engine, const char *id, bool force,
                    struct instance_process **ret_process, struct error **err)
{
	struct ct_running running;
	int fds[2] = { -1, -1 };

	int r = ct_engine_need(engine, id, &running, err);
	if (r < 0)
		return r;
	r = open_console(engine, running.run_dir, fds, err);
	if (r == -EBUSY && force) {
		int64_t deadline = date_deadline(FORCE_TIMEOUT_MS);

		/* The monitor notices a moment later that the other one's connection ended. */
		ct_engine_end_console(engine, id);
		while (r == -EBUSY && date_left(deadline) > 0) {
			error_freep(err);
			*err = NULL;
			r = open_console(engine, running.run_dir, fds, err);
		}
	}
	if (r < 0)
		return r;
	ct_engine_set_console(engine, id, fds[0]);

	/* The monitor closes its end of fds[0] when the container stops, and ours when we let go.
	 */
	*ret_process = instance_process_new(&(struct instance_process_setup){
		.loop = engine->setup.loop,
		.control = fds[0],
		.pidfd = -1,
		.fds = { fds[1], -1, -1 },
		.is_interactive = true,
		.end_status = 0,
		.held_fd = -1,
	});
	return 0;
}

static char *console_path(const struct instance_spec *spec)
{
	return xasprintf("%s/console.log", spec->log_dir);
}

int ct_exec_console_log(struct instance_engine *engine, const struct instance_spec *spec,
                        char **ret_log, size_t *ret_size, struct error **err)
{
	scoped_free char *path = console_path(spec);
	scoped_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	(void)engine;
	if (fd < 0 && errno == ENOENT) {
		*ret_log = xstrdup("");
		*ret_size = 0;
		return 0;
	}
	if (fd < 0 || fstat(fd, &st) < 0)
		return error_set_errno(err, -errno, "Failed reading the console log");

	off_t offset = st.st_size > MAX_CONSOLE_LOG ? st.st_size - MAX_CONSOLE_LOG : 0;
	scoped_free char *log = xmalloc(MAX_CONSOLE_LOG + 1);
	ssize_t n = fd_read_full_at(fd, log, MAX_CONSOLE_LOG, offset);
	if (n < 0)
		return error_set_errno(err, (int)n, "Failed reading the console log");
	log[n] = '\0';
	*ret_log = TAKE_PTR(log);
	*ret_size = (size_t)n;
	return 0;
}

int ct_exec_console_clear(struct instance_engine *engine, const struct instance_spec *spec,
                          struct error **err)
{
	scoped_free char *path = console_path(spec);

	(void)engine;
	/* The monitor appends: its next byte is the first one then. */
	if (truncate(path, 0) < 0 && errno != ENOENT)
		return error_set_errno(err, -errno, "Failed clearing the console log");
	return 0;
}
