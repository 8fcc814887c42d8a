#include "daemon/core/kept_answers.h"

#include <stdlib.h>
#include <string.h>

#include "db/cache.h"
#include "lib/base/alloc.h"
#include "lib/base/strbuf.h"
#include "lib/base/thread.h"

enum { MAX_KEPT = 8 };

struct entry {
	char *key;
	size_t key_size;
	struct kept_answer *answer; /* NULL: the entry is free. */
	struct db_view *view;
};

struct kept_answers {
	struct mutex lock;
	struct entry entries[MAX_KEPT] GUARDED;
	size_t next GUARDED; /* The one to be used next. */
};

void kept_answer_unref(struct kept_answer *answer)
{
	if (answer && refs_put(&answer->refs))
		free(answer);
}

struct kept_answers *kept_answers_new(void)
{
	struct kept_answers *all = xcalloc(1, sizeof(*all));

	mutex_init(&all->lock);
	return all;
}

static void entry_done(struct entry *e)
{
	free(e->key);
	kept_answer_unref(e->answer);
	db_cache_view_unref(e->view);
}

void kept_answers_free(struct kept_answers *all) NO_LOCK_CHECK
{
	if (!all)
		return;

	for (size_t i = 0; i < MAX_KEPT; i++)
		entry_done(&all->entries[i]);
	mutex_done(&all->lock);
	free(all);
}

struct kept_answer *kept_answers_find(struct kept_answers *all, const struct strbuf *key)
{
	struct kept_answer *found = NULL;

	mutex_lock(&all->lock);
	for (size_t i = 0; i < MAX_KEPT && !found; i++) {
		struct entry *e = &all->entries[i];

		if (e->answer && e->key_size == key->size &&
		    memcmp(e->key, key->text, key->size) == 0) {
			found = e->answer;
			refs_get(&found->refs);
		}
	}
	mutex_unlock(&all->lock);
	return found;
}

void kept_answers_add(struct kept_answers *all, const struct strbuf *key,
                      struct kept_answer *answer, struct db_view *view)
{
	struct entry entry = { .key = xmalloc(key->size),
		               .key_size = key->size,
		               .answer = answer,
		               .view = view ? db_cache_view_ref(view) : NULL };

	memcpy(entry.key, key->text, key->size);
	refs_get(&answer->refs);

	mutex_lock(&all->lock);
	struct entry old = all->entries[all->next];
	all->entries[all->next] = entry;
	all->next = (all->next + 1) % MAX_KEPT;
	mutex_unlock(&all->lock);

	entry_done(&old);
}
