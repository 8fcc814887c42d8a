/*
 * Images that go by themselves: those that were cached for instances (never those that somebody
 * put here) once "images.remote_cache_expiry" days have passed without use, and files of images
 * that no row knows any more. "expires_at" of an image is a note for people, as in LXD.
 */
#pragma once

#include "lib/base/error.h"

struct state;

/*
 * One pass: the leader removes cached images from the cluster, each member its own left-over files.
 * What cannot be removed now is left to the next pass.
 */
int image_expire_run(struct state *state, struct error **err);
