#include "client/resource.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/edit.h"
#include "client/output.h"
#include "lib/base/alloc.h"
#include "lib/base/fd.h"
#include "lib/base/parse.h"
#include "lib/base/str.h"
#include "lib/base/strv.h"
#include "lib/data/jv.h"

#define VALUE_MAX (16U << 20)

void resource_done(struct resource *res)
{
	free(res->path);
	res->path = NULL;
}

int resource_get(const struct resource *res, struct json_object **ret_document, char **ret_etag,
                 struct error **err)
{
	struct server_answer answer;
	int r = server_call(res->server, &(struct server_call){ 0 }, res->path, &answer, err);

	if (r < 0)
		return r;
	*ret_document = jv_ref(jv_member(answer.envelope, "metadata"));
	if (ret_etag)
		*ret_etag = xstrdup(str_or_empty(http_header(&answer.http, "ETag")));
	server_answer_done(&answer);
	return 0;
}

int resource_put(const struct resource *res, struct json_object *document, const char *etag,
                 struct error **err)
{
	scoped(jv_unrefp) struct json_object *body = output_pick(document, res->writable);
	struct server_answer answer;
	struct server_call call = { .method = "PUT", .body = body, .etag = etag };
	int r = server_call(res->server, &call, res->path, &answer, err);

	if (r < 0)
		return r;
	if (str_equals(jv_text(answer.envelope, "type"), "async"))
		r = server_wait(res->server,
		                str_or_empty(jv_text(jv_member(answer.envelope, "metadata"), "id")),
		                NULL, err);
	server_answer_done(&answer);
	return r;
}

int resource_show(const struct resource *res, const char *const *fields, struct error **err)
{
	scoped(jv_unrefp) struct json_object *document = NULL;
	int r = resource_get(res, &document, NULL, err);

	if (r < 0)
		return r;
	scoped(jv_unrefp) struct json_object *part =
		fields ? output_pick(document, fields) : jv_ref(document);
	output_yaml(part, stdout);
	return 0;
}

struct edited {
	const struct resource *res;
	char *etag;
};

static int apply_edit(void *arg, struct json_object *document, struct error **err)
{
	const struct edited *e = arg;

	if (!json_object_is_type(document, json_type_object))
		return error_set(err, 400, "The document must be a map");
	jv_coerce_strings(document, "config");
	JV_FOREACH (jv_member(document, "devices"), name, unused) {
		(void)unused;
		jv_coerce_strings(jv_member(document, "devices"), name);
	}
	return resource_put(e->res, document, e->etag, err);
}

int resource_edit(const struct resource *res, struct error **err)
{
	scoped(jv_unrefp) struct json_object *document = NULL;
	scoped_free char *etag = NULL;

	/* What comes from a script replaces the document, whatever it was. */
	if (isatty(STDIN_FILENO) != 1) {
		struct edited e = { .res = res };

		return edit_document(NULL, NULL, apply_edit, &e, err);
	}
	int r = resource_get(res, &document, &etag, err);
	if (r < 0)
		return r;
	struct edited e = { .res = res, .etag = etag };
	return edit_document(document, res->help, apply_edit, &e, err);
}

int resource_config_get(const struct resource *res, const char *key, bool property,
                        struct error **err)
{
	scoped(jv_unrefp) struct json_object *document = NULL;
	int r = resource_get(res, &document, NULL, err);

	if (r < 0)
		return r;
	struct json_object *from = property ? document : jv_member(document, "config");
	struct json_object *value = NULL;

	if (property && !json_object_object_get_ex(document, key, &value))
		return error_set(err, 404, "The property \"%s\" does not exist", key);
	value = jv_member(from, key);
	if (!value || json_object_is_type(value, json_type_string))
		printf("%s\n", str_or_empty(jv_string(value)));
	else
		printf("%s\n", json_object_to_json_string(value));
	return 0;
}

/* "-" stands for what is on stdin. */
static int value_of(const char *text, char **ret_value, struct error **err)
{
	if (strcmp(text, "-") != 0) {
		*ret_value = xstrdup(text);
		return 0;
	}
	size_t size;
	int r = fd_read_all(STDIN_FILENO, VALUE_MAX, ret_value, &size);
	return r < 0 ? error_set_errno(err, r, "Failed reading the value") : 0;
}

int resource_parse_pairs(const char *const *words, struct json_object *into, struct error **err)
{
	for (; words && *words; words++) {
		const char *equals = strchr(*words, '=');
		scoped_free char *value = NULL;

		if (!equals || equals == *words)
			return error_set(err, 400, "Invalid key=value configuration: %s", *words);
		scoped_free char *key = xasprintf("%.*s", (int)(equals - *words), *words);
		int r = value_of(equals + 1, &value, err);
		if (r < 0)
			return r;
		jv_set_string(into, key, value);
	}
	return 0;
}

/* The words of "set" as an object. */
static int parse_set(const char *const *words, struct json_object *into, struct error **err)
{
	if (words[0] && words[1] && !words[2] && !strchr(words[0], '=')) {
		scoped_free char *value = NULL;
		int r = value_of(words[1], &value, err);

		if (r == 0)
			jv_set_string(into, words[0], value);
		return r;
	}
	return resource_parse_pairs(words, into, err);
}

/* Members of a document have the types that they have. */
static int set_property(struct json_object *document, const char *key, const char *text,
                        struct error **err)
{
	struct json_object *old = NULL;
	int64_t number;

	if (!json_object_object_get_ex(document, key, &old))
		return error_set(err, 400, "The property \"%s\" does not exist", key);
	if (json_object_is_type(old, json_type_boolean)) {
		jv_set_bool(document, key, parse_is_true(text));
	} else if (json_object_is_type(old, json_type_int)) {
		if (parse_int64(text, &number) < 0)
			return error_set(err, 400, "The property \"%s\" is a number", key);
		jv_set_int(document, key, number);
	} else if (!old || json_object_is_type(old, json_type_string)) {
		jv_set_string(document, key, text);
	} else {
		return error_set(err, 400, "The property \"%s\" cannot be set", key);
	}
	return 0;
}

int resource_config_set(const struct resource *res, const char *const *words, bool property,
                        struct error **err)
{
	scoped(jv_unrefp) struct json_object *document = NULL, *pairs = jv_object();
	scoped_free char *etag = NULL;
	int r = parse_set(words, pairs, err);

	if (r == 0)
		r = resource_get(res, &document, &etag, err);
	if (r < 0)
		return r;
	struct json_object *config = jv_member(document, "config");
	if (!property && !config) {
		config = jv_object();
		jv_set_take(document, "config", config);
	}
	JV_FOREACH (pairs, key, value) {
		if (property) {
			r = set_property(document, key, jv_string(value), err);
			if (r < 0)
				return r;
		} else {
			jv_set_string(config, key, jv_string(value));
		}
	}
	return resource_put(res, document, etag, err);
}

int resource_config_unset(const struct resource *res, const char *key, bool property,
                          struct error **err)
{
	scoped(jv_unrefp) struct json_object *document = NULL;
	scoped_free char *etag = NULL;
	int r = resource_get(res, &document, &etag, err);

	if (r < 0)
		return r;
	if (property) {
		r = set_property(document, key, "", err);
		return r < 0 ? r : resource_put(res, document, etag, err);
	}
	struct json_object *config = jv_member(document, "config");
	if (!jv_member(config, key))
		return error_set(err, 400, "The key \"%s\" is not set", key);
	if (res->empty_unsets)
		jv_set_string(config, key, "");
	else
		jv_unset(config, key);
	return resource_put(res, document, etag, err);
}

void resource_print_keys(struct json_object *object)
{
	scoped(strv_freep) char **names = NULL;

	JV_FOREACH (object, key, unused) {
		(void)unused;
		strv_add(&names, key);
	}
	strv_sort(names);
	STRV_FOREACH (name, names) {
		printf("%s\n", name);
	}
}
