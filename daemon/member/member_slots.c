#include "daemon/member/member_slots.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/array.h"
#include "lib/base/thread.h"

struct member_slots {
	struct mutex mutex;
	ARRAY_OF(struct plan_slot) busy GUARDED;
	ARRAY_OF(struct cond *) watchers GUARDED;
};

struct member_slots *member_slots_new(void)
{
	struct member_slots *slots = xcalloc(1, sizeof(*slots));

	mutex_init(&slots->mutex);
	return slots;
}

void member_slots_free(struct member_slots *slots) NO_LOCK_CHECK
{
	if (!slots)
		return;

	ARRAY_DONE(&slots->busy);
	ARRAY_DONE(&slots->watchers);
	mutex_done(&slots->mutex);
	free(slots);
}

bool member_slots_take(struct member_slots *slots, const struct plan_caps *caps,
                       const struct plan_slot *slot)
{
	mutex_lock(&slots->mutex);
	bool fits = plan_schedule_fits(caps, slots->busy.items, slots->busy.n_items, slot);
	if (fits)
		ARRAY_ADD(&slots->busy, *slot);
	mutex_unlock(&slots->mutex);

	return fits;
}

void member_slots_give(struct member_slots *slots, const struct plan_slot *slot)
{
	mutex_lock(&slots->mutex);
	for (size_t i = 0; i < slots->busy.n_items; i++) {
		if (memcmp(&slots->busy.items[i], slot, sizeof(*slot)) != 0)
			continue;
		ARRAY_REMOVE(&slots->busy, i);
		break;
	}
	for (size_t i = 0; i < slots->watchers.n_items; i++)
		cond_broadcast(slots->watchers.items[i]);
	mutex_unlock(&slots->mutex);
}

void member_slots_watch(struct member_slots *slots, struct cond *cond)
{
	mutex_lock(&slots->mutex);
	ARRAY_ADD(&slots->watchers, cond);
	mutex_unlock(&slots->mutex);
}

void member_slots_unwatch(struct member_slots *slots, struct cond *cond)
{
	mutex_lock(&slots->mutex);
	for (size_t i = 0; i < slots->watchers.n_items; i++) {
		if (slots->watchers.items[i] != cond)
			continue;
		ARRAY_REMOVE(&slots->watchers, i);
		break;
	}
	mutex_unlock(&slots->mutex);
}
