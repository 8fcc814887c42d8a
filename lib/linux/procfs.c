#include "lib/linux/procfs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/file.h"
#include "lib/base/scoped.h"

#define MAX_FILE (64 * 1024)

static int read_of(pid_t pid, const char *file, char **ret)
{
	char path[96];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	int r = file_read(path, MAX_FILE, ret, NULL);
	return r == -ENOENT ? -ESRCH : r;
}

int procfs_stat(pid_t pid, pid_t *ret_parent, uint64_t *ret_started)
{
	scoped_free char *text = NULL;

	int r = read_of(pid, "stat", &text);
	if (r < 0)
		return r;

	/* The name, in parentheses, may hold anything; 'at' is before field 3. */
	char *at = strrchr(text, ')');
	if (!at)
		return -EINVAL;
	int field = 2;
	for (char *word = strtok_r(at + 1, " ", &at); word; word = strtok_r(NULL, " ", &at)) {
		field++;
		if (field == 4 && ret_parent)
			*ret_parent = (pid_t)strtol(word, NULL, 10);
		if (field != 22)
			continue;
		if (ret_started)
			*ret_started = strtoull(word, NULL, 10);
		return 0;
	}

	return -EINVAL;
}

int procfs_started_at(pid_t pid, uint64_t *ret_seconds)
{
	struct timespec real, boot;
	uint64_t ticks;

	int r = procfs_stat(pid, NULL, &ticks);
	if (r < 0)
		return r;
	clock_gettime(CLOCK_REALTIME, &real);
	clock_gettime(CLOCK_BOOTTIME, &boot);
	*ret_seconds =
		(uint64_t)(real.tv_sec - boot.tv_sec) + ticks / (uint64_t)sysconf(_SC_CLK_TCK);
	return 0;
}

bool procfs_is_namespace_init(pid_t pid)
{
	scoped_free char *text = NULL;
	if (read_of(pid, "status", &text) < 0)
		return false;

	/* "NSpid:\t1234\t1": its number in our namespace, in those below, innermost last. */
	char *line = strstr(text, "\nNSpid:");
	if (!line)
		return false;
	line += strlen("\nNSpid:");
	line[strcspn(line, "\n")] = '\0';
	const char *last = strrchr(line, '\t');
	return last && last != line && strcmp(last, "\t1") == 0;
}

int procfs_namespace_child(pid_t pid, pid_t *ret_child)
{
	scoped_free char *text = NULL;
	char file[64], *at = NULL;

	snprintf(file, sizeof(file), "task/%d/children", pid);
	int r = read_of(pid, file, &text);
	if (r < 0)
		return r;
	for (char *word = strtok_r(text, " \n", &at); word; word = strtok_r(NULL, " \n", &at)) {
		pid_t child = (pid_t)strtol(word, NULL, 10);

		if (child > 0 && procfs_is_namespace_init(child)) {
			*ret_child = child;
			return 0;
		}
	}

	return -ENOENT;
}

int procfs_memory_total(uint64_t *ret_bytes)
{
	scoped_free char *text = NULL;

	int r = file_read("/proc/meminfo", MAX_FILE, &text, NULL);
	if (r < 0)
		return r;
	const char *line = strstr(text, "MemTotal:");
	if (!line)
		return -ENOENT;
	*ret_bytes = strtoull(line + strlen("MemTotal:"), NULL, 10) * 1024;
	return 0;
}
