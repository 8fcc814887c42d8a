/*
 * Operations that are plans: their ids are of no member (operation_make_shared_id()), and any
 * member answers for them from the rows of the plan, whoever carries it out. So whoever waits does
 * not notice when that one is lost.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/error.h"

struct json_object;
struct request;
struct response;

/* Whether there is a plan behind the operation that the request names. */
bool operations_plan_has(struct request *req);

int operations_plan_get(struct request *req, struct json_object **ret_json, struct error **err);
int operations_plan_cancel(struct request *req, struct error **err);

/* Answers when the plan has ended, or after 'timeout_ms' (UINT64_MAX: never). */
void operations_plan_wait(struct request *req, struct response *res, uint64_t timeout_ms);
