/*
 * ^C as something that can be asked for.
 *
 * A long request must not die with the client: the first ^C asks the server to cancel it, the
 * second one ends the client. Until interrupt_begin() is called, signals do what they always do.
 */
#pragma once

#include <poll.h>
#include <signal.h>

/*
 * From now on SIGINT and SIGTERM are counted instead of ending the process, and delivered during
 * interrupt_poll() only, so that none can fall between a look at the counter and the wait.
 */
void interrupt_begin(void);
void interrupt_end(void);

/* How many have come since interrupt_begin(); resets nothing. */
unsigned interrupt_count(void);

/*
 * poll() that returns -EINTR once for each new interrupt, and for each SIGWINCH if those are
 * handled by somebody else; -errno on failure; the number of ready descriptors otherwise.
 * 'timeout_ms' is negative for no limit.
 */
int interrupt_poll(struct pollfd *fds, nfds_t n_fds, int timeout_ms);
