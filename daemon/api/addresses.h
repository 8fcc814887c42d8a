/* The addresses on which clients reach this server or cluster. */
#pragma once

struct json_object;
struct state;

/* "10.0.0.1:8443" of each address that core.https_address stands for; owned by the caller. */
struct json_object *addresses_listening(struct state *state);

/* The same, and in a cluster those of its other members: what goes into tokens. */
struct json_object *addresses_of_cluster(struct state *state);
