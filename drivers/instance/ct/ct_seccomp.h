/*
 * A container's system call policy, as liblxc reads it.
 *
 * Pure text, written by ourselves from checked words: nothing of the config is pasted but
 * "raw.seccomp", which only administrators may set and which replaces all of it.
 */
#pragma once

#include "lib/base/error.h"
#include "lib/base/strbuf.h"

struct smap;

/*
 * Appends the policy for an instance to 'ret_text'; nothing if it has none. Fails with a 400 for a
 * "security.syscalls.*" value that names no system call.
 */
int ct_seccomp_policy(const struct smap *config, struct strbuf *ret_text, struct error **err);

/* Checks a "security.syscalls.allow" or ".deny" value: a system call per line, as "name [errno N]".
 */
int ct_seccomp_check_list(const char *value, struct error **err);
