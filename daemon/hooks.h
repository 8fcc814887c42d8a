/*
 * What the cluster may ask of this daemon: struct cluster_hooks, filled.
 *
 * Hooks about instances, pools and joining are daemon/member's; here are those that reach for the
 * listeners, events and warnings.
 */
#pragma once

struct cluster_hooks;
struct state;

struct cluster_hooks *hooks_new(struct state *state);
void hooks_free(const struct cluster_hooks *hooks);
