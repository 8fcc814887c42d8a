/* What only makes sense in a cluster. */
#pragma once

#include "lib/base/error.h"

struct state;

/* 400 "This server is not clustered". */
int cluster_guard_check(const struct state *state, struct error **err);
