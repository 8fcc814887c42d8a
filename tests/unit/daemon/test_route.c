#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/api/extensions.h"
#include "daemon/api/route.h"
#include "lib/base/macro.h"

/* The dispatcher trusts the tables; this is where they earn it. */
static void every_route_is_complete(void **state)
{
	(void)state;
	for (const struct route_table *const *t = route_tables; *t; t++) {
		for (size_t i = 0; i < (*t)->n_routes; i++) {
			const struct route *r = &(*t)->routes[i];

			assert_non_null(r->handler);
			assert_int_equal(r->path[0], '/');
			assert_int_equal(r->access == ACCESS_ENTITLED, r->entitlement != NULL);
			assert_int_equal(r->placement == ON_OWNER, r->owner != NULL);
			if (r->access == ACCESS_ENTITLED)
				assert_non_null(r->entity);
		}
	}
}

static void no_route_hides_another(void **state)
{
	(void)state;
	for (const struct route_table *const *t = route_tables; *t; t++) {
		for (size_t i = 0; i < (*t)->n_routes; i++) {
			const struct route *r = &(*t)->routes[i];
			bool has_path;

			assert_ptr_equal(route_find(r->method, r->path, &has_path), r);
		}
	}
}

static void paths_match_by_segment(void **state)
{
	(void)state;
	static const struct {
		const char *pattern, *path;
		bool is_match;
	} cases[] = {
		{ "/", "/", true },
		{ "/1.0", "/1.0", true },
		{ "/1.0", "/1.0/", false },
		{ "/1.0/profiles/{name}", "/1.0/profiles/a", true },
		{ "/1.0/profiles/{name}", "/1.0/profiles/a%2Fb", true },
		{ "/1.0/profiles/{name}", "/1.0/profiles/", false },
		{ "/1.0/profiles/{name}", "/1.0/profiles/a/b", false },
		{ "/1.0/profiles/{name}", "/1.0/profile/a", false },
		{ "/1.0/a/{b}/c", "/1.0/a/x/c", true },
		{ "/1.0/a/{b}/c", "/1.0/a//c", false },
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++)
		assert_int_equal(route_matches(cases[i].pattern, cases[i].path), cases[i].is_match);
}

static void a_path_without_the_method_is_known(void **state)
{
	bool has_path;

	(void)state;
	assert_null(route_find("DELETE", "/1.0/profiles", &has_path));
	assert_true(has_path);
	assert_null(route_find("GET", "/1.0/nothing", &has_path));
	assert_false(has_path);
	assert_non_null(route_find("GET", "/1.0/containers", &has_path));
	assert_ptr_equal(route_find("GET", "/1.0/virtual-machines/v1", &has_path),
	                 route_find("GET", "/1.0/instances/v1", &has_path));
	assert_null(route_find("GET", "/1.0/containersx", &has_path));
	assert_ptr_equal(route_find("HEAD", "/1.0", &has_path),
	                 route_find("GET", "/1.0", &has_path));
}

/* A client that sees a route announced must find its extension announced too. */
static void extensions_of_routes_are_announced(void **state)
{
	(void)state;
	for (const struct route_table *const *t = route_tables; *t; t++) {
		for (size_t i = 0; i < (*t)->n_routes; i++) {
			const struct route *r = &(*t)->routes[i];
			bool is_there = !r->extension;
			const char *name;

			for (size_t at = 0; (name = extensions_next(&at));)
				is_there = is_there || strcmp(name, r->extension) == 0;
			if (!is_there)
				print_message("%s %s: %s\n", r->method, r->path, r->extension);
			assert_true(is_there);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_route_is_complete),
		cmocka_unit_test(no_route_hides_another),
		cmocka_unit_test(paths_match_by_segment),
		cmocka_unit_test(a_path_without_the_method_is_known),
		cmocka_unit_test(extensions_of_routes_are_announced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
