/*
 * How an instance looks in answers, as text that is made once per version of its row.
 *
 * All that GET /1.0/instances/NAME and lists with recursion 1 show is in the row and its profiles,
 * but for the status: the text has a gap for that. It lies with the row in db/cache and goes with
 * it, so that a list of a thousand is a thousand copies.
 */
#pragma once

#include "daemon/instance/instance_json.h"
#include "db/cache.h"
#include "lib/net/digest.h"

struct strbuf;

struct instance_text {
	struct db_derived base;
	char *id; /* As that of struct instance. */
	char *url;
	char etag[DIGEST_SHA256_HEX_SIZE];
	size_t size, gap; /* The gap is before text[gap]. */
	char text[];
};

/* Borrowed from the row, for as long as that is there. */
const struct instance_text *instance_text_of(const struct db_expanded *row);

/* Appends the JSON object of recursion 1. */
void instance_text_print(const struct instance_text *text, struct instance_status_name status,
                         struct strbuf *b);

/* A handle for the row without copies; nothing to free, valid as long as the row. */
struct instance instance_text_handle(struct state *state, const struct db_expanded *row);
