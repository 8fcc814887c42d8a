#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/image/image_template.h"
#include "lib/base/alloc.h"
#include "lib/base/file.h"
#include "lib/base/macro.h"
#include "lib/base/tree.h"

static char *volume;
static struct smap config;

static char *path_of(const char *name)
{
	return xasprintf("%s/%s", volume, name);
}

static void put(const char *name, const char *text)
{
	scoped_free char *path = path_of(name);

	assert_int_equal(file_replace(path, text, strlen(text), 0644), 0);
}

static void assert_file(const char *name, const char *text)
{
	scoped_free char *path = path_of(name);
	scoped_free char *found = NULL;

	assert_int_equal(file_read(path, 4096, &found, NULL), 0);
	assert_string_equal(found, text);
}

static int set_up(void **state)
{
	static const char *const dirs[] = { "rootfs", "rootfs/etc", "templates", "outside" };
	char template[] = "/tmp/muster-template-XXXXXX";

	(void)state;
	assert_non_null(mkdtemp(template));
	volume = xstrdup(template);
	for (size_t i = 0; i < COUNT_OF(dirs); i++) {
		scoped_free char *path = path_of(dirs[i]);

		assert_int_equal(mkdir(path, 0755), 0);
	}
	put("outside/victim", "untouched");
	smap_set(&config, "user.greeting", "hello");
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	assert_file("outside/victim", "untouched");
	assert_int_equal(tree_remove(volume, 0), 0);
	free(volume);
	smap_done(&config);
	return 0;
}

static int apply(uint32_t when, struct error **err)
{
	const struct image_template_context context = {
		.instance_name = "c1",
		.instance_type = "container",
		.architecture = "x86_64",
		.config = &config,
	};

	return image_template_apply(volume, when, &context, err);
}

static void metadata(const char *path, const char *more)
{
	scoped_free char *text = xasprintf("architecture: x86_64\n"
	                                   "templates:\n"
	                                   "  %s:\n"
	                                   "    when: [start]\n"
	                                   "    template: t.tpl\n"
	                                   "    properties: {default: fallback}\n%s",
	                                   path, more);

	put("metadata.yaml", text);
}

static void no_metadata_means_no_templates(void **state)
{
	scoped(error_freep) struct error *err = NULL;

	(void)state;
	assert_int_equal(apply(IMAGE_TEMPLATE_START, &err), 0);
}

static void values_are_filled_in(void **state)
{
	scoped(error_freep) struct error *err = NULL;

	(void)state;
	metadata("/etc/new/motd", "    mode: \"0600\"\n");
	put("templates/t.tpl",
	    "{{ container.name }} {{ instance.type }} {{ config_get(\"user.greeting\", \"x\") }} "
	    "{{ config_get(\"user.none\", properties.default) }}\n");
	assert_int_equal(apply(IMAGE_TEMPLATE_CREATE, &err), 0);
	scoped_free char *path = path_of("rootfs/etc/new/motd");
	assert_false(file_exists(path));

	if (apply(IMAGE_TEMPLATE_START, &err) < 0)
		fail_msg("%s", err->msg);
	assert_file("rootfs/etc/new/motd", "c1 container hello fallback\n");
	struct stat st;
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
}

static void what_exists_keeps_its_mode_or_stays(void **state)
{
	scoped(error_freep) struct error *err = NULL;
	scoped_free char *path = path_of("rootfs/etc/x");
	struct stat st;

	(void)state;
	put("templates/t.tpl", "new");
	put("rootfs/etc/x", "old");
	assert_int_equal(chmod(path, 0751), 0);
	metadata("/etc/x", "    create_only: true\n");
	assert_int_equal(apply(IMAGE_TEMPLATE_START, &err), 0);
	assert_file("rootfs/etc/x", "old");
	metadata("/etc/x", "");
	assert_int_equal(apply(IMAGE_TEMPLATE_START, &err), 0);
	assert_file("rootfs/etc/x", "new");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0751);
}

static void links_are_not_followed(void **state)
{
	scoped_free char *file_link = path_of("rootfs/etc/link");
	scoped_free char *dir_link = path_of("rootfs/escape");
	scoped_free char *source = path_of("templates/t.tpl");
	scoped_free char *victim = path_of("outside/victim");
	scoped_free char *outside = path_of("outside");
	scoped(error_freep) struct error *err = NULL;
	scoped(error_freep) struct error *dir_err = NULL;
	scoped(error_freep) struct error *source_err = NULL;

	(void)state;
	put("templates/t.tpl", "evil");

	/* A link where the file goes is replaced. */
	assert_int_equal(symlink(victim, file_link), 0);
	metadata("/etc/link", "");
	assert_int_equal(apply(IMAGE_TEMPLATE_START, &err), 0);
	assert_file("rootfs/etc/link", "evil");

	/* One on the way is an error. */
	assert_int_equal(symlink(outside, dir_link), 0);
	metadata("/escape/victim", "");
	assert_true(apply(IMAGE_TEMPLATE_START, &dir_err) < 0);

	/* So is one that stands for the template: it would show what root can read. */
	assert_int_equal(unlink(source), 0);
	assert_int_equal(symlink(victim, source), 0);
	metadata("/etc/y", "");
	assert_true(apply(IMAGE_TEMPLATE_START, &source_err) < 0);
}

static void odd_files_are_no_templates(void **state)
{
	scoped_free char *source = path_of("templates/t.tpl");
	scoped_free char *target = path_of("rootfs/etc/d");
	scoped(error_freep) struct error *missing = NULL;
	scoped(error_freep) struct error *fifo = NULL;
	scoped(error_freep) struct error *syntax = NULL;
	scoped(error_freep) struct error *dir = NULL;

	(void)state;
	metadata("/etc/x", "");
	assert_true(apply(IMAGE_TEMPLATE_START, &missing) < 0);
	/* Opening a pipe that nobody writes must not wait. */
	assert_int_equal(mkfifo(source, 0600), 0);
	assert_true(apply(IMAGE_TEMPLATE_START, &fifo) < 0);
	assert_int_equal(unlink(source), 0);
	put("templates/t.tpl", "{{ broken");
	assert_true(apply(IMAGE_TEMPLATE_START, &syntax) < 0);
	put("templates/t.tpl", "fine");
	assert_int_equal(mkdir(target, 0755), 0);
	metadata("/etc/d", "");
	assert_true(apply(IMAGE_TEMPLATE_START, &dir) < 0);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(no_metadata_means_no_templates),      TEST(values_are_filled_in),
		TEST(what_exists_keeps_its_mode_or_stays), TEST(links_are_not_followed),
		TEST(odd_files_are_no_templates),
	};

	/* Owners are set to root. */
	if (geteuid() != 0)
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
