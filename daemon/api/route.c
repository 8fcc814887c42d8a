#include "daemon/api/route.h"

#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/scoped.h"
#include "lib/base/str.h"

/* Walks pattern and path together; '*ret_rank' grows with each literal part, the first ones most.
 */
static bool match(const char *pattern, const char *path, unsigned int *ret_rank)
{
	unsigned int rank = 0;

	for (;;) {
		const char *begin = path;
		bool is_part = *pattern == '{';

		if (is_part) {
			pattern += strcspn(pattern, "/");
			path += strcspn(path, "/");
			if (path == begin)
				return false;
		}
		/* Byte by byte: most of a few hundred patterns differ early. */
		while (!is_part && *pattern == *path && *path != '/' && *path != '\0') {
			pattern++;
			path++;
		}
		if (*pattern != *path)
			return false;

		rank = rank << 1 | !is_part;
		if (*path == '\0') {
			*ret_rank = rank;
			return true;
		}

		pattern++;
		path++;
	}
}

bool route_matches(const char *pattern, const char *path)
{
	unsigned int rank;

	return match(pattern, path, &rank);
}

static bool method_matches(const struct route *route, const char *method)
{
	return strcmp(route->method, method) == 0;
}

/* The API's first names of the collection, each for one type. */
static const char *const old_names[] = { "/1.0/containers", "/1.0/virtual-machines" };

static char *new_name(const char *path)
{
	for (size_t i = 0; i < COUNT_OF(old_names); i++) {
		const char *rest = str_after(path, old_names[i]);

		if (rest && (*rest == '\0' || *rest == '/'))
			return xasprintf("/1.0/instances%s", rest);
	}

	return NULL;
}

static const struct route *find(const char *method, const char *path, bool *ret_has_path)
{
	const struct route *best = NULL;
	const struct route *get = NULL;
	unsigned int best_rank = 0;
	bool is_head = strcmp(method, "HEAD") == 0;

	*ret_has_path = false;

	/*
	 * "/1.0/images/aliases" fits "/1.0/images/{fingerprint}" as well. The pattern with a
	 * literal where the other has a part is meant, even if only the other has the method.
	 */
	for (const struct route_table *const *t = route_tables; *t; t++) {
		for (size_t i = 0; i < (*t)->n_routes; i++) {
			const struct route *r = &(*t)->routes[i];
			unsigned int rank;

			if (!match(r->path, path, &rank))
				continue;

			if (*ret_has_path && rank < best_rank)
				continue;

			if (rank > best_rank) {
				best = NULL;
				get = NULL;
				best_rank = rank;
			}
			*ret_has_path = true;

			if (method_matches(r, method))
				best = r;
			if (is_head && method_matches(r, "GET"))
				get = r;
		}
	}

	return best ? best : get;
}

const struct route *route_find(const char *method, const char *path, bool *ret_has_path)
{
	scoped_free char *renamed = new_name(path);

	return find(method, renamed ? renamed : path, ret_has_path);
}
