/*
 * Which instances run on the other members, asked for by many at once.
 *
 * Only a member knows what runs on it, and it can change at any moment. So a list has to ask,
 * but lists that are made at the same time need not ask each: who comes while the members are being
 * asked waits for the next round, together with all others that come meanwhile, and one of them
 * makes it for all (as db/cache does). Only members that somebody wants to know of are asked.
 */
#pragma once

#include "drivers/instance/instance_driver.h"
#include "lib/base/error.h"

struct instance_peer_answer;
struct instance_peers;
struct json_object;
struct state;

struct instance_peers *instance_peers_new(struct state *state) MUST_CHECK;
void instance_peers_free(struct instance_peers *peers);

/*
 * Asks 'members' (ends with NULL). Answers, one for each in their order, are references that the
 * caller drops; NULL stands for a member that does not answer. Never fails.
 */
void instance_peers_ask(struct instance_peers *peers, char *const *members,
                        struct instance_peer_answer **ret_answers);
void instance_peers_unref(struct instance_peer_answer *answer);

/* What the member said of the instance with this id. */
enum instance_status instance_peers_status(const struct instance_peer_answer *answer,
                                           const char *id);

/*
 * What this member answers to another: {"ID": code} of all that do not stand still. From memory
 * alone. Owned by the caller.
 */
struct json_object *instance_peers_answer(struct state *state) MUST_CHECK;
