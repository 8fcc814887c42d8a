#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "drivers/instance/ct/ct_seccomp.h"
#include "lib/base/smap.h"

static void default_policy(void **state)
{
	(void)state;
	scoped(smap_done) struct smap config = { 0 };
	scoped(strbuf_done) struct strbuf text = { 0 };
	scoped(error_freep) struct error *err = NULL;

	assert_int_equal(ct_seccomp_policy(&config, &text, &err), 0);
	assert_string_equal(strbuf_text(&text), "2\ndenylist\nreject_force_umount\n[all]\n"
	                                        "kexec_load errno 38\nkexec_file_load errno 38\n"
	                                        "open_by_handle_at errno 38\ninit_module errno 38\n"
	                                        "finit_module errno 38\ndelete_module errno 38\n");
}

static void lists_are_printed_anew(void **state)
{
	(void)state;
	scoped(smap_done) struct smap config = { 0 };
	scoped(strbuf_done) struct strbuf text = { 0 };
	scoped(error_freep) struct error *err = NULL;

	/* The words of older clients say the same, and less than the newer ones. */
	smap_set(&config, "security.syscalls.blacklist_default", "false");
	assert_int_equal(ct_seccomp_policy(&config, &text, &err), 0);
	assert_int_equal(text.size, 0);
	smap_set(&config, "security.syscalls.deny_default", "true");
	assert_int_equal(ct_seccomp_policy(&config, &text, &err), 0);
	assert_true(text.size > 0);
	strbuf_truncate(&text, 0);
	smap_unset(&config, "security.syscalls.blacklist_default");

	smap_set(&config, "security.syscalls.deny_default", "false");
	smap_set(&config, "security.syscalls.deny", "mount\n\n keyctl errno 1 \nptrace kill");
	assert_int_equal(ct_seccomp_policy(&config, &text, &err), 0);
	assert_string_equal(strbuf_text(&text),
	                    "2\ndenylist\n[all]\nmount errno 38\nkeyctl errno 1\nptrace kill\n");
	strbuf_truncate(&text, 0);
	smap_unset(&config, "security.syscalls.deny");
	assert_int_equal(ct_seccomp_policy(&config, &text, &err), 0);
	assert_int_equal(text.size, 0);
	smap_set(&config, "security.syscalls.allow", "read\nwrite");
	assert_int_equal(ct_seccomp_policy(&config, &text, &err), 0);
	assert_string_equal(strbuf_text(&text), "2\nallowlist\n[all]\nread\nwrite\n");
}

static void other_text_is_refused(void **state)
{
	(void)state;
	static const char *const wrong[] = { "[all]",   "mount errno", "mount errno x", "MOUNT",
		                             "a b c d", "mount;rm",    "mount notify" };

	for (size_t i = 0; i < COUNT_OF(wrong); i++) {
		scoped(error_freep) struct error *err = NULL;
		if (ct_seccomp_check_list(wrong[i], &err) == 0)
			fail_msg("\"%s\" was taken", wrong[i]);
		assert_int_equal(err->status, 400);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(default_policy),
		cmocka_unit_test(lists_are_printed_anew),
		cmocka_unit_test(other_text_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
