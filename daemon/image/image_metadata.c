#include "daemon/image/image_metadata.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/array.h"
#include "lib/base/macro.h"
#include "lib/base/parse.h"
#include "lib/base/path.h"
#include "lib/base/str.h"
#include "lib/base/strbuf.h"
#include "lib/data/jv.h"
#include "lib/data/yaml.h"

#define MAX_TEMPLATES 1000
#define MAX_ARCHITECTURE 32

/* clang-format off */
static const struct {
	const char *word;
	uint32_t bit;
} triggers[] = {
	{ "create", IMAGE_TEMPLATE_CREATE },
	{ "copy",   IMAGE_TEMPLATE_COPY },
	{ "start",  IMAGE_TEMPLATE_START },
	{ "rename", IMAGE_TEMPLATE_RENAME },
};
/* clang-format on */

static void template_done(struct image_template *t)
{
	free(t->path);
	free(t->source);
	smap_done(&t->properties);
}

void image_metadata_done(struct image_metadata *metadata)
{
	free(metadata->architecture);
	smap_done(&metadata->properties);
	for (size_t i = 0; i < metadata->n_templates; i++)
		template_done(&metadata->templates[i]);
	free(metadata->templates);
	*metadata = (struct image_metadata){ 0 };
}

static int read_triggers(struct json_object *o, struct image_template *t, struct error **err)
{
	struct json_object *list = NULL;

	int r = jv_get_array(o, "when", &list, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < jv_len(list); i++) {
		const char *word = jv_string(jv_item(list, i));
		uint32_t bit = 0;

		for (size_t k = 0; word && k < COUNT_OF(triggers); k++)
			if (strcmp(triggers[k].word, word) == 0)
				bit = triggers[k].bit;
		if (bit == 0)
			return error_set(err, 400, "Invalid trigger of template \"%s\"", t->path);
		t->when |= bit;
	}
	return 0;
}

/* An owner: a number, or a number as text. */
static int read_id(struct json_object *o, const char *key, int32_t *ret_id, struct error **err)
{
	struct json_object *value = jv_member(o, key);
	int64_t id = -1;

	if (!value)
		return 0;
	if (json_object_is_type(value, json_type_int))
		id = json_object_get_int64(value);
	else if (!jv_string(value) || parse_int64(jv_string(value), &id) < 0)
		id = -1;
	if (id < 0 || id > INT32_MAX)
		return error_set(err, 400, "Invalid \"%s\" of a template", key);
	*ret_id = (int32_t)id;
	return 0;
}

static int read_mode(struct json_object *o, int32_t *ret_mode, struct error **err)
{
	struct json_object *value = jv_member(o, "mode");
	scoped_free char *text = NULL;
	unsigned int mode;

	if (!value)
		return 0;
	/* Written without quotes it was read as a decimal number, and meant as octal digits. */
	text = jv_string(value) ? xstrdup(jv_string(value))
	                        : xasprintf("%lld", (long long)json_object_get_int64(value));
	if (parse_mode(text, &mode) < 0)
		return error_set(err, 400, "Invalid \"mode\" of a template");
	*ret_mode = (int32_t)mode;
	return 0;
}

static int read_template(const char *path, struct json_object *o, struct image_template *t,
                         struct error **err)
{
	const char *source = "";

	if (!path_is_absolute(path) || path_has_dotdot(path) || str_ends(path, "/"))
		return error_set(err, 400, "Invalid path of template \"%s\"", path);
	t->path = xstrdup(path);
	if (jv_check_object(o, "Template", err) < 0 ||
	    jv_get_string(o, "template", &source, err) < 0)
		return error_wrap(err, "Invalid template \"%s\"", path);
	if (!path_is_name(source))
		return error_set(err, 400, "Invalid file name of template \"%s\"", path);
	t->source = xstrdup(source);

	jv_coerce_strings(o, "properties");
	if (read_triggers(o, t, err) < 0 ||
	    jv_get_bool(o, "create_only", &t->create_only, err) < 0 ||
	    jv_get_smap(o, "properties", &t->properties, err) < 0 ||
	    read_id(o, "uid", &t->uid, err) < 0 || read_id(o, "gid", &t->gid, err) < 0 ||
	    read_mode(o, &t->mode, err) < 0)
		return error_wrap(err, "Invalid template \"%s\"", path);
	return 0;
}

static int read_templates(struct json_object *doc, struct image_metadata *metadata,
                          struct error **err)
{
	struct json_object *map = NULL;
	size_t n = 0;

	int r = jv_get_object(doc, "templates", &map, err);
	if (r <= 0)
		return r;
	JV_FOREACH (map, path, value) {
		(void)path;
		(void)value;
		n++;
	}
	if (n > MAX_TEMPLATES)
		return error_set(err, 400, "Invalid image metadata: too many templates");

	metadata->templates = xcalloc(n + 1, sizeof(*metadata->templates));
	JV_FOREACH (map, path, value) {
		struct image_template *t = &metadata->templates[metadata->n_templates++];

		t->uid = t->gid = t->mode = -1;
		r = read_template(path, value, t, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int read_fields(struct json_object *doc, struct image_metadata *metadata, struct error **err)
{
	const char *architecture = "";

	if (jv_check_object(doc, "Image metadata", err) < 0)
		return (*err)->code;
	jv_coerce_strings(doc, "properties");
	if (jv_get_string(doc, "architecture", &architecture, err) < 0 ||
	    jv_get_int(doc, "creation_date", &metadata->creation_date, err) < 0 ||
	    jv_get_int(doc, "expiry_date", &metadata->expiry_date, err) < 0 ||
	    jv_get_smap(doc, "properties", &metadata->properties, err) < 0)
		return error_wrap(err, "Invalid image metadata");

	if (strlen(architecture) > MAX_ARCHITECTURE ||
	    !str_is_made_of(architecture, "abcdefghijklmnopqrstuvwxyz0123456789_-"))
		return error_set(err, 400, "Invalid image metadata: no valid \"architecture\"");
	if (metadata->creation_date < 0 || metadata->expiry_date < 0 ||
	    metadata->creation_date > INT32_MAX * INT64_C(4) ||
	    metadata->expiry_date > INT32_MAX * INT64_C(4))
		return error_set(err, 400, "Invalid image metadata: bad date");
	metadata->architecture = xstrdup(architecture);
	return read_templates(doc, metadata, err);
}

int image_metadata_of_json(struct json_object *doc, struct image_metadata *ret_metadata,
                           struct error **err)
{
	scoped(image_metadata_done) struct image_metadata metadata = { 0 };

	int r = read_fields(doc, &metadata, err);
	if (r < 0)
		return r;

	*ret_metadata = metadata;
	metadata = (struct image_metadata){ 0 };
	return 0;
}

int image_metadata_parse(const char *text, size_t len, struct image_metadata *ret_metadata,
                         struct error **err)
{
	scoped(jv_unrefp) struct json_object *doc = NULL;

	int r = yaml_decode(text, len, &doc, err);
	if (r < 0)
		return error_wrap(err, "Invalid image metadata");

	return image_metadata_of_json(doc, ret_metadata, err);
}

static struct json_object *template_json(const struct image_template *t)
{
	struct json_object *o = jv_object(), *when = jv_array();

	for (size_t i = 0; i < COUNT_OF(triggers); i++)
		if (t->when & triggers[i].bit)
			jv_add_string(when, triggers[i].word);
	jv_set_take(o, "when", when);
	jv_set_bool(o, "create_only", t->create_only);
	jv_set_string(o, "template", t->source);
	jv_set_smap(o, "properties", &t->properties);
	if (t->uid >= 0)
		jv_set_stringf(o, "uid", "%d", t->uid);
	if (t->gid >= 0)
		jv_set_stringf(o, "gid", "%d", t->gid);
	if (t->mode >= 0)
		jv_set_stringf(o, "mode", "%04o", (unsigned int)t->mode);
	return o;
}

struct json_object *image_metadata_json(const struct image_metadata *metadata)
{
	struct json_object *o = jv_object(), *templates = jv_object();

	for (size_t i = 0; i < metadata->n_templates; i++)
		jv_set_take(templates, metadata->templates[i].path,
		            template_json(&metadata->templates[i]));
	jv_set_string(o, "architecture", metadata->architecture);
	jv_set_int(o, "creation_date", metadata->creation_date);
	jv_set_int(o, "expiry_date", metadata->expiry_date);
	jv_set_smap(o, "properties", &metadata->properties);
	jv_set_take(o, "templates", templates);
	return o;
}

char *image_metadata_format(const struct image_metadata *metadata)
{
	scoped(jv_unrefp) struct json_object *o = image_metadata_json(metadata);
	struct strbuf text = { 0 };

	yaml_encode(o, &text);
	return strbuf_take(&text);
}
