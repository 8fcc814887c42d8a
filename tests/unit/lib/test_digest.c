#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/fd.h"
#include "lib/net/digest.h"

static const char abc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

static void known_sums(void **state)
{
	char hex[DIGEST_SHA256_HEX_SIZE];
	uint8_t sum[DIGEST_SHA256_SIZE];

	digest_sha256_hex("abc", 3, hex);
	assert_string_equal(hex, abc);

	scoped(digest_freep) struct digest *digest = digest_new();
	for (unsigned i = 0; i < 2; i++) { /* It starts anew after each. */
		digest_add(digest, "a", 1);
		digest_add(digest, "", 0);
		digest_add(digest, "bc", 2);
		digest_finish(digest, sum);
		digest_hex(sum, sizeof(sum), hex);
		assert_string_equal(hex, abc);
	}

	scoped_fd int fd = fd_memfd("test");
	assert_int_equal(write(fd, "abc", 3), 3);
	lseek(fd, 0, SEEK_SET);
	assert_int_equal(digest_sha256_fd(fd, sum), 0);
	digest_hex(sum, sizeof(sum), hex);
	assert_string_equal(hex, abc);

	/* RFC 4231, test case 2. */
	digest_hmac_sha256("Jefe", 4, "what do ya want for nothing?", 28, sum);
	digest_hex(sum, sizeof(sum), hex);
	assert_string_equal(hex,
	                    "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

static void secrets_are_compared(void **state)
{
	assert_true(digest_equal_secret("abc", "abc"));
	assert_false(digest_equal_secret("abc", "abd"));
	assert_false(digest_equal_secret("abc", "ab"));
	assert_false(digest_equal_secret(NULL, "a"));
	assert_false(digest_equal_secret(NULL, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_sums),
		cmocka_unit_test(secrets_are_compared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
