/* Threads with small stacks; mutexes and conditions that clang can check. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "lib/base/date.h"
#include "lib/base/macro.h"

#define THREAD_STACK_SIZE ((size_t)256 * 1024)

struct CAPABILITY mutex {
	pthread_mutex_t m;
};

struct cond {
	pthread_cond_t c;
};

/* clang-format off */
#define MUTEX_INIT { PTHREAD_MUTEX_INITIALIZER }
#define COND_INIT { PTHREAD_COND_INITIALIZER }
/* clang-format on */

static inline void mutex_init(struct mutex *m)
{
	pthread_mutex_init(&m->m, NULL);
}

static inline void mutex_done(struct mutex *m)
{
	pthread_mutex_destroy(&m->m);
}

static inline void mutex_lock(struct mutex *m) ACQUIRES(*m) NO_LOCK_CHECK
{
	pthread_mutex_lock(&m->m);
}

static inline void mutex_unlock(struct mutex *m) RELEASES(*m) NO_LOCK_CHECK
{
	pthread_mutex_unlock(&m->m);
}

static inline void cond_init(struct cond *c)
{
	pthread_cond_init(&c->c, NULL);
}

static inline void cond_done(struct cond *c)
{
	pthread_cond_destroy(&c->c);
}

static inline void cond_wait(struct cond *c, struct mutex *m) REQUIRES(*m)
{
	pthread_cond_wait(&c->c, &m->m);
}

/* Returns false when 'deadline' (date_deadline()) is over. May wake early, as any condition. */
bool thread_cond_wait_until(struct cond *c, struct mutex *m, int64_t deadline) REQUIRES(*m);

static inline void cond_signal(struct cond *c)
{
	pthread_cond_signal(&c->c);
}

static inline void cond_broadcast(struct cond *c)
{
	pthread_cond_broadcast(&c->c);
}

/*
 * Starts a thread with signals blocked and THREAD_STACK_SIZE of stack ('stack_size' of 0) that
 * the caller joins. 'name' is cut to 15 characters.
 */
int thread_start(pthread_t *ret, const char *name, size_t stack_size, void *(*fn)(void *arg),
                 void *arg);

/* The same for a thread that nobody joins. */
int thread_start_detached(const char *name, size_t stack_size, void *(*fn)(void *arg), void *arg);

void thread_set_name(const char *name);
