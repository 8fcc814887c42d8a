/*
 * Images of other servers: fetched from them, or sent to them.
 *
 * Another server is known by the certificate that the client named, exactly, or by the system's
 * authorities; only HTTPS is spoken. It is believed no more than an upload is: what it sends is
 * checked as one, and must be what it was asked for.
 */
#pragma once

#include "daemon/image/image_import.h"
#include "lib/base/error.h"

struct operation;
struct state;

/* Checks the URL of a server and (unless empty) a PEM certificate, before anything is done: 400. */
int image_remote_check(const char *server, const char *certificate, struct error **err);

/* All borrowed; empty is as good as NULL. */
struct image_pull {
	struct image_import image; /* What is said of it here; its 'fingerprint' is not used. */
	const char *server;        /* "https://host:8443" */
	const char *certificate;
	const char *project;     /* On the other server. */
	const char *alias;       /* One of the two. */
	const char *fingerprint; /* Or the beginning of one. */
	const char *secret;      /* Of a token for an image that is not public. */
};

/*
 * Fetches an image from a server of this kind. One that the project has already is not fetched
 * again. The fingerprint is owned by the caller.
 */
int image_pull(struct state *state, struct operation *op, const struct image_pull *pull,
               char **ret_fingerprint, struct error **err);

/* Fetches the image whose URL and fingerprint the headers of 'url' name. */
int image_pull_url(struct state *state, struct operation *op, const struct image_import *image,
                   const char *url, char **ret_fingerprint, struct error **err);

struct image_push {
	const char *project, *fingerprint; /* Here. */
	const char *target, *certificate;  /* The other server. */
	const char *target_project;
	const char *secret; /* Given out by it; "" if this server may as it is. */
	const char *const *aliases;
};

/* Sends it and waits until the other server has it. */
int image_push(struct state *state, struct operation *op, const struct image_push *push,
               struct error **err);
