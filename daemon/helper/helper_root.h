/* Getting into a container's root, as its root, without becoming visible in it. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct helper_job;

/*
 * Enters the mount namespace of a running container, and its user namespace as root there. Not its
 * PID namespace: what is inside can neither see nor trace us. Negative errno.
 */
int helper_root_enter(pid_t init);

/*
 * Makes the tree at 'path' our root, in a mount namespace of our own, seen through the map of
 * 'userns' if 'map_mount', and becomes root in 'userns' (-1: stays as we are). Negative errno.
 */
int helper_root_enter_tree(const char *path, int userns, bool map_mount);

/* Whichever of these the payload of a job asks for (enum ct_job_root). */
int helper_root_enter_job(struct helper_job *job, int userns);
