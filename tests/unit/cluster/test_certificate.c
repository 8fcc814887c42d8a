#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "cluster/certificate.h"
#include "lib/base/alloc.h"
#include "lib/base/path.h"
#include "lib/base/str.h"
#include "lib/base/tree.h"
#include "lib/net/x509.h"

struct pair {
	char *cert, *key;
};

static struct pair generate(const char *name)
{
	const struct x509_wish wish = { .common_name = name };
	scoped(error_freep) struct error *err = NULL;
	struct pair pair = { 0 };

	assert_int_equal(x509_generate(&wish, &pair.cert, &pair.key, &err), 0);
	return pair;
}

static void pair_done(struct pair *pair)
{
	free(pair->cert);
	free(pair->key);
}

static int make_dir(void **state)
{
	char *dir = xstrdup("/tmp/muster-certificate.XXXXXX");

	assert_non_null(mkdtemp(dir));
	*state = dir;
	return 0;
}

static int free_dir(void **state)
{
	(void)tree_remove(*state, 0);
	free(*state);
	return 0;
}

static void files_are_written_and_read(void **state)
{
	const char *dir = *state;
	scoped(pair_done) struct pair pair = generate("one");
	scoped(certificate_freep) struct certificate *made = NULL, *read = NULL;
	scoped(error_freep) struct error *err = NULL;
	scoped_free char *key_path = path_join(dir, "cluster.key", NULL);
	struct stat st;

	assert_int_equal(certificate_load(dir, "cluster", &read, &err), -ENOENT);
	assert_int_equal(err->status, 404);
	error_clear(&err);

	assert_int_equal(certificate_new(pair.cert, pair.key, &made, &err), 0);
	assert_int_equal(strlen(made->fingerprint), 64);
	assert_int_equal(certificate_store(dir, "cluster", made, &err), 0);
	assert_int_equal(stat(key_path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(certificate_load(dir, "cluster", &read, &err), 0);
	assert_string_equal(read->fingerprint, made->fingerprint);
}

static void what_does_not_belong_together_is_refused(void **state)
{
	(void)state;
	scoped(pair_done) struct pair one = generate("one");
	scoped(pair_done) struct pair two = generate("two");
	scoped(certificate_freep) struct certificate *made = NULL;
	scoped(error_freep) struct error *err = NULL;

	assert_true(certificate_new(one.cert, two.key, &made, &err) < 0);
	assert_int_equal(err->status, 400);
	error_clear(&err);
	assert_true(certificate_new("x", "y", &made, &err) < 0);
	assert_int_equal(err->status, 400);
	assert_string_equal(err->msg, "Certificate must be PEM-encoded X.509 certificate");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(files_are_written_and_read, make_dir, free_dir),
		cmocka_unit_test(what_does_not_belong_together_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
