/* Doubly linked lists through a member of their items; the head is a struct list of its own. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/macro.h"

struct list {
	struct list *next, *prev;
};

#define LIST_INIT(name)          \
	{                        \
		&(name), &(name) \
	}

static inline void list_init(struct list *head)
{
	head->next = head->prev = head;
}

static inline bool list_is_empty(const struct list *head)
{
	return head->next == head;
}

/* Whether 'item' is in a list; for items that were set to zero or removed. */
static inline bool list_is_linked(const struct list *item)
{
	return item->next != NULL;
}

static inline void list_insert(struct list *after, struct list *item)
{
	item->next = after->next;
	item->prev = after;
	after->next->prev = item;
	after->next = item;
}

static inline void list_add_first(struct list *head, struct list *item)
{
	list_insert(head, item);
}

static inline void list_add_last(struct list *head, struct list *item)
{
	list_insert(head->prev, item);
}

/* Does nothing if 'item' is in no list. */
static inline void list_remove(struct list *item)
{
	if (!item->next)
		return;

	item->prev->next = item->next;
	item->next->prev = item->prev;
	item->next = item->prev = NULL;
}

#define LIST_FIRST(head, type, member) \
	(list_is_empty(head) ? NULL : CONTAINER_OF((head)->next, type, member))

#define LIST_LAST(head, type, member) \
	(list_is_empty(head) ? NULL : CONTAINER_OF((head)->prev, type, member))

/* "LIST_FOREACH(item, &head, member)": 'item' is declared before; it may be removed meanwhile. */
#define LIST_FOREACH(item, head, member)                                            \
	for (struct list *item##_at = (head)->next, *item##_next = item##_at->next; \
	     item##_at != (head) &&                                                 \
	     ((item) = CONTAINER_OF(item##_at, __typeof__(*(item)), member), true); \
	     item##_at = item##_next, item##_next = item##_at->next)
