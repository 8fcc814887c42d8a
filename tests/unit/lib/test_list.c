#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/base/list.h"

struct item {
	int value;
	struct list link;
};

static void items_come_in_order_and_may_leave_meanwhile(void **state)
{
	(void)state;
	struct list head = LIST_INIT(head);
	struct item items[4] = { { .value = 0 }, { .value = 1 }, { .value = 2 }, { .value = 3 } },
		    *item;
	int seen = 0;

	assert_true(list_is_empty(&head));
	assert_null(LIST_FIRST(&head, struct item, link));
	for (int i = 1; i < 4; i++)
		list_add_last(&head, &items[i].link);
	list_add_first(&head, &items[0].link);

	LIST_FOREACH (item, &head, link) {
		assert_int_equal(item->value, seen++);
		if (item->value == 1)
			list_remove(&item->link);
	}
	assert_int_equal(seen, 4);
	assert_false(list_is_linked(&items[1].link));
	list_remove(&items[1].link);
	assert_ptr_equal(LIST_FIRST(&head, struct item, link), &items[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(items_come_in_order_and_may_leave_meanwhile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
