#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "client/cli.h"
#include "lib/base/str.h"

/* Parsing, help and completion trust the tables; this is where they earn it. */

#define FOR_EACH(c)                                                    \
	for (const struct cli_command *const *t = cli_tables; *t; t++) \
		for (const struct cli_command *c = *t; c->path; c++)

static void every_row_is_complete(void **state)
{
	(void)state;
	FOR_EACH(c)
	{
		if (!c->usage || str_is_empty(c->summary))
			fail_msg("%s lacks its usage or summary", c->path);
		if (str_ends(c->summary, "."))
			fail_msg("the summary of %s ends with a period", c->path);
		if (c->min_words > c->max_words)
			fail_msg("%s takes fewer words than it needs", c->path);
		if (!c->run && (c->max_words || c->options))
			fail_msg("%s only groups others", c->path);
	}
}

static void paths_are_unique_and_have_a_group(void **state)
{
	(void)state;
	FOR_EACH(c)
	{
		char group[128];
		const char *space = strrchr(c->path, ' ');

		assert_ptr_equal(cli_lookup(c->path), c);
		if (!space)
			continue;
		assert_true((size_t)(space - c->path) < sizeof(group));
		memcpy(group, c->path, (size_t)(space - c->path));
		group[space - c->path] = '\0';
		if (!cli_lookup(group))
			fail_msg("%s has no row for \"%s\"", c->path, group);
	}
}

static bool collide(const struct cli_option *a, const struct cli_option *b)
{
	return strcmp(a->name, b->name) == 0 || (a->letter && a->letter == b->letter);
}

static void check_option(const struct cli_command *c, const struct cli_option *o)
{
	if (str_is_empty(o->doc))
		fail_msg("--%s of %s is not documented", o->name, c->path);
	if (o->type == OPTION_OPTIONAL && !o->fallback)
		fail_msg("--%s of %s needs a fallback", o->name, c->path);
	for (const struct cli_option *p = c->options; p < o; p++) {
		if (collide(p, o))
			fail_msg("--%s and --%s of %s collide", p->name, o->name, c->path);
	}
	for (const struct cli_option *g = cli_global_options; g->name; g++) {
		if (collide(g, o))
			fail_msg("--%s of %s hides --%s", o->name, c->path, g->name);
	}
}

/* The same name or letter twice would make one of them unreachable. */
static void options_do_not_hide_each_other(void **state)
{
	(void)state;
	FOR_EACH(c)
	{
		for (const struct cli_option *o = c->options; o && o->name; o++)
			check_option(c, o);
	}
}

static void what_the_product_needs_is_there(void **state)
{
	static const char *const needed[] = {
		"launch",
		"init",
		"list",
		"info",
		"start",
		"stop",
		"restart",
		"pause",
		"delete",
		"exec",
		"shell",
		"console",
		"snapshot",
		"restore",
		"copy",
		"move",
		"rename",
		"publish",
		"query",
		"monitor",
		"version",
		"config get",
		"config set",
		"config unset",
		"config show",
		"config edit",
		"config device add",
		"config trust add",
		"file push",
		"file pull",
		"file edit",
		"file delete",
		"file create",
		"image list",
		"image info",
		"image show",
		"image edit",
		"image import",
		"image export",
		"image copy",
		"image delete",
		"image alias create",
		"profile create",
		"project create",
		"storage list",
		"storage volume create",
		"cluster list",
		"cluster show",
		"cluster info",
		"cluster add",
		"cluster join",
		"cluster remove",
		"cluster rename",
		"cluster role add",
		"cluster group create",
		"cluster evacuate",
		"cluster restore",
		"cluster plan list",
		"cluster plan show",
		"cluster plan pause",
		"cluster plan resume",
		"cluster plan cancel",
		"cluster plan retry",
		"cluster plan undo",
		"cluster explain",
		"placement-group create",
		"operation list",
		"warning list",
		"remote add",
		"completion",
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(needed); i++) {
		const struct cli_command *c = cli_lookup(needed[i]);

		if (!c || !c->run)
			fail_msg("there is no command \"%s\"", needed[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_is_complete),
		cmocka_unit_test(paths_are_unique_and_have_a_group),
		cmocka_unit_test(options_do_not_hide_each_other),
		cmocka_unit_test(what_the_product_needs_is_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
