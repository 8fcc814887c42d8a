/*
 * Answers that were given before, as text.
 *
 * Some answers are asked for all the time and change seldom. What such an answer is made of, in a
 * few words, is its key: as long as a later request comes to the same key, it gets the same text.
 * Rows of the database go into a key by their address; the view that holds them is kept along with
 * the answer, so that nothing else can come to lie there.
 */
#pragma once

#include <stddef.h>

#include "lib/base/macro.h"
#include "lib/base/refs.h"
#include "lib/base/scoped.h"
#include "lib/net/digest.h"

struct db_view;
struct kept_answers;
struct strbuf;

struct kept_answer {
	struct refs refs;
	char etag[DIGEST_SHA256_HEX_SIZE]; /* Or "". */
	size_t size;
	char text[]; /* The whole body. */
};

void kept_answer_unref(struct kept_answer *answer);
DEFINE_SCOPED(struct kept_answer *, kept_answer_unref);

/* Keeps a few, those that were added last. */
struct kept_answers *kept_answers_new(void) MUST_CHECK;
void kept_answers_free(struct kept_answers *all);

/* A reference, or NULL. */
struct kept_answer *kept_answers_find(struct kept_answers *all, const struct strbuf *key)
	MUST_CHECK;

/* Takes references of its own to both. */
void kept_answers_add(struct kept_answers *all, const struct strbuf *key,
                      struct kept_answer *answer, struct db_view *view);
