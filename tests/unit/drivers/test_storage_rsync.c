#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "drivers/storage/storage_rsync.h"
#include "lib/base/macro.h"

/* clang-format off */
static const struct {
	const char *words[8];
	bool is_good;
} cases[] = {
	{ { "rsync", "--server", "-lHogDtpAXrSe.iLsfxCIvu", "--delete", "-@-1", ".", "." }, true },
	{ { "rsync", "--server", "-logDtpr", "--numeric-ids", ".", "/anywhere" }, true },
	{ { "rsync", "--server", ".", "x" }, true },
	{ { "rsync", "--server", "--bwlimit=100", ".", "x" }, true },
	{ { "rsync", "--server", "--sender", "-logDtpr", ".", "/etc" }, false },
	{ { "rsync", "--daemon", ".", "x" }, false },
	{ { "sh", "--server", ".", "x" }, false },
	{ { "rsync", "--server", "--config=/x", ".", "x" }, false },
	{ { "rsync", "--server", "--log-file=/etc/x", ".", "x" }, false },
	{ { "rsync", "--server", "--backup-dir=/etc", ".", "x" }, false },
	{ { "rsync", "--server", "--bwlimit=/etc", ".", "x" }, false },
	{ { "rsync", "--server", "-M--x", ".", "x" }, false },
	{ { "rsync", "--server", "-T/etc", ".", "x" }, false },
	{ { "rsync", "--server", "x", ".", "y" }, false },
	{ { "rsync", "--server", "x", "y" }, false },
	{ { "rsync", "--server" }, false },
	{ { NULL }, false },
};
/* clang-format on */

static void only_a_receiving_server_is_run(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		scoped(error_freep) struct error *err = NULL;
		int r = storage_rsync_check_command(cases[i].words, &err);

		if ((r == 0) != cases[i].is_good)
			fail_msg("case %zu: %s", i, err ? err->msg : "accepted");
		if (r < 0)
			assert_int_equal(err->status, 400);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_a_receiving_server_is_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
