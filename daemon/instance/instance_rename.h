/*
 * An instance under another name.
 *
 * Files are renamed first, then all rows in one transaction. In between the daemon may be killed,
 * so what is about to happen is written down before it does, and undone at the next start.
 */
#pragma once

#include "daemon/instance/instance.h"
#include "lib/base/error.h"

struct operation;

/* Everything that is wrong with it now; 409 for a name that is taken. */
int instance_rename_check(const struct instance *inst, const char *new_name, struct error **err);

int instance_rename(struct state *state, const char *project, const char *name,
                    const char *new_name, struct operation *op, struct error **err);

/* At start: takes back a rename that was cut off. */
int instance_rename_mend(struct state *state, struct error **err);
