/*
 * Snapshots of custom volumes that nobody asks for: "snapshots.schedule", and the end of those that
 * expired. A volume is its member's; one that all members share is the leader's.
 */
#pragma once

#include "lib/base/error.h"

struct schedule_pass;

/* Starts what is due. */
int storage_schedule_look(struct schedule_pass *pass, struct error **err);
