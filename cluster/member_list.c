#include "cluster/member_list.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"

struct counted_list {
	struct member_list list; /* First, so that a pointer to it is one to the whole. */
	atomic_uint n_refs;
};

struct member_list *member_list_new(size_t n_members)
{
	struct counted_list *counted = xcalloc(1, sizeof(*counted));

	counted->list.n_members = n_members;
	counted->list.members = xcalloc(n_members ? n_members : 1, sizeof(struct member));
	atomic_init(&counted->n_refs, 1);

	return &counted->list;
}

struct member_list *member_list_ref(struct member_list *list)
{
	if (list)
		atomic_fetch_add(&((struct counted_list *)list)->n_refs, 1);

	return list;
}

void member_list_unref(struct member_list *list)
{
	struct counted_list *counted = (struct counted_list *)list;

	if (!counted || atomic_fetch_sub(&counted->n_refs, 1) != 1)
		return;

	for (size_t i = 0; i < list->n_members; i++) {
		struct member *m = &list->members[i];

		free(m->name);
		free(m->address);
		free(m->architecture);
		free(m->failure_domain);
	}
	free(list->members);
	free(counted);
}

struct member_list *member_list_copy(const struct member_list *from)
{
	struct member_list *copy = member_list_new(from->n_members);

	for (size_t i = 0; i < from->n_members; i++) {
		const struct member *m = &from->members[i];
		struct member *to = &copy->members[i];

		*to = *m;
		to->name = xstrdup(m->name);
		to->address = xstrdup(m->address);
		to->architecture = xstrdup(m->architecture);
		to->failure_domain = xstrdup(m->failure_domain);
	}

	return copy;
}

bool member_list_equals(const struct member_list *a, const struct member_list *b)
{
	if (a->n_members != b->n_members)
		return false;

	for (size_t i = 0; i < a->n_members; i++) {
		const struct member *x = &a->members[i], *y = &b->members[i];

		if (x->id != y->id || x->state != y->state || x->role != y->role ||
		    x->is_leader != y->is_leader || x->is_online != y->is_online ||
		    x->is_suspect != y->is_suspect || x->schema != y->schema ||
		    x->n_api_extensions != y->n_api_extensions || x->memory != y->memory ||
		    x->n_cpus != y->n_cpus || strcmp(x->name, y->name) != 0 ||
		    strcmp(x->address, y->address) != 0 ||
		    strcmp(x->architecture, y->architecture) != 0 ||
		    strcmp(x->failure_domain, y->failure_domain) != 0)
			return false;
	}

	return true;
}

const struct member *member_list_by_id(const struct member_list *list, int64_t id)
{
	for (size_t i = 0; list && i < list->n_members; i++) {
		if (list->members[i].id == id)
			return &list->members[i];
	}

	return NULL;
}

const struct member *member_list_by_name(const struct member_list *list, const char *name)
{
	for (size_t i = 0; list && i < list->n_members; i++) {
		if (list->members[i].name && strcmp(list->members[i].name, name) == 0)
			return &list->members[i];
	}

	return NULL;
}

const struct member *member_list_by_address(const struct member_list *list, const char *address)
{
	for (size_t i = 0; list && i < list->n_members; i++) {
		if (list->members[i].address && strcmp(list->members[i].address, address) == 0)
			return &list->members[i];
	}

	return NULL;
}
