#include "lib/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/alloc.h"
#include "lib/base/date.h"
#include "lib/base/enum.h"
#include "lib/base/scoped.h"
#include "lib/base/strbuf.h"
#include "lib/base/thread.h"

#define MAX_PAIRS 16

static const char *const names[] = {
	[LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_WARN] = "warning",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
};
ENUM_IS_COMPLETE(names, N_LOG_LEVELS);

/* sd-daemon(3): what the journal takes for the priority of a line. */
static const char *const prefixes[] = {
	[LOG_LEVEL_ERROR] = "<3>",
	[LOG_LEVEL_WARN] = "<4>",
	[LOG_LEVEL_INFO] = "<6>",
	[LOG_LEVEL_DEBUG] = "<7>",
};
ENUM_IS_COMPLETE(prefixes, N_LOG_LEVELS);

static atomic_int max_level = LOG_LEVEL_WARN;
static atomic_int sink_level = -1;

static struct mutex lock = MUTEX_INIT;
static char *file_path GUARDED;
static int file = -1;
static void (*sink)(const struct log_message *m, void *arg) GUARDED;
static void *sink_arg GUARDED;

static _Thread_local bool is_in_sink;

void log_set_level(enum log_level level)
{
	atomic_store(&max_level, (int)level);
}

bool log_is_on(enum log_level level)
{
	return (int)level <= atomic_load_explicit(&max_level, memory_order_relaxed) ||
	       (int)level <= atomic_load_explicit(&sink_level, memory_order_relaxed);
}

const char *log_level_name(enum log_level level)
{
	return names[level];
}

static int open_file(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0600);

	return fd < 0 ? -errno : fd;
}

/* Takes over both. */
static void use_file_take(char *path, int fd)
{
	mutex_lock(&lock);
	char *old_path = file_path;
	int old = file;
	file_path = path;
	file = fd;
	mutex_unlock(&lock);

	free(old_path);
	if (old >= 0)
		close(old);
}

int log_open(const char *path)
{
	int fd = path ? open_file(path) : -1;

	if (path && fd < 0)
		return fd;

	use_file_take(xstrdup_or_null(path), fd);
	return 0;
}

int log_reopen(void)
{
	mutex_lock(&lock);
	scoped_free char *path = xstrdup_or_null(file_path);
	mutex_unlock(&lock);

	return path ? log_open(path) : 0;
}

void log_set_sink(enum log_level level, void (*new_sink)(const struct log_message *m, void *arg),
                  void *arg)
{
	mutex_lock(&lock);
	sink = new_sink;
	sink_arg = arg;
	mutex_unlock(&lock);
	atomic_store(&sink_level, new_sink ? (int)level : -1);
}

static bool is_journal(void)
{
	static atomic_int known = -1;
	int value = atomic_load(&known);

	if (value < 0) {
		value = getenv("JOURNAL_STREAM") != NULL;
		atomic_store(&known, value);
	}
	return value;
}

/* Text of a client must not begin a line of its own, nor play tricks on a terminal. */
static void add_escaped(struct strbuf *b, const char *s, bool is_quoted)
{
	for (; *s; s++) {
		if (*s == '\n')
			strbuf_add(b, "\\n");
		else if ((unsigned char)*s < ' ' || *s == 0x7F)
			strbuf_addf(b, "\\x%02x", (unsigned)(unsigned char)*s);
		else if (is_quoted && (*s == '"' || *s == '\\'))
			strbuf_addf(b, "\\%c", *s);
		else
			strbuf_add_char(b, *s);
	}
}

static void add_pair(struct strbuf *b, const struct log_pair *pair)
{
	bool is_quoted = !*pair->value || strpbrk(pair->value, " \"\\=");

	strbuf_addf(b, " %s=%s", pair->key, is_quoted ? "\"" : "");
	add_escaped(b, pair->value, is_quoted);
	if (is_quoted)
		strbuf_add_char(b, '"');
}

static void write_line(const struct log_message *m, bool to_journal)
{
	scoped(strbuf_done) struct strbuf b = { 0 };
	char date[DATE_SIZE];

	if (to_journal)
		strbuf_add(&b, prefixes[m->level]);
	else
		strbuf_addf(&b, "%s %-7s ", date_format(m->date / 1000000 * 1000000, date),
		            names[m->level]);
	add_escaped(&b, m->text, false);
	for (size_t i = 0; i < m->n_pairs; i++)
		add_pair(&b, &m->pairs[i]);
	strbuf_add_char(&b, '\n');

	/* One write per line: lines of several threads and processes do not mix. */
	mutex_lock(&lock);
	int fd = file >= 0 ? file : STDERR_FILENO;
	ssize_t n = write(fd, b.text, b.size);
	(void)n; /* There is nowhere to complain. */
	mutex_unlock(&lock);
}

static void call_sink(const struct log_message *m)
{
	mutex_lock(&lock);
	void (*fn)(const struct log_message *message, void *arg) = sink;
	void *arg = sink_arg;
	mutex_unlock(&lock);

	if (!fn || is_in_sink)
		return;

	is_in_sink = true;
	fn(m, arg);
	is_in_sink = false;
}

static void emit(const struct log_message *m)
{
	int saved = errno;

	if ((int)m->level <= atomic_load_explicit(&max_level, memory_order_relaxed))
		write_line(m, file < 0 && is_journal());
	if ((int)m->level <= atomic_load_explicit(&sink_level, memory_order_relaxed))
		call_sink(m);
	errno = saved;
}

void log_write(enum log_level level, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	scoped_free char *text = xvasprintf(fmt, args);
	va_end(args);

	struct log_message m = { .level = level, .date = date_now(), .text = text };
	emit(&m);
}

void log_write_kv(enum log_level level, const char *text, ...)
{
	struct log_pair pairs[MAX_PAIRS];
	size_t n_pairs = 0;
	va_list args;

	va_start(args, text);
	for (const char *key; n_pairs < MAX_PAIRS && (key = va_arg(args, const char *));) {
		const char *value = va_arg(args, const char *);

		pairs[n_pairs++] = (struct log_pair){ key, value ? value : "" };
	}
	va_end(args);

	struct log_message m = { level, date_now(), text, pairs, n_pairs };
	emit(&m);
}
