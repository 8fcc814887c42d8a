/*
 * The rows that the volume tables of all drivers have in common.
 *
 * A table is one array that ends with an empty row, so what is shared is a macro and not a table.
 */
#pragma once

#include "lib/conf/conf.h"

/* clang-format off */
#define STORAGE_VOLUME_KEYS                                                                        \
	{ .name = "size", .type = CONF_SIZE, .flags = CONF_LIVE,                                   \
	  .doc = "Size of the volume; needs a pool that can limit volumes." },                     \
	{ .name = "security.shared", .type = CONF_BOOL, .flags = CONF_LIVE,                        \
	  .doc = "Whether several instances may use the block volume at the same time." },         \
	{ .name = "security.shifted", .type = CONF_BOOL, .flags = CONF_LIVE,                       \
	  .doc = "Whether every instance sees the volume's owners through its own id map." },      \
	{ .name = "security.unmapped", .type = CONF_BOOL, .flags = CONF_LIVE,                      \
	  .doc = "Whether instances see the owners as they are on disk." },                        \
	{ .name = "snapshots.expiry", .type = CONF_EXPIRY, .flags = CONF_LIVE,                     \
	  .doc = "How long snapshots are kept." },                                                 \
	{ .name = "snapshots.pattern", .type = CONF_STRING, .flags = CONF_LIVE,                    \
	  .doc = "Template for the names of snapshots that nobody named." },                       \
	{ .name = "snapshots.schedule", .type = CONF_STRING, .flags = CONF_LIVE,                   \
	  .check = conf_check_volume_schedule,                                                     \
	  .doc = "When snapshots are made: five fields as of cron, or \"@daily\" and the like." }, \
	{ .name = "volatile.*", .type = CONF_STRING, .flags = CONF_INTERNAL,                       \
	  .doc = "What the daemon remembers of the volume." },                                     \
	{ .name = "user.*", .type = CONF_STRING, .flags = CONF_LIVE,                               \
	  .doc = "Free for users; never read by the daemon." },                                    \
	{ .name = NULL }
/* clang-format on */
