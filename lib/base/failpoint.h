/*
 * Named places at which a test lets the program fail, stall or die.
 *
 *	int r = FAILPOINT("file.replace", NULL, "Before a new file takes its name", err);
 *
 * A point is declared where it is, and listed by `musterd --failpoints` for that alone. It
 * evaluates to 0 unless it is armed; then to a negative errno, with '*err' set where that is not
 * NULL. The subject, a text or NULL, tells cases of one point apart: the phase of a step, the verb
 * of a request.
 *
 * Points are armed by a text, from MUSTER_FAILPOINTS when the daemon starts or by a request that
 * only tests make:
 *
 *	NAME[/SUBJECT]=ACTION[:ARGUMENT][@N][,...]
 *
 *	kill         SIGKILL to the process itself
 *	fail[:ERRNO] a failure, by number; EIO without one
 *	stall[:MS]   waits so long, without a number until it is armed otherwise
 *	off          counts how often it is passed, and nothing else
 *
 * With @N it acts the N-th time only, without each time. Built without the option "failpoints"
 * there are none, and a point costs nothing; with it, one that is not armed costs one load.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/error.h"
#include "lib/base/macro.h"

struct failpoint {
	const char *name;
	const char *text; /* When it is passed. */
};

/* Whether they are built in. */
bool failpoint_exists(void);

/* All points of this program in the order of their names, NULL at the end; the caller frees it. */
const struct failpoint **failpoint_list(void) MUST_CHECK;

/* Arms what 'spec' says and nothing else, "": nothing. 400, with nothing changed. */
int failpoint_arm(const char *spec, struct error **err);

/* One that is armed: what it is, and how often it was passed since. */
struct failpoint_armed {
	char *name;
	char *subject; /* "": any. */
	uint64_t n_passed;
};

/* Those that are armed; the caller frees it with failpoint_armed_free(). */
struct failpoint_armed *failpoint_armed_list(size_t *ret_n) MUST_CHECK;
void failpoint_armed_free(struct failpoint_armed *items, size_t n);

/* For the macro. */
extern atomic_bool failpoint_is_on;
int failpoint_pass(const struct failpoint *point, const char *subject, struct error **err);

#ifdef HAVE_FAILPOINTS
/* The linker gathers the addresses of all points in one array. */
#	define FAILPOINT(id, subject, when, err)                                          \
		__extension__({                                                            \
			static const struct failpoint failpoint_here = { .name = (id),     \
				                                         .text = (when) }; \
			static const struct failpoint *const failpoint_address             \
				__attribute__((__section__("failpoints"), __used__)) =     \
					&failpoint_here;                                   \
			atomic_load_explicit(&failpoint_is_on, memory_order_relaxed)       \
				? failpoint_pass(&failpoint_here, (subject), (err))        \
				: 0;                                                       \
		})
#else
#	define FAILPOINT(id, subject, when, err) ((void)(subject), (void)(err), 0)
#endif

/* For where nothing can fail: it can be stalled or killed. */
#define FAILPOINT_HERE(id, subject, when) ((void)FAILPOINT(id, subject, when, NULL))
