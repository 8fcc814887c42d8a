/*
 * What is armed is one small array behind a mutex: a point that is passed while anything is armed
 * looks for itself in it. A stall waits on a condition, so that arming something else ends it.
 */
#include "lib/base/failpoint.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/alloc.h"
#include "lib/base/array.h"
#include "lib/base/date.h"
#include "lib/base/enum.h"
#include "lib/base/parse.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/base/thread.h"

enum action { ACTION_KILL, ACTION_FAIL, ACTION_STALL, ACTION_OFF, N_ACTIONS };

static const char *const action_names[] = {
	[ACTION_KILL] = "kill",
	[ACTION_FAIL] = "fail",
	[ACTION_STALL] = "stall",
	[ACTION_OFF] = "off",
};
ENUM_IS_COMPLETE(action_names, N_ACTIONS);

struct armed {
	char *name;
	char *subject; /* "": any. */
	enum action action;
	int64_t argument; /* Errno or milliseconds; 0: none given. */
	uint64_t nth;     /* 0: each time. */
	uint64_t n_passed;
};

struct set {
	struct armed *items;
	size_t n_items;
	size_t capacity;
};

static struct mutex mutex = MUTEX_INIT;
static struct cond rearmed = COND_INIT;
static struct set all GUARDED;
static uint64_t generation GUARDED; /* Raised by each arming. */

atomic_bool failpoint_is_on;

/* Absent in a program without points. */
extern const struct failpoint *const __start_failpoints[] __attribute__((__weak__));
extern const struct failpoint *const __stop_failpoints[] __attribute__((__weak__));

bool failpoint_exists(void)
{
#ifdef HAVE_FAILPOINTS
	return true;
#else
	return false;
#endif
}

static int by_name(const void *left, const void *right)
{
	const struct failpoint *const *a = left;
	const struct failpoint *const *b = right;

	return strcmp((*a)->name, (*b)->name);
}

const struct failpoint **failpoint_list(void)
{
	size_t n = (size_t)(__stop_failpoints - __start_failpoints);
	const struct failpoint **points = xcalloc(n + 1, sizeof(*points));

	for (size_t i = 0; i < n; i++)
		points[i] = __start_failpoints[i];
	qsort(points, n, sizeof(*points), by_name);
	return points;
}

static bool is_known(const char *name)
{
	size_t n = (size_t)(__stop_failpoints - __start_failpoints);

	for (size_t i = 0; i < n; i++)
		if (strcmp(__start_failpoints[i]->name, name) == 0)
			return true;

	return false;
}

static void set_done(struct set *set)
{
	for (size_t i = 0; i < set->n_items; i++) {
		free(set->items[i].name);
		free(set->items[i].subject);
	}
	free(set->items);
	*set = (struct set){ 0 };
}

/* Cuts 'text' at the first 'mark'; what follows it, or NULL. */
static char *cut(char *text, char mark)
{
	char *at = strchr(text, mark);

	if (at)
		*at++ = '\0';
	return at;
}

static int parse_one(const char *text, struct armed *ret_armed, struct error **err)
{
	scoped_free char *copy = xstrdup(text);
	struct armed armed = { 0 };
	int64_t nth = 0;

	char *action = cut(copy, '=');
	char *subject = cut(copy, '/');
	char *count = action ? cut(action, '@') : NULL;
	char *argument = action ? cut(action, ':') : NULL;
	int kind = action ? ENUM_VALUE(action_names, action) : -EINVAL;
	if (kind < 0)
		return error_set(err, 400, "Invalid failpoint \"%s\"", text);
	if (!is_known(copy))
		return error_set(err, 400, "There is no failpoint \"%s\"", copy);
	if ((argument && (parse_int64(argument, &armed.argument) < 0 || armed.argument <= 0)) ||
	    (count && (parse_int64(count, &nth) < 0 || nth <= 0)))
		return error_set(err, 400, "Invalid number in failpoint \"%s\"", text);

	armed.action = (enum action)kind;
	armed.nth = (uint64_t)nth;
	armed.name = xstrdup(copy);
	armed.subject = xstrdup(subject ? subject : "");
	*ret_armed = armed;
	return 0;
}

static int parse_spec(const char *spec, struct set *ret_set, struct error **err)
{
	scoped(strv_freep) char **parts = strv_split(spec, ',');
	struct set set = { 0 };

	STRV_FOREACH (part, parts) {
		struct armed armed;

		if (str_is_empty(part))
			continue;
		int r = parse_one(part, &armed, err);
		if (r < 0) {
			set_done(&set);
			return r;
		}
		ARRAY_ADD(&set, armed);
	}
	*ret_set = set;
	return 0;
}

int failpoint_arm(const char *spec, struct error **err)
{
	struct set fresh = { 0 };

	int r = parse_spec(spec, &fresh, err);
	if (r < 0)
		return r;

	mutex_lock(&mutex);
	struct set old = all;
	all = fresh;
	generation++;
	atomic_store(&failpoint_is_on, all.n_items > 0);
	cond_broadcast(&rearmed);
	mutex_unlock(&mutex);
	set_done(&old);
	return 0;
}

struct failpoint_armed *failpoint_armed_list(size_t *ret_n)
{
	mutex_lock(&mutex);
	struct failpoint_armed *items = xcalloc(all.n_items + 1, sizeof(*items));
	for (size_t i = 0; i < all.n_items; i++)
		items[i] = (struct failpoint_armed){
			.name = xstrdup(all.items[i].name),
			.subject = xstrdup(all.items[i].subject),
			.n_passed = all.items[i].n_passed,
		};
	*ret_n = all.n_items;
	mutex_unlock(&mutex);
	return items;
}

void failpoint_armed_free(struct failpoint_armed *items, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(items[i].name);
		free(items[i].subject);
	}
	free(items);
}

/* The first that is meant and due now; all that are meant are counted. */
static struct armed *find_due(const char *name, const char *subject) REQUIRES(mutex)
{
	struct armed *due = NULL;

	for (size_t i = 0; i < all.n_items; i++) {
		struct armed *armed = &all.items[i];

		if (strcmp(armed->name, name) != 0 ||
		    (*armed->subject && strcmp(armed->subject, str_or_empty(subject)) != 0))
			continue;
		armed->n_passed++;
		if (!due && (armed->nth == 0 || armed->nth == armed->n_passed))
			due = armed;
	}
	return due;
}

static void stall(int64_t ms) REQUIRES(mutex)
{
	uint64_t since = generation;
	int64_t deadline = date_deadline(ms ? ms : -1);
	bool in_time = true;

	while (generation == since && in_time)
		in_time = thread_cond_wait_until(&rearmed, &mutex, deadline);
}

int failpoint_pass(const struct failpoint *point, const char *subject, struct error **err)
{
	int r = 0;

	mutex_lock(&mutex);
	const struct armed *due = find_due(point->name, subject);
	enum action action = due ? due->action : ACTION_OFF;
	int64_t argument = due ? due->argument : 0;
	if (action == ACTION_STALL)
		stall(argument);
	mutex_unlock(&mutex);

	if (action == ACTION_KILL)
		kill(getpid(), SIGKILL);
	if (action == ACTION_FAIL)
		r = argument ? -(int)argument : -EIO;
	if (r < 0 && err)
		return error_set_errno(err, r, "Failpoint \"%s\"", point->name);

	return r;
}
