/*
 * The templates of images and of snapshot names: a subset of what LXD's engine understands.
 *
 *	{{ container.name|upper }}   {{ config_get("user.x", properties.default) }}
 *	{% if a == "b" and not c %} ... {% elif d %} ... {% else %} ... {% endif %}
 *	{# comment #}
 *
 * Values are text; an empty one is false. Nothing is escaped. Filters: default, lower, upper, trim,
 * date (with Go's layout). Loops, includes and macros are refused.
 */
#pragma once

#include "lib/base/error.h"
#include "lib/base/strbuf.h"

struct template_scope {
	/* The value of a dotted name ("container.name"), borrowed until the next call, or NULL. */
	const char *(*value)(const char *name, void *arg);

	/* The value of a config key, for config_get(); or NULL. */
	const char *(*config)(const char *key, void *arg);
	void *arg;
};

/* Appends 'text' with its tags replaced. 400 for bad syntax, naming the line. */
int template_render(const char *text, const struct template_scope *scope, struct strbuf *ret,
                    struct error **err);
