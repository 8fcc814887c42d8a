#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/template.h"

static const char *value(const char *name, void *arg)
{
	static const struct {
		const char *name, *value;
	} values[] = {
		{ "container.name", "c1" },
		{ "creation_date", "2024-03-05T14:07:09Z" },
		{ "properties.default", "none" },
		{ "empty", "" },
	};

	for (size_t i = 0; i < COUNT_OF(values); i++)
		if (strcmp(values[i].name, name) == 0)
			return values[i].value;

	return NULL;
}

static const char *config(const char *key, void *arg)
{
	return strcmp(key, "user.x") == 0 ? "set" : NULL;
}

static const struct template_scope scope = { .value = value, .config = config };

static void templates_are_filled_in(void **state)
{
	(void)state;
	static const struct {
		const char *text, *expected;
	} cases[] = {
		{ "", "" },
		{ "plain { text } {", "plain { text } {" },
		{ "{{ container.name }}\n", "c1\n" },
		{ "{{container.name}}", "c1" },
		{ "a{# gone #}b", "ab" },
		{ "{{ absent }}", "" },
		{ "{{ absent|default:\"x\"|upper }}", "X" },
		{ "{{ config_get(\"user.x\", \"y\") }}", "set" },
		{ "{{ config_get(\"user.y\", properties.default) }}", "none" },
		{ "{{ config_get(\"user.y\") }}", "" },
		{ "{% if container.name == \"c1\" %}yes{% else %}no{% endif %}", "yes" },
		{ "{% if container.name != \"c1\" %}yes{% elif empty %}maybe{% else %}no{% endif %}",
		  "no" },
		{ "{% if not empty and (empty or container.name) %}yes{% endif %}", "yes" },
		{ "{% if empty %}{% if container.name %}a{% else %}b{% endif %}{% endif %}c", "c" },
		{ "{% if !empty && true %}a{% endif %}", "a" },
		{ "{% if false || \"\" %}a{% endif %}", "" },
		{ "{{ \"a\\\"b\" }}{{ 'x' }}{{ 5 }}", "a\"bx5" },
		{ "snap-{{ creation_date|date:'2006-01-02_15-04-05' }}",
		  "snap-2024-03-05_14-07-09" },
		{ "{{ creation_date|date:\"Mon Jan 06\" }}", "Tue Mar 24" },
		{ "{% autoescape off %}<{% endautoescape %}", "<" },
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		scoped(error_freep) struct error *err = NULL;
		scoped(strbuf_done) struct strbuf b = { 0 };

		if (template_render(cases[i].text, &scope, &b, &err) < 0)
			fail_msg("%s: %s", cases[i].text, err->msg);
		assert_string_equal(strbuf_text(&b), cases[i].expected);
	}
}

static void bad_templates_are_refused(void **state)
{
	(void)state;
	static const char *const cases[] = {
		"{{",
		"{{ }}",
		"{{ a",
		"{{ a }",
		"{% if %}",
		"{% if a %}",
		"{% endif %}",
		"{% else %}",
		"{% elif a %}",
		"{% for x in y %}{% endfor %}",
		"{% include \"/etc/passwd\" %}",
		"{# a",
		"{{ \"a }}",
		"{{ a|bogus }}",
		"{{ container.name|date:\"2006\" }}",
		"{{ config_get }}",
		"{{ config_get(\"a\" }}",
		"{{ (a }}",
		"{{ a b }}",
		"{{ a == }}",
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		scoped(error_freep) struct error *err = NULL;
		scoped(strbuf_done) struct strbuf b = { 0 };

		if (template_render(cases[i], &scope, &b, &err) != -EINVAL)
			fail_msg("%s", cases[i]);
	}

	scoped(error_freep) struct error *err = NULL;
	scoped(strbuf_done) struct strbuf b = { 0 };
	assert_int_equal(template_render("a\nb\n{{ a|bogus }}", &scope, &b, &err), -EINVAL);
	assert_string_equal(err->msg, "Invalid template: unknown filter in line 3");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(templates_are_filled_in),
		cmocka_unit_test(bad_templates_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
