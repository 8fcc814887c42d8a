/* An instance's console: being on it, what it wrote before, forgetting that. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/instance/instance.h"
#include "lib/base/error.h"

struct operation;
struct requestor;

struct instance_console_request {
	bool is_forced; /* Ends the session of whoever is on it. */
	uint16_t width, height;
};

/*
 * Makes the operation of being on it, over a websocket, "0". 400 if the instance does not run.
 * Takes 'inst', whatever the result.
 */
int instance_console(struct instance *inst_take, const struct instance_console_request *request,
                     const struct requestor *requestor, struct operation **ret_op,
                     struct error **err);

/* What it wrote, the last of it. Owned by the caller. */
int instance_console_log(const struct instance *inst, char **ret_log, size_t *ret_size,
                         struct error **err);
int instance_console_clear(const struct instance *inst, struct error **err);
