/*
 * The log: one line per message on stderr or in a file.
 *
 * A message is a sentence without a final period. The plain macros take a format; those with _kv
 * take a constant sentence and then pairs of key and text, ended by the macro:
 *
 *	log_warn("Failed reading lease file \"%s\": %s", path, err->msg);
 *	log_info_kv("Starting instance", "project", project, "instance", name);
 *
 * Under systemd (JOURNAL_STREAM) lines carry a priority prefix and no time.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/macro.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG, N_LOG_LEVELS };

struct log_pair {
	const char *key;
	const char *value;
};

struct log_message {
	enum log_level level;
	int64_t date; /* As date_now(). */
	const char *text;
	const struct log_pair *pairs;
	size_t n_pairs;
};

/* Messages beyond 'level' are dropped before they are formatted. The first value is WARN. */
void log_set_level(enum log_level level);
bool log_is_on(enum log_level level);

/* "error", "warning", "info", "debug". */
const char *log_level_name(enum log_level level);

/* Writes to a file from now on (NULL: stderr again). Lines are appended, mode 0600. */
int log_open(const char *path);

/* Opens the file of log_open() anew, after it was rotated. */
int log_reopen(void);

/*
 * Also hands each message of 'level' and above to 'sink', on the thread that logs; what is logged
 * within the sink is not handed over again. NULL: none.
 */
void log_set_sink(enum log_level level, void (*sink)(const struct log_message *m, void *arg),
                  void *arg);

void log_write(enum log_level level, const char *fmt, ...) PRINTF(2, 3);
void log_write_kv(enum log_level level, const char *text, ...) SENTINEL;

#define LOG_AT(level, ...)                             \
	do {                                           \
		if (log_is_on(level))                  \
			log_write(level, __VA_ARGS__); \
	} while (0)

#define LOG_KV_AT(level, ...)                                           \
	do {                                                            \
		if (log_is_on(level))                                   \
			log_write_kv(level, __VA_ARGS__, (char *)NULL); \
	} while (0)

#define log_error(...) LOG_AT(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...) LOG_AT(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...) LOG_AT(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) LOG_AT(LOG_LEVEL_DEBUG, __VA_ARGS__)

#define log_error_kv(...) LOG_KV_AT(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn_kv(...) LOG_KV_AT(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info_kv(...) LOG_KV_AT(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug_kv(...) LOG_KV_AT(LOG_LEVEL_DEBUG, __VA_ARGS__)
