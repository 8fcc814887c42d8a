/*
 * What the cluster may ask about instances and pools: the part of struct cluster_hooks that
 * services answer.
 *
 * A server that joins makes the cluster's pools while it is still on its own, in its own database;
 * its rows in the cluster's database are written by the transaction that ends the join.
 */
#pragma once

struct cluster_hooks;
struct state;

/* Sets the members of 'hooks' that are this folder's; their argument is the state. */
void member_hooks_fill(struct cluster_hooks *hooks);
