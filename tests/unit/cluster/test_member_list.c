#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "cluster/member_list.h"
#include "lib/base/alloc.h"

static struct member_list *make(void)
{
	struct member_list *list = member_list_new(2);

	for (size_t i = 0; i < 2; i++) {
		list->members[i] = (struct member){
			.id = (int64_t)i + 1,
			.name = xasprintf("m%zu", i + 1),
			.address = xasprintf("10.0.0.%zu:8443", i + 1),
			.is_online = true,
			.architecture = xstrdup("x86_64"),
			.failure_domain = xstrdup("default"),
		};
	}

	return list;
}

static void members_are_found(void **state)
{
	(void)state;
	scoped(member_list_unrefp) struct member_list *list = make();

	assert_ptr_equal(member_list_by_id(list, 2), &list->members[1]);
	assert_ptr_equal(member_list_by_name(list, "m1"), &list->members[0]);
	assert_ptr_equal(member_list_by_address(list, "10.0.0.2:8443"), &list->members[1]);
	assert_null(member_list_by_id(list, 3));
	assert_null(member_list_by_name(list, "m3"));
	assert_null(member_list_by_name(NULL, "m3"));
}

static void a_reader_keeps_its_list(void **state)
{
	(void)state;
	struct member_list *list = make();
	scoped(member_list_unrefp) struct member_list *mine = member_list_ref(list);

	member_list_unref(list);
	assert_string_equal(mine->members[0].name, "m1");
}

static void equality_is_blind_to_times_only(void **state)
{
	(void)state;
	scoped(member_list_unrefp) struct member_list *a = make();
	scoped(member_list_unrefp) struct member_list *b = member_list_copy(a);

	assert_true(member_list_equals(a, b));
	b->members[0].last_heartbeat = 7;
	assert_true(member_list_equals(a, b));
	b->members[0].is_online = false;
	assert_false(member_list_equals(a, b));
	b->members[0].is_online = true;
	b->members[1].role = ROLE_SPARE;
	assert_false(member_list_equals(a, b));
	b->members[1].role = ROLE_VOTER;
	free(b->members[1].name);
	b->members[1].name = xstrdup("other");
	assert_false(member_list_equals(a, b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_are_found),
		cmocka_unit_test(a_reader_keeps_its_list),
		cmocka_unit_test(equality_is_blind_to_times_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
