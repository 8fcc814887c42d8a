/*
 * Project quotas: a limit on what lies below a directory, on ext4 and xfs.
 *
 * A directory gets a project id that everything made below it inherits; the filesystem counts and
 * limits by id. The caller chooses ids that nothing else uses.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* 1 if the filesystem of 'path' counts projects and enforces limits, 0 if not. */
int quota_is_supported(const char *path);

/* The project id of a directory; 0 is none. */
int quota_project(const char *path, uint32_t *ret_id);

/* Gives a directory and all that is below it a project id; new files inherit it. */
int quota_set_project(const char *path, uint32_t id);

/* The limit of a project in bytes, 0 for none, and what it uses. 'path' is on its filesystem. */
int quota_set_limit(const char *path, uint32_t id, uint64_t bytes);
int quota_usage(const char *path, uint32_t id, uint64_t *ret_used, uint64_t *ret_limit);
