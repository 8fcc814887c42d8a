#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/image/image_metadata.h"
#include "lib/base/alloc.h"
#include "lib/base/macro.h"

static int parse(const char *text, struct image_metadata *metadata, struct error **err)
{
	return image_metadata_parse(text, strlen(text), metadata, err);
}

static void a_whole_one_is_read(void **state)
{
	static const char text[] = "architecture: x86_64\n"
				   "creation_date: 1700000000\n"
				   "expiry_date: 1800000000\n"
				   "unknown: ignored\n"
				   "properties:\n"
				   "  os: busybox\n"
				   "  release: 12\n"
				   "templates:\n"
				   "  /etc/hostname:\n"
				   "    when: [create, start]\n"
				   "    create_only: true\n"
				   "    template: hostname.tpl\n"
				   "    uid: 5\n"
				   "    mode: \"0640\"\n"
				   "    properties:\n"
				   "      default: x\n";
	scoped(image_metadata_done) struct image_metadata m = { 0 };
	scoped(error_freep) struct error *err = NULL;

	(void)state;
	assert_int_equal(parse(text, &m, &err), 0);
	assert_string_equal(m.architecture, "x86_64");
	assert_int_equal(m.creation_date, 1700000000);
	assert_int_equal(m.expiry_date, 1800000000);
	assert_string_equal(smap_get(&m.properties, "release"), "12");
	assert_int_equal(m.n_templates, 1);
	const struct image_template *t = &m.templates[0];
	assert_string_equal(t->path, "/etc/hostname");
	assert_string_equal(t->source, "hostname.tpl");
	assert_int_equal(t->when, IMAGE_TEMPLATE_CREATE | IMAGE_TEMPLATE_START);
	assert_true(t->create_only);
	assert_int_equal(t->uid, 5);
	assert_int_equal(t->gid, -1);
	assert_int_equal(t->mode, 0640);
	assert_string_equal(smap_get(&t->properties, "default"), "x");

	/* And is the same when written and read again. */
	scoped_free char *again = image_metadata_format(&m);
	scoped(image_metadata_done) struct image_metadata n = { 0 };
	assert_int_equal(parse(again, &n, &err), 0);
	assert_true(smap_equals(&m.properties, &n.properties));
	assert_int_equal(n.creation_date, m.creation_date);
	assert_int_equal(n.templates[0].mode, 0640);
	assert_int_equal(n.templates[0].when, t->when);
}

static void what_is_wrong_is_a_400(void **state)
{
	static const char *const cases[] = {
		"",
		"just text",
		"- a\n- list\n",
		"architecture: x86_64\narchitecture: i686\n",
		"creation_date: 1\n",
		"architecture: \"\"\n",
		"architecture: ../../etc\n",
		"architecture: [x86_64]\n",
		"architecture: x86_64\ncreation_date: yesterday\n",
		"architecture: x86_64\ncreation_date: -5\n",
		"architecture: x86_64\nexpiry_date: 99999999999999999\n",
		"architecture: x86_64\nproperties: text\n",
		"architecture: x86_64\nproperties:\n  a: [1]\n",
		"architecture: x86_64\ntemplates: []\n",
		"architecture: x86_64\ntemplates:\n  /etc/x: text\n",
		"architecture: x86_64\ntemplates:\n  etc/x: {template: a}\n",
		"architecture: x86_64\ntemplates:\n  /etc/../x: {template: a}\n",
		"architecture: x86_64\ntemplates:\n  /etc/: {template: a}\n",
		"architecture: x86_64\ntemplates:\n  /etc/x: {template: ../a}\n",
		"architecture: x86_64\ntemplates:\n  /etc/x: {template: a/b}\n",
		"architecture: x86_64\ntemplates:\n  /etc/x: {}\n",
		"architecture: x86_64\ntemplates:\n  /etc/x: {template: a, when: [never]}\n",
		"architecture: x86_64\ntemplates:\n  /etc/x: {template: a, when: [1]}\n",
		"architecture: x86_64\ntemplates:\n  /etc/x: {template: a, uid: -1}\n",
		"architecture: x86_64\ntemplates:\n  /etc/x: {template: a, gid: root}\n",
		"architecture: x86_64\ntemplates:\n  /etc/x: {template: a, mode: \"0999\"}\n",
		"architecture: x86_64\ntemplates:\n  /etc/x: {template: a, create_only: 5}\n",
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		scoped(image_metadata_done) struct image_metadata m = { 0 };
		scoped(error_freep) struct error *err = NULL;

		if (parse(cases[i], &m, &err) == 0)
			fail_msg("was accepted: %s", cases[i]);
		assert_int_equal(err->status, 400);
		assert_null(m.architecture);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_whole_one_is_read),
		cmocka_unit_test(what_is_wrong_is_a_400),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
