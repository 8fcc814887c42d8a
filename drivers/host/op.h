/*
 * A long job as drivers see it: may it go on, and who wants to know how far it is.
 *
 * The services make one from an operation of daemon/core; tests make one by hand or pass NULL. A
 * NULL 'struct op' is never cancelled and tells nobody.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/error.h"

struct cancel;

/* What a job did so far. Zero means "not known" in every member. */
struct op_progress {
	const char *stage; /* "fs" for the key "fs_progress" of the metadata; never NULL. */
	const char *
		what; /* What is being worked on, as "c1" or an image's fingerprint; may be NULL. */
	uint64_t bytes;
	uint64_t total_bytes;
	uint64_t bytes_per_second;
};

struct op {
	struct cancel *cancel; /* Borrowed; NULL if it cannot be cancelled. */
	void (*progress)(void *arg, const struct op_progress *progress); /* May be NULL. */
	void *arg;
};

/* Whether the client cancelled, or the deadline passed. */
bool op_cancelled(const struct op *op);

/* Fails with a 400 "Operation cancelled" and -ECANCELED if op_cancelled(). */
int op_check(const struct op *op, struct error **err);

/* The cancellation to hand to lib/base, or NULL. Borrowed from 'op'. */
struct cancel *op_cancel(const struct op *op);

/* Tells the listener, if there is one. Callers need not limit how often they call. */
void op_report(const struct op *op, const struct op_progress *progress);
